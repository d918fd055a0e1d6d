// Package dc measures a constant offset: what a microphone's converter adds to every
// sample. It eats headroom and clicks when the sound is switched.
//
//	d, err := lowband.New(rate)
//	m, err := dc.New(rate)
//	...
//	low = d.Process(low[:0], block)
//	m.Process(low)
//	...
//	share := m.Result().Offset // 0.01 is 1 % of full scale
//
// It is the median of the means of five seconds each. Over five seconds a voice's own mean
// is nothing, however lopsided its wave; the median leaves out the puffs and thumps whose
// mean is something. With less than five seconds it is the plain mean. Stretches grow
// longer as a call does, so that 64 of them are always enough.
//
// Codecs take the offset away: measure at the microphone.
package dc
