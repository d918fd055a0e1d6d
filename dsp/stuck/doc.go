// Package stuck finds stretches in which a microphone's samples do not move: digital
// silence, or one frozen value. A live microphone has noise, so that four seconds of
// either are a dead one, a wrong device or a mute key that nobody told of.
//
//	m, err := stuck.New(16000)
//	...
//	m.Process(block)
//	if r := m.Result(); r.LongestSeconds >= 4 { ... }
//
// Silence is a stretch within two 16-bit steps of zero: what a noise gate with dither of
// one step leaves, and what Opus and G.711 decoders make of digital silence. A stretch is
// frozen where the samples of 20 ms stay within two steps of each other; it may drift from
// there, as a coupling capacitor does. Marked samples are not to be given: call Gap, which says how many they are.
package stuck
