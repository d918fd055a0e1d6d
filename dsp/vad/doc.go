// Package vad tells speech from pauses, noise and tones, 20 ms at a time.
//
//	s, err := spectrum.New(16000)
//	d, err := vad.New(16000)
//	...
//	f := d.Process(s.Next(block), filtered) // 20 ms, as it came and high-passed at 100 Hz
//	if f.Speech { ... }
//
// It is made for measuring, not for gating audio: it confirms a word two or three blocks
// after its start rather than take a click for one, and counts 160 ms after the last sound
// of a word as speech, much as the hangover of ITU-T P.56 does. It means the person at the
// microphone: voices and music that are clearly weaker than the loudest talker of the last
// minutes are background.
//
// How it decides, in the order of the files:
//
//   - bands.go: the spectrum is summed up in 19 critical bands from 150 Hz to 7 kHz;
//   - noise.go: the noise in each is tracked by the minimum of its smoothed power and the
//     mean of what lies near that (R. Martin 2001; I. Cohen 2003), and set at once when
//     steady.go finds that a sound has not changed for 0.8 s, which speech never does;
//   - evidence.go: each band gives a log likelihood ratio of speech against noise, with the
//     decision-directed estimate of its SNR (J. Sohn, N. S. Kim, W. Sung 1999; Y. Ephraim,
//     D. Malah 1984); their mean is the evidence, about 0 in noise and up to 6 in speech;
//   - tone.go: one tone or two are no speech, which a linear prediction finds; the pairs of a
//     keypad are known by their frequencies even where a codec has roughened them;
//   - loudness.go: what lies between near and far is found in the histogram of levels
//     (N. Otsu 1979); where the lower sort is restless, as babble and music are, more
//     evidence and more level are asked for;
//   - vad.go: three blocks in a row begin speech, two strong ones are enough; clicks count
//     for nothing.
//
// docs/vad.md compares it with others.
package vad
