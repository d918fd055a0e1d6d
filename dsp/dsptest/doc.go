// Package dsptest makes headset faults, and sounds that are none: pure functions that put
// hiss, hum, overdrive, drop-outs or an echo on speech, for tests, the fault bench
// (internal/accuracy), the load generator and the demo.
//
// Samples are mono, full scale ±1. Every function returns a new slice and leaves its input
// alone. Levels are RMS in dBov (0 dBov is a mean square of 1), amplitudes are shares of
// full scale, times are seconds, and what is drawn at random follows a seed: the same seed
// gives the same samples.
//
//	noisy := dsptest.Mix(speech, dsptest.Pink(len(speech), -45, seed))
//	places := dsptest.Spoken(speech, 16000, 12, 0.5, seed) // twelve instants inside speech
//	broken := dsptest.DropOut(noisy, places, 160, dsptest.Zeros)
//
// The faults: Noise, Pink, Fan, Babble, Hum, Buzz, Overdrive, SoftClip, DropOut, Crackle,
// Repeat, Slip, Muffle, Offset, Pump, Gain, Echo, Silence, Freeze. Innocent sounds: Compress,
// AGC, Gate, Limit, Keyboard, DTMF, Plosives, Breath, Wind, Reverb. What a network does:
// Loss.
package dsptest
