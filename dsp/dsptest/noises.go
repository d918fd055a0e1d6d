package dsptest

import (
	"math"
	"math/rand/v2"
)

// generator draws for one function; stream keeps apart what several draw from one seed.
func generator(seed, stream uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, stream)) }

// RMS is the level of x in dBov; -120 where there is nothing.
func RMS(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	if len(x) == 0 || sum < 1e-12*float64(len(x)) {
		return -120
	}
	return 10 * math.Log10(sum/float64(len(x)))
}

// ToLevel scales x to a level in dBov. Silence stays silence.
func ToLevel(x []float32, levelDBov float64) []float32 {
	have := RMS(x)
	if have <= -120 {
		return make([]float32, len(x))
	}
	return Gain(x, levelDBov-have)
}

// pinkRows is how many octaves of Pink fall at 3 dB each: down to 0.25 Hz at 16 kHz.
const pinkRows = 16

// Pink gives n samples of noise that falls by 3 dB an octave, at a level in dBov: hiss as
// most electronics and rooms have it. It is a sum of held random numbers, the k-th drawn
// anew every 2^k samples (Voss).
func Pink(n int, levelDBov float64, seed uint64) []float32 {
	rng := generator(seed, 0x9147)
	var rows [pinkRows]float64
	sum := 0.0
	for k := range rows {
		rows[k] = rng.NormFloat64()
		sum += rows[k]
	}
	y := make([]float32, n)
	for i := range y {
		k := 0
		for bit := i + 1; bit&1 == 0 && k < pinkRows-1; bit >>= 1 {
			k++
		}
		sum -= rows[k]
		rows[k] = rng.NormFloat64()
		sum += rows[k]
		y[i] = float32(sum + rng.NormFloat64())
	}
	return ToLevel(y, levelDBov)
}

// Fan gives n samples of a fan or air conditioning at a level in dBov: air noise that
// falls above some 400 Hz, with the blades' tone and its harmonics 6 dB below.
func Fan(n, rate int, levelDBov float64, seed uint64) []float32 {
	rng := generator(seed, 0xfa4)
	air := LowPass(Pink(n, 0, seed), rate, 400+400*rng.Float64(), 1)
	air = highPass1(air, rate, 60)
	blades := 70 + 160*rng.Float64() // Hz
	table := harmonics([]float64{1, 0.6, 0.4, 0.2, 0.1}, blades, rate)
	tone := make([]float32, n)
	phase, drift := 0.0, 0.0
	for i := range tone {
		drift += 1e-4*rng.NormFloat64() - 1e-5*drift
		phase += blades * (1 + 0.003*drift) / float64(rate)
		tone[i] = table.at(phase)
	}
	return ToLevel(Mix(ToLevel(air, 0), ToLevel(tone, -6)), levelDBov)
}

// Babble gives n samples of a room full of people at a level in dBov: talkers far away,
// each somewhere else in voices, a little softer or louder than the others, without the
// highs that distance takes, in a room with half a second of reverberation.
func Babble(voices [][]float32, n, rate, talkers int, levelDBov float64, seed uint64) []float32 {
	rng := generator(seed, 0xbabb1e)
	y := make([]float32, n)
	if len(voices) == 0 {
		return y
	}
	for range talkers {
		v := voices[rng.IntN(len(voices))]
		if len(v) == 0 {
			continue
		}
		g := float32(math.Pow(10, (8*rng.Float64()-4)/20))
		at := rng.IntN(len(v))
		for i := range y {
			y[i] += g * v[at]
			if at++; at == len(v) {
				at = 0
			}
		}
	}
	y = LowPass(y, rate, 2500, 1)
	return ToLevel(Reverb(y, rate, 0.5, seed), levelDBov)
}

// Reverb gives the sound of x as heard from afar in a room with the given time to fall by
// 60 dB, in seconds: four feedback combs of unlike length and two all-passes (Schroeder).
func Reverb(x []float32, rate int, t60 float64, seed uint64) []float32 {
	rng := generator(seed, 0x7e7e7b)
	y := make([]float32, len(x))
	for _, ms := range []float64{29.7, 37.1, 41.1, 43.7} {
		delay := max(1, int((ms+2*rng.Float64())*float64(rate)/1000))
		g := float32(math.Pow(10, -3*float64(delay)/float64(rate)/t60))
		line := make([]float32, delay)
		at := 0
		for i, v := range x {
			out := line[at]
			line[at] = v + g*out
			y[i] += out / 4
			if at++; at == delay {
				at = 0
			}
		}
	}
	for _, ms := range []float64{5, 1.7} {
		delay := max(1, int(ms*float64(rate)/1000))
		line := make([]float32, delay)
		at := 0
		for i, v := range y {
			out := line[at] - 0.7*v
			line[at] = v + 0.7*out
			y[i] = out
			if at++; at == delay {
				at = 0
			}
		}
	}
	return y
}

// Wind gives n samples of wind on a microphone at a level in dBov: rumble below 150 Hz in
// gusts.
func Wind(n, rate int, levelDBov float64, seed uint64) []float32 {
	rng := generator(seed, 0x317d)
	y := LowPass(Noise(n, 0, seed), rate, 150, 2)
	gust, target := 0.0, 0.0
	for i := range y {
		if i%(rate/4) == 0 {
			target = math.Max(0.02, rng.NormFloat64()*0.6+0.4)
		}
		gust += (target - gust) / (0.2 * float64(rate))
		y[i] *= float32(gust)
	}
	return ToLevel(y, levelDBov)
}
