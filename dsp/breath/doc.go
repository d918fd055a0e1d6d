// Package breath counts puffs of breath and seconds of wind on a microphone: they say that
// the boom stands in front of the mouth, or that the wind shield is missing. It is advice,
// never a fault.
//
//	d, err := lowband.New(rate)
//	m, err := breath.New(rate)
//	...
//	low = d.Process(low[:0], block) // 20 ms
//	m.Process(low, speaking)        // whether a voice detector hears speech in it
//	...
//	r := m.Result() // r.PopsPerMinute 4.2
//
// Moving air makes pressure below 60 Hz, where no voice is. The meter follows the power
// between 15 and 55 Hz in 20 ms and calls a puff what rises over -42 dBov and 12 dB over
// what is usual there. Up to 0.3 s within 0.3 s of speech it is a pop: a p or b that hit the
// capsule. What lasts longer, or goes on in the pauses, is wind: so are gusts, a fan on the
// desk or a hand on the boom. Hum of 50 Hz is steady and becomes what is usual.
//
// All thresholds are assumptions, chosen so that voices from 80 Hz up never reach them.
package breath
