package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
)

// The backgrounds, each of about 0 dBov, n samples long.

func white(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 11))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	return x
}

// pink falls by 3 dB an octave: the sum of one-pole low-passes an octave or so apart.
func pink(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 12))
	var state, keep, take [8]float64
	for k := range keep {
		keep[k] = math.Exp(-2 * math.Pi * 30 * math.Pow(2, float64(k)) / rate)
		take[k] = math.Sqrt(1 - keep[k]*keep[k])
	}
	x := make([]float32, n)
	for i := range x {
		sum := 0.0
		for k := range state {
			state[k] = keep[k]*state[k] + take[k]*r.NormFloat64()
			sum += state[k]
		}
		x[i] = float32(sum)
	}
	return atPower(x)
}

// hum is 50 Hz with harmonics; buzz a burst of a 216.7 Hz comb for a second in every two.
func hum(n int) []float32 {
	x := make([]float32, n)
	for h := 1; h <= 20; h++ {
		for i := range x {
			x[i] += float32(math.Sin(2*math.Pi*50*float64(h*i)/rate+float64(h*h))) / float32(h)
		}
	}
	return atPower(x)
}

func buzz(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		at := math.Mod(float64(i)/rate, 1/216.67) * 216.67
		if (i/rate)%2 == 0 && at < 0.125 {
			x[i] = 1
		}
	}
	return atPower(x)
}

// keyboard is somebody who types: clicks of a few milliseconds, down and up, through the
// body of a keyboard.
func keyboard(n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 13))
	x := make([]float32, n)
	click := func(at int, amp float64) {
		for _, f := range []float64{400, 1200, 2700, 4300} {
			f *= 0.8 + 0.4*r.Float64()
			decay := 0.002 + 0.006*r.Float64()
			a := amp * r.Float64()
			for k := 0; k < rate/25 && at+k < n; k++ {
				t := float64(k) / rate
				x[at+k] += float32(a * math.Exp(-t/decay) * math.Sin(2*math.Pi*f*t))
			}
		}
		for k := 0; k < rate/200 && at+k < n; k++ {
			x[at+k] += float32(amp * 0.5 * r.NormFloat64() * math.Exp(-float64(k)/rate/0.002))
		}
	}
	for at := 0; at < n; {
		amp := 0.5 + r.Float64()
		click(at, amp)
		click(at+int((0.06+0.06*r.Float64())*rate), amp/2)
		at += int((0.1 + 0.25*r.Float64()) * rate)
	}
	return atPower(x)
}

// dtmf is somebody who keys a number: 100 ms on, 100 ms off.
func dtmf(n int) []float32 {
	low, high := []float64{697, 770, 852, 941}, []float64{1209, 1336, 1477}
	x := make([]float32, n)
	for i := range x {
		k := i / (rate / 10)
		if k%2 == 1 {
			continue
		}
		t := float64(i) / rate
		x[i] = float32(math.Sin(2*math.Pi*low[k/2%4]*t) + math.Sin(2*math.Pi*high[k/2%3]*t))
	}
	return atPower(x)
}

// ringing is a British ring-back tone: 400 and 450 Hz in a cadence.
func ringing(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		t := float64(i) / rate
		if c := math.Mod(t, 3); c < 0.4 || c > 0.6 && c < 1 {
			x[i] = float32(math.Sin(2*math.Pi*400*t) + math.Sin(2*math.Pi*450*t))
		}
	}
	return atPower(x)
}

// songs is music on hold, 20 s of each piece.
func songs(n int) ([]float32, error) {
	files, err := filepath.Glob(filepath.Join(music, "*.wav"))
	if err != nil || len(files) == 0 {
		return nil, fmt.Errorf("no music in %s (asterisk-moh-opsound-wav)", music)
	}
	var x []float32
	for i := 0; len(x) < n; i++ {
		y, err := open(files[i%len(files)])
		if err != nil {
			return nil, err
		}
		x = append(x, atPower(y[30*rate:50*rate])...)
	}
	return x[:n], nil
}

// talk lines up what a voice said, one after the other, over and over.
func talk(v voice, n int, seed uint64) []float32 {
	r := rand.New(rand.NewPCG(seed, 14))
	var x []float32
	for len(x) < n {
		x = append(x, v.said[r.IntN(len(v.said))]...)
		x = append(x, make([]float32, r.IntN(rate/2))...)
	}
	return x[:n]
}

// babble is everybody but one, twice, all at once.
func babble(all []voice, but string, n int) []float32 {
	x := make([]float32, n)
	for i, v := range all {
		if v.name == but {
			continue
		}
		for k := range 2 {
			for j, s := range talk(v, n, uint64(10*i+k)) {
				x[j] += s
			}
		}
	}
	return atPower(x)
}

func atPower(x []float32) []float32 { return gain(x, -dBov(x)) }
