// Package talk tells how two people speak with each other: from two streams of speech
// decisions, 20 ms at a time, who had which share, who went on for how long, who spoke at
// once with or cut off the other, how long nobody spoke and how long an answer took.
//
//	m := talk.New()
//	...
//	m.Process(nearSpeaks, farSpeaks) // each 20 ms, by dsp/vad for instance
//	r := m.Result()
//
// The words mean:
//
//   - A spurt is speech with pauses of at most 0.3 s. One of less than 0.12 s of speech
//     is a noise and answers nothing.
//   - A monologue runs from the first to the last word of one party, until the other
//     has spoken for a second ("yes", "mhm" end none) or nobody for two.
//   - Overtalk is time in which both speak.
//   - An interruption: one begins when the other's spurt has lasted a second, the other
//     goes on for 0.2 s or more and falls silent, and the first has spoken for a second
//     by then or later. Who only throws in a word interrupts nobody.
//   - A response gap is the silence from one party's last word to the other's first
//     (a switch pause, after Jaffe and Feldstein, Rhythms of Dialogue, 1970).
//
// Pace counts the syllables of one voice: peaks of the energy from 300 to 3000 Hz that
// stand out from the dips beside them, per second of speech (the way of Mermelstein,
// JASA 58, 1975, and de Jong and Wempe, 2009). All of it is shown; none of it is a fault.
package talk
