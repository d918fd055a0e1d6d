package dsptest

import (
	"math"
	"math/rand/v2"
)

// Gain scales by a number of dB.
func Gain(x []float32, db float64) []float32 {
	g := float32(math.Pow(10, db/20))
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = v * g
	}
	return y
}

// Noise gives n samples of Gaussian white noise at a level in dBov. The same seed
// gives the same noise.
func Noise(n int, levelDBov float64, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15))
	sigma := math.Pow(10, levelDBov/20)
	y := make([]float32, n)
	for i := range y {
		y[i] = float32(sigma * rng.NormFloat64())
	}
	return y
}

// AddNoise adds Gaussian white noise at a level in dBov, as a headset with a bad
// preamplifier hisses. The same seed gives the same noise.
func AddNoise(x []float32, levelDBov float64, seed uint64) []float32 {
	y := Noise(len(x), levelDBov, seed)
	for i, v := range x {
		y[i] += v
	}
	return y
}

// Overdrive amplifies by a number of dB into a hard ceiling (an amplitude, 1 is full
// scale), as a headset with its gain set too high or a worn capsule does.
func Overdrive(x []float32, gainDB float64, ceiling float32) []float32 {
	y := Gain(x, gainDB)
	for i, v := range y {
		y[i] = max(-ceiling, min(ceiling, v))
	}
	return y
}

// Tone gives n samples of a sine at a level in dBov (a full-scale sine is -3.01).
func Tone(n, rate int, hz, levelDBov float64) []float32 {
	a := math.Sqrt2 * math.Pow(10, levelDBov/20)
	y := make([]float32, n)
	for i := range y {
		y[i] = float32(a * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return y
}

// Mix adds signals sample by sample; the result is as long as the longest.
func Mix(signals ...[]float32) []float32 {
	n := 0
	for _, s := range signals {
		n = max(n, len(s))
	}
	y := make([]float32, n)
	for _, s := range signals {
		for i, v := range s {
			y[i] += v
		}
	}
	return y
}

// Quantize rounds to 16-bit samples and back, as a sound card or a WAV file does.
func Quantize(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(math.Max(-32768, math.Min(32767, math.Round(float64(v)*32768))) / 32768)
	}
	return y
}
