// Package glitch finds samples that a driver, a plug or a bad contact lost or spoilt:
//
//   - drop-outs: sound that falls away at once and comes back at once, after 4 to 120 ms
//     of silence, of one sample held, or of next to nothing;
//   - repeated buffers: a block of samples played twice or more;
//   - slips: a block missing, heard as a jump;
//   - crackle: clicks of a few samples.
//
// It hears samples as they came and takes no spectrum:
//
//	m, err := glitch.New(16000)
//	...
//	m.Process(frame) // any number of samples, full scale ±1; allocates nothing
//	for e, ok := m.Event(); ok; e, ok = m.Event() { ... } // what, where, how long
//	r := m.Result() // counts; r.Lost() and r.Clicking() are the ones to judge
//
// # How
//
// Every millisecond two energies are kept, of a difference over 1/8 ms and of the second
// difference. A fall of the first by 15 dB within two milliseconds starts a look for a
// drop-out, an isolated peak of the second a look for a click. The rest happens only
// there, on a look-back of 170 ms.
//
// A drop-out is 4 ms and more of equal samples, with sound on both sides right up to the
// edge. A consonant's closure and a gate fade, and a gate works on what is soft; a clipped
// wave stands at its top; keypad tones are known by what a predictor of order 8 explains.
// A hole that is not empty counts when it falls and rises by 28 dB within three
// milliseconds and the sound after it is the sound before it.
//
// A click is looked at through linear prediction (Levinson, order 12 to 24) made from the
// 12 ms on either side but not from the click itself. What prediction leaves of an
// electrical click stands far above what it leaves on either side and is over within a
// millisecond; a plosive goes on, a lip's smack or a key rings for 2 ms and more, and a
// glottal pulse has neighbours like itself. (Godsill and Rayner, Digital Audio
// Restoration, 1998, chapter 5, detect so; the limits here are measured.) Where no few
// samples put anew make the two sides one, it was a jump: a slip.
//
// A block played again is equal to the samples a lag before for exactly that lag, or two
// or three times it; a tone is equal for longer.
//
// # What it can't
//
// In a pause a drop-out can't be told from a gate, and is not counted. A click below the
// speech around it by more than prediction gains is not found, nor one as long as a lip's
// smack: at 8 kHz that is all beyond 10 samples. Opus smears a click over several milliseconds and
// fills a hole of 20 ms as deep as a stop consonant is: what is left are dips, counted
// apart (Result.Dips), and holes long enough to end in digital silence.
//
// Of 800 holes of 20 to 80 ms in speech at 16 kHz it found 87 % of the silent, 86 % of the
// held, 78 % of those with edges of 2 ms and 20 % of those only 40 dB down; behind Opus
// at 24 kbit/s, dips among them, 20, 32, 42 and 7 %.
package glitch
