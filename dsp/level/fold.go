package level

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// The envelope is far slower than the samples: 0.03 s. P.56 is content with 694 values a
// second; here a few samples in a row, a group, go into it as their mean magnitude.
const (
	groupRate = 4000 // groups a second, or up to twice as many
	maxGroups = 96   // taken at once: 20 ms and some more
)

// group is some samples in a row.
type group struct {
	samples   int
	magnitude float32 // sum of |x|
	sum       float32
	squares   float32
}

func (g *group) add(x float32) {
	g.samples++
	g.magnitude += abs(x)
	g.sum += x
	g.squares += x * x
}

func abs(x float32) float32 { return math.Float32frombits(math.Float32bits(x) & magnitude) }

// The samples' bits without their sign sort as the samples do.
const (
	magnitude  = 1<<31 - 1
	brokenFrom = 0x41000000 // dsp.MaxSample: that and all above it, not-a-number too, is broken
)

// sums is what whole groups add up to, and the largest |sample|, as the bits of a float32.
type sums struct {
	sum, squares float64
	peak         uint32
}

// most is how many samples complete maxGroups groups at most.
func (t *timing) most() int { return (maxGroups - 1) * t.size }

// fold sums up the next samples, and gives the magnitude of each group that they complete.
func (s *signal) fold(to *[maxGroups]float32, x []float32, size int) []float32 {
	n := 0
	single := func(v float32) {
		v = dsp.Sample(v)
		s.peak = max(s.peak, math.Float32bits(v)&magnitude)
		s.part.add(v)
		if s.part.samples == size {
			to[n] = s.endGroup()
			n++
		}
	}
	for len(x) > 0 && s.part.samples > 0 {
		single(x[0])
		x = x[1:]
	}
	whole := x[:len(x)-len(x)%size]
	before := s.sums
	if size == 4 {
		s.foldFours(to[n:], whole)
	} else {
		s.foldGroups(to[n:], whole, size)
	}
	if s.peak >= brokenFrom { // one at a time, then
		s.sums = before
		for _, v := range whole {
			single(v)
		}
	} else {
		n += len(whole) / size
	}
	for _, v := range x[len(whole):] {
		single(v)
	}
	return to[:n]
}

// endGroup counts the group under way, and gives its magnitude.
func (s *signal) endGroup() float32 {
	g := s.part
	s.part = group{}
	s.sum += float64(g.sum)
	s.squares += float64(g.squares)
	return g.magnitude
}

// foldGroups takes whole groups. A broken sample shows in the peak, and spoils the sums.
func (s *signal) foldGroups(to []float32, x []float32, size int) {
	n := len(x) / size
	for i := range to[:n] {
		var g group
		peak := s.peak
		for _, v := range x[i*size : (i+1)*size] {
			peak = max(peak, math.Float32bits(v)&magnitude)
			g.add(v)
		}
		s.peak, s.part = peak, g
		to[i] = s.endGroup()
	}
}

// foldFours is foldGroups for groups of four, as at 16 kHz.
func (s *signal) foldFours(to []float32, x []float32) {
	n := len(x) / 4
	sum, squares, peak := s.sum, s.squares, s.peak
	for i := range to[:n] {
		four := (*[4]float32)(x)
		x = x[4:]
		ma, mb := math.Float32bits(four[0])&magnitude, math.Float32bits(four[1])&magnitude
		mc, md := math.Float32bits(four[2])&magnitude, math.Float32bits(four[3])&magnitude
		peak = max(peak, max(max(ma, mb), max(mc, md)))
		to[i] = math.Float32frombits(ma) + math.Float32frombits(mb) + math.Float32frombits(mc) + math.Float32frombits(md)
		a, b, c, d := four[0], four[1], four[2], four[3]
		sum += float64(a + b + c + d)
		squares += float64(a*a + b*b + c*c + d*d)
	}
	s.sums = sums{sum, squares, peak}
}

// total is counts with the group under way.
func (s *signal) total() Counts {
	c := s.counts
	c.Sum = s.sum + float64(s.part.sum)
	c.SquareSum = s.squares + float64(s.part.squares)
	c.Peak = float64(math.Float32frombits(s.peak))
	return c
}
