// Package pump measures how far the speech level swings in a call, as with a gain control
// that hunts or a contact that is loose: the standard deviation of the active levels (ITU-T
// P.56) of ten seconds each.
//
//	l, err := level.New(rate) // behind the 100 Hz high-pass
//	m, err := pump.New(rate)
//	...
//	m.Process(l.Counts(), noisePower) // once a second
//	...
//	r := m.Result() // r.SD 1.1 dB, r.Steady 0.8 dB, r.Windows 12
//
// Only stretches with three seconds of speech count, with the noise's energy taken off. A
// voice reading at ease has 0.4 to 1.3 dB. Someone who speaks one sentence aside moves the
// deviation a lot and is no fault: Steady leaves out the quarter of the stretches furthest
// from the median. What swings all the time keeps most of its deviation (a sine 0.84 of it,
// a square wave all). Whoever judges should ask for six windows, and for Steady too.
//
// A swing that is faster than ten seconds is averaged away, as the definition has it.
package pump
