// Package dc measures a constant offset: what a microphone's converter adds to every
// sample. It eats headroom and clicks when the sound is switched.
//
//	d, err := lowband.New(rate)
//	m, err := dc.New(rate)
//	...
//	low = d.Process(low[:0], block)
//	m.Process(low, speech) // of a detector such as vad.Detector
//	...
//	share := m.Result().Offset // 0.01 is 1 % of full scale
//
// It is the median of the means of a second each of the pauses, where there are three
// seconds of them: a converter's offset stands there as well, while a voice that runs into
// one ceiling before the other has a mean of its own. Pauses that a gate has made digital
// silence do not count. Else it is of everything, five seconds each: over five seconds a
// voice's own mean is nothing, however lopsided its wave, unless it clips. The median leaves
// out the puffs and thumps whose mean is something. Of less than one such stretch it is the
// plain mean. Stretches grow longer as a call does, so that 64 of them are always enough.
//
// Codecs take the offset away: measure at the microphone.
package dc
