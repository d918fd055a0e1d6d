// Package hum finds mains hum under a telephone voice: a comb of lines at 50 or 60 Hz and
// its harmonics, told apart, with its frequency, its level and how far it stands out.
//
//	d, err := lowband.New(rate)
//	m, err := hum.New(rate)
//	...
//	low = d.Process(low[:0], block)
//	m.Process(low) // 20 ms of what lies below 900 Hz
//	...
//	r := m.Result() // r.Hz 50.02, r.Level -46.1 dBov, r.Prominence 24 dB
//
// # How
//
// A line of the mains holds its phase for seconds; a voice does not, however low and
// however flat it is spoken. Each 64 ms of the low band are transformed (Hann, one every
// 32 ms), and each harmonic up to 800 Hz is followed as a complex amplitude, turned back
// by its nominal frequency, so that hum stands still. Every two seconds the last four are
// looked at. One amplitude is fitted to all frames of a line, each weighing as much as the
// inverse of its power in the low band (times a Hann window), which is the least-squares
// estimate of a tone under noise that comes and goes: pauses and the gaps between words
// speak, loud vowels hardly do. What the fit leaves over, within 15 Hz of the line, is what
// the neighbourhood would put there by chance. The line's power over it is its prominence;
// in even noise that is the power in the bin of a 4 s Hann window over that of the bins
// around it.
//
// A window has hum when the lines that stand out by 6 dB together stand out by 10, and
// among those above 10 dB is the first or second harmonic, or three whose orders have no
// common divisor but 1 or 2. So two tones of a telephone exchange that are both multiples
// of 50 Hz (400 and 450) are no hum. The whole is measured over the windows whose mains
// frequency agrees within 0.15 Hz; whoever judges should ask for several of them
// (Result.Seconds), and for many in a row (Result.Longest): a note held for two seconds is one
// window. Before a gap a shorter window counts, from 1.3 s on. A steady comb of 100 or
// 120 Hz is rectified mains: hum with nothing in its odd harmonics (Result.OddShare).
// Package buzz knows the radio that pulses 100 times a second in bursts.
//
// # Figures
//
// Levels of generated hum are true within 0.1 dB down to -55 dBov in a quiet room and
// within 0.5 dB under speech at -20 dBov with one tenth of pauses; harmonics above 800 Hz
// are not counted. Frequencies are true within 0.02 Hz. Behind Opus 50 Hz reads 5 to 7 dB
// low, behind a trunk's high-pass at 300 Hz the first five harmonics are missing: the level
// is then a lower bound, the frequency still true.
//
// The limits 10 and 15 dB follow GSM 03.50 (single tones in idle noise) and the window of
// 4 s the project's own definition.
package hum
