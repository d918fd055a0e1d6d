package dsptest

import (
	"math"
	"slices"
)

// frameLevels gives the level in dBov of each 20 ms of x.
func frameLevels(x []float32, rate int) []float64 {
	frame := rate / 50
	levels := make([]float64, len(x)/frame)
	for i := range levels {
		levels[i] = RMS(x[i*frame : (i+1)*frame])
	}
	return levels
}

// Spoken finds n instants inside speech, as sample indices in order, at least apart
// seconds from each other and from both ends: where a 20 ms frame and both its neighbours
// stand within 12 dB of the loudest tenth. There are fewer than n where speech has no
// room for them.
func Spoken(speech []float32, rate, n int, apart float64, seed uint64) []int {
	levels := frameLevels(speech, rate)
	if len(levels) < 3 {
		return nil
	}
	sorted := slices.Clone(levels)
	slices.Sort(sorted)
	threshold := sorted[len(sorted)*9/10] - 12
	var candidates []int
	for i := 1; i < len(levels)-1; i++ {
		if min(levels[i-1], levels[i], levels[i+1]) >= threshold {
			candidates = append(candidates, i*(rate/50)+rate/100)
		}
	}
	return choose(candidates, n, int(apart*float64(rate)), len(speech), seed)
}

// Anywhere draws n instants, as sample indices in order, at least apart seconds from each
// other and from both ends.
func Anywhere(length, rate, n int, apart float64, seed uint64) []int {
	candidates := make([]int, 0, length*100/rate+1)
	for at := 0; at < length; at += max(1, rate/100) {
		candidates = append(candidates, at)
	}
	return choose(candidates, n, int(apart*float64(rate)), length, seed)
}

// choose draws from candidates what keeps the distance.
func choose(candidates []int, n, apart, length int, seed uint64) []int {
	rng := generator(seed, 0x91ace)
	var chosen []int
	for _, k := range rng.Perm(len(candidates)) {
		if len(chosen) >= n {
			break
		}
		at := candidates[k]
		if at < apart || at >= length-apart {
			continue
		}
		i, _ := slices.BinarySearch(chosen, at)
		if i > 0 && at-chosen[i-1] < apart || i < len(chosen) && chosen[i]-at < apart {
			continue
		}
		chosen = slices.Insert(chosen, i, at)
	}
	return chosen
}

// Hole is what a drop-out leaves.
type Hole int

// The holes: digital silence at once; silence with edges of 2 ms; the last sample held; a
// fall of 40 dB.
const (
	Zeros Hole = iota
	Faded
	HeldSample
	Attenuated
)

// DropOut takes length samples away at each place.
func DropOut(x []float32, places []int, length int, hole Hole) []float32 {
	y := slices.Clone(x)
	for _, at := range places {
		end := min(len(y), at+length)
		for i := at; i < end; i++ {
			switch hole {
			case Zeros:
				y[i] = 0
			case Faded:
				y[i] *= 1 - edge(i-at, end-at, min(32, length/4))
			case HeldSample:
				y[i] = x[at]
			case Attenuated:
				y[i] *= 0.01
			}
		}
	}
	return y
}

// Crackle adds a cluster of one to clicks clicks at each place, within 40 ms: each 3 to 20
// samples long, broad-band, up to an amplitude of peak.
func Crackle(x []float32, rate int, places []int, clicks int, peak float64, seed uint64) []float32 {
	rng := generator(seed, 0xc11c)
	y := slices.Clone(x)
	for _, at := range places {
		for c := range 1 + rng.IntN(max(1, clicks)) {
			start := at
			if c > 0 {
				start += rng.IntN(rate / 25)
			}
			length := 3 + rng.IntN(18)
			a := peak * (0.6 + 0.4*rng.Float64())
			if c == 0 {
				a = peak
			}
			if rng.IntN(2) == 0 {
				a = -a
			}
			for i := range length {
				if start+i >= len(y) {
					break
				}
				shape := math.Exp(-3*float64(i)/float64(length)) * (1 - 2*float64(i%2)*rng.Float64())
				y[start+i] += float32(a * shape)
			}
		}
	}
	return y
}

// Repeat plays the length samples before each place once more (and again, times in all)
// in place of what would follow, as a driver does that missed a buffer.
func Repeat(x []float32, places []int, length, times int) []float32 {
	y := slices.Clone(x)
	for _, at := range places {
		for i := range length * times {
			if from := at - length + i%length; from >= 0 && at+i < len(y) {
				y[at+i] = x[from]
			}
		}
	}
	return y
}

// Slip leaves samples out at each place or, where their number is negative, says as many
// twice. The end is cut or filled up with what x ends with, so that the length stays.
func Slip(x []float32, places []int, samples int) []float32 {
	y := make([]float32, 0, len(x)+max(0, -samples)*len(places))
	from := 0
	for _, at := range places {
		at = max(from, min(at, len(x)))
		y = append(y, x[from:at]...)
		from = max(0, min(len(x), at+samples))
	}
	y = append(y, x[from:]...)
	for i := len(y); i < len(x); i++ {
		y = append(y, x[i])
	}
	return y[:len(x)]
}

// Silence gives digital silence from one time to another, in samples.
func Silence(x []float32, from, to int) []float32 {
	y := slices.Clone(x)
	clear(y[max(0, from):min(len(y), to)])
	return y
}

// Freeze repeats the sample at from until to.
func Freeze(x []float32, from, to int) []float32 {
	y := slices.Clone(x)
	for i := max(0, from); i < min(len(y), to); i++ {
		y[i] = x[max(0, from)]
	}
	return y
}

// Loss draws which of n packets are lost: a share of them on the average, in bursts of a
// mean length (Gilbert's two states).
func Loss(n int, share, burst float64, seed uint64) []bool {
	rng := generator(seed, 0x1055)
	lost := make([]bool, n)
	if share <= 0 {
		return lost
	}
	leave := 1 / max(1, burst)
	enter := leave * share / max(1e-9, 1-share)
	bad := false
	for i := range lost {
		if bad {
			bad = rng.Float64() >= leave
		} else {
			bad = rng.Float64() < enter
		}
		lost[i] = bad
	}
	return lost
}
