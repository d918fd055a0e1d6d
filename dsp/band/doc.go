// Package band measures how far up a voice reaches: whether a capsule is muffled, or a
// codec narrow.
//
//	m, err := band.New(16000)
//	...
//	m.Process(f, d.Last().Speech, d.Last().Tonal) // f of spectrum.Analyzer.Next, every 20 ms
//	...
//	r := m.Result() // r.HighLow -18.3 dB, r.Edge 7750 Hz
//
// The meter averages the spectra of speech and of pauses and takes the one off the other:
// what is left is the long-term average speech spectrum (as of Byrne et al., J. Acoust.
// Soc. Am. 96, 1994), given in third-octave bands in dBov. Where the highs do not stand
// clear of the noise the ratios are upper bounds, and Masked says so.
//
// Five figures describe it. HighLow (4.5-7 kHz over 0.3-3.4 kHz) differs by 17 dB from
// voice to voice and is for comparing a headset with itself or its model. HighMid (4.5-7
// kHz over 2-3.4 kHz) differs less, since the same consonants fill both. Rolloff (2.5-3.4
// kHz over 1-2 kHz) and Tilt (2-3.4 kHz over 0.3-1 kHz) can be had of a narrow-band source
// as well. Cut is where the spectrum ends as at a wall, 20 dB within 750 Hz.
// A codec or a low sample rate does that, but a voice that is weak above it and a steep
// acoustic low-pass may too: Steepest tells the one (21 dB and more within 500 Hz before a
// codec rounds it) from the other (14 to 18 dB behind 36 dB an octave). Where noise hides
// what is above, Skirt does: the room's noise comes through a capsule and falls with it,
// and does not come through a source.
package band
