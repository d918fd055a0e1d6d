package lowband

import (
	"fmt"
	"math"
	"slices"

	"github.com/headroom-voice/headroom/dsp"
)

const target = 2000 // Hz, of the output, as near as a whole factor allows

// Decimator makes the low band of one signal. It is not safe for concurrent use.
type Decimator struct {
	rate   int
	factor int
	norm   float32
	group  []float32 // samples of the group under way, where a block did not end with it
	rising float32   // what the last whole group adds to the next output
	whole  bool      // there is a last group
}

// New makes a Decimator for a sample rate in Hz: 4000 to 192000.
func New(rate int) (*Decimator, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("lowband: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	factor := (rate + target/2) / target
	return &Decimator{
		rate: rate, factor: factor, norm: 1 / float32(factor*factor), group: make([]float32, 0, factor),
	}, nil
}

// Rate is the output's sample rate in Hz, 1600 to 2400.
func (d *Decimator) Rate() float64 { return float64(d.rate) / float64(d.factor) }

// Cap is how many samples n samples of input give at most.
func (d *Decimator) Cap(n int) int { return n/d.factor + 1 }

// Gain is the power that passes of a tone of hz, 0..1.
func (d *Decimator) Gain(hz float64) float64 {
	half := math.Pi * hz / float64(d.rate)
	if half == 0 {
		return 1
	}
	box := math.Sin(half*float64(d.factor)) / (float64(d.factor) * math.Sin(half))
	return box * box * box * box
}

// Gap says that samples are missing between the last and the next.
func (d *Decimator) Gap() { d.group, d.whole = d.group[:0], false }

// Reset starts again as if new.
func (d *Decimator) Reset() { d.Gap() }

// Process appends the low band of the next samples, full scale ±1, to dst. Broken ones
// count as 0 (dsp.Sample).
func (d *Decimator) Process(dst, src []float32) []float32 {
	n := d.factor
	if have := len(d.group); have > 0 {
		part := min(n-have, len(src))
		d.group = append(d.group, src[:part]...)
		src = src[part:]
		if len(d.group) < n {
			return dst
		}
		dst = d.take(dst, d.group)
		d.group = d.group[:0]
	}
	if d.whole && len(src) >= n {
		dst = d.takeAll(dst, src[:len(src)-len(src)%n])
		src = src[len(src)-len(src)%n:]
	}
	for len(src) >= n {
		dst = d.take(dst, src[:n])
		src = src[n:]
	}
	d.group = append(d.group, src...)
	return dst
}

// takeAll is take for whole groups, one after the other.
func (d *Decimator) takeAll(dst, src []float32) []float32 {
	n, norm, up, rising := d.factor, d.norm, float32(d.factor+1), d.rising
	at := len(dst)
	dst = slices.Grow(dst, len(src)/n)[:at+len(src)/n]
	for i := range dst[at:] {
		sum, falling := sums(src[i*n : i*n+n])
		dst[at+i] = (rising + falling - sum) * norm
		rising = up*sum - falling
	}
	d.rising = rising
	return dst
}

// take puts one group of samples through the triangle: weights n..1 on the way down of
// the last output, 1..n on the way up of the next.
func (d *Decimator) take(dst, group []float32) []float32 {
	sum, falling := sums(group)
	if d.whole {
		dst = append(dst, (d.rising+falling-sum)*d.norm)
	}
	d.rising, d.whole = float32(len(group)+1)*sum-falling, true
	return dst
}

// sums gives the sum of the samples and the sum of all sums on the way.
func sums(group []float32) (sum, falling float32) {
	if len(group) == 8 { // at 16 kHz; eight at a time need not wait for each other
		g := (*[8]float32)(group)
		ab, cd, ef, gh := g[0]+g[1], g[2]+g[3], g[4]+g[5], g[6]+g[7]
		abcd, efgh := ab+cd, ef+gh
		sum = abcd + efgh
		falling = 4*abcd + 2*(ab+ef) + (g[0] + g[2]) + (g[4] + g[6]) + sum
	} else {
		for _, x := range group {
			sum += x
			falling += sum
		}
	}
	if sum > -1 && sum < 1 {
		return sum, falling
	}
	sum, falling = 0, 0 // loud, or broken
	for _, x := range group {
		sum += dsp.Sample(x)
		falling += sum
	}
	return sum, falling
}
