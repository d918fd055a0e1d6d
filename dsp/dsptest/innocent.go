package dsptest

import (
	"math"
	"slices"
)

// Keyboard gives n samples of typing near the microphone: strokes a second, each a knock
// of the key going down and a softer one coming up, peaks at an amplitude of peak.
func Keyboard(n, rate int, strokes, peak float64, seed uint64) []float32 {
	rng := generator(seed, 0x4e7)
	y := make([]float32, n)
	knock := func(at int, a float64) {
		ring := 900 + 2600*rng.Float64() // Hz, of the key's body
		decay := (0.003 + 0.009*rng.Float64()) * float64(rate)
		rise := max(1, rate/2000)
		for i := 0; i < int(6*decay) && at+i < n; i++ {
			t := float64(i)
			v := 0.5*rng.NormFloat64() + math.Sin(2*math.Pi*ring*t/float64(rate))
			v *= math.Exp(-t/decay) * min(1, t/float64(rise))
			y[at+i] += float32(0.6 * a * v)
		}
	}
	for at := 0; at < n; {
		at += int(rng.ExpFloat64() / strokes * float64(rate))
		a := peak * (0.4 + 0.6*rng.Float64())
		if at < n {
			knock(at, a)
		}
		if up := at + int((0.06+0.08*rng.Float64())*float64(rate)); up < n {
			knock(up, 0.4*a)
		}
	}
	return BandPass(y, rate, 300, 6000)
}

// Plosives adds the puff of air of a p or b on an open microphone at each place: a swing
// of 20 to 60 Hz that dies within 80 ms, with an amplitude of peak.
func Plosives(x []float32, rate int, places []int, peak float64, seed uint64) []float32 {
	rng := generator(seed, 0x9105)
	y := slices.Clone(x)
	for _, at := range places {
		hz := 20 + 40*rng.Float64()
		a := peak * (0.5 + 0.5*rng.Float64())
		for i := 0; i < rate/8 && at+i < len(y); i++ {
			t := float64(i) / float64(rate)
			y[at+i] += float32(a * math.Sin(2*math.Pi*hz*t) * math.Exp(-t/0.03) * min(1, t/0.004))
		}
	}
	return y
}

// Breath adds a breath, half a second of soft noise around 1 kHz, before each place, at a
// level in dBov while it lasts.
func Breath(x []float32, rate int, places []int, levelDBov float64, seed uint64) []float32 {
	y := slices.Clone(x)
	length := rate / 2
	for k, at := range places {
		air := ToLevel(BandPass(Noise(length, 0, seed+uint64(k)), rate, 400, 2500), levelDBov)
		for i, v := range air {
			if from := at - length + i; from >= 0 && from < len(y) {
				y[from] += v * float32(math.Sin(math.Pi*float64(i)/float64(length)))
			}
		}
	}
	return y
}
