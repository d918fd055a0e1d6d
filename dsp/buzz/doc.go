// Package buzz finds the buzz of a radio in a microphone's wire: the pulses of a GSM phone
// (216.7 Hz) or of a DECT set (100 Hz), in bursts, also while someone speaks.
//
//	s, err := spectrum.New(rate)
//	m, err := buzz.New(rate)
//	...
//	m.Process(s.Next(block)) // 20 ms
//	...
//	r := m.Result() // r.Radio gsm, r.Level -44 dBov, r.Bursts 5, r.Seconds 8.2
//
// # How
//
// A GSM phone sends a burst of 577 µs every 60/13 ms (3GPP TS 45.002, 4.3.1), a DECT set
// one of 417 µs every 10 ms (ETSI EN 300 175-2, 4.2.1). An amplifier's input rectifies
// them, which gives a pulse train: lines at all multiples up to several kHz, about equally
// strong, on a quartz's frequency. Each line, 12 of GSM and 16 of DECT, is followed through
// the shared spectra as a complex amplitude turned back by its frequency. Every 0.24 s one
// amplitude is fitted to each line over the last 0.48 s, each frame weighing as much as the
// inverse of the power around the line, so that gaps in the speech tell most. What the fit
// leaves is what chance and voices put there; the line's power over it is its prominence.
//
// A window has buzz when half of the lines, and half of the higher ones (from 1.1 kHz with
// GSM, 0.6 kHz with DECT), stand out by 7 dB, and all that do by 10 dB together. A voice at
// the same pitch wanders by more than a thousandth in a quarter of a second, which its
// higher harmonics do not survive. GSM is looked for within 0.3 % of its frequency, which
// no real phone strays from by a millionth.
//
// Two windows in a row are a burst. DECT's rate is that of rectified 50 Hz mains. It is told
// by its shape, as much power from 600 Hz up as below (at least 0.7 times), and by its
// coming and going: what lasts longer than 30 s is mains, and package hum's.
package buzz
