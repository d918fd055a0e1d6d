// Package noise measures the noise that lies under someone's speech and names its kind.
//
//	s, _ := spectrum.New(16000)
//	d, _ := vad.New(16000)
//	m, err := noise.New(16000)
//	...
//	f := s.Next(block)                // every 20 ms
//	m.Process(f, d.Process(f, filtered)) // filtered: block behind filter.HighPass at 100 Hz
//	...
//	r := m.Result() // r.Floor -46.2 dBov, r.FloorA -48.0 dBov(A), r.Class "hiss"
//
// # The floor
//
// The floor is the mean power of the noise above 100 Hz, read off the levels of 20 ms
// blocks, in dBov (0 dBov is a mean square of 1). It comes from the pauses: blocks that the
// detector calls no speech, without the four before speech begins. The narrowest range of
// levels that holds half of them (the shorth: Andrews et al., Robust Estimates of
// Location, 1972) says where the noise stands and how wide it spreads; the floor is the
// mean power of all pause blocks up to three standard deviations, and at least 2.5 dB,
// above the middle of that range. So the softest sounds of speech, breath and keys do not
// raise it, and a noise that wavers (a fan, voices, music) is read at its mean power, not
// at its minimum.
//
// Where there are hardly any pauses (under half a second, or 2 % of the time), or nothing
// steady in them, the floor is the mean power of all blocks up to 2.5 dB above the 10th
// percentile of their levels.
//
// Digital silence, which a gate, a synthesiser or discontinuous transmission leaves in
// the pauses, is no noise: those blocks are left out. If what remains is only the ends of
// words, the floor is dsp.SilenceDBov.
//
// FloorA is the same noise weighted as IEC 61672-1 A: the mean spectrum of the blocks that
// hold noise alone gives the difference.
//
// Two or three voices near by are speech to any detector; only what they leave in their
// own pauses is then noise, and the floor reads up to 3 dB low. Music that falls silent
// between its beats is read there too, far below its mean.
//
// # The kind
//
// Mains hum and its harmonics have the same phase again after 100 ms, whether the mains
// has 50 or 60 Hz; the bursts of a GSM phone after 60 ms; sustained tones go on with the
// phase they had from block to block, as music does and voices hardly do; and voices swell
// and fade where a fan does not. What is steady and without tones is hiss when it reaches
// above 2 kHz, else the room.
package noise
