// Package resample changes the sample rate of mono audio: 8, 16, 32, 44.1 and 48 kHz,
// each to each, by a polyphase FIR filter.
//
// The filter is a Kaiser-windowed sinc: flat within 0.1 dB up to 0.9 of the lower
// Nyquist frequency, images and aliases at least 60 dB down from 1.1 of it on. Memory
// is made at construction; Process allocates only when dst has no room.
package resample
