package echo

import (
	"math"

	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// The band that is compared, from the lowest voices up: what comes back of them below 300 Hz
// is as strong as the rest. Below densest every bin counts, since most of the speech is
// there; above, pairs of neighbours.
const (
	lowHz     = 125
	densestHz = 1000
	highHz    = 3400
)

// bins says which bins of a spectrum are compared, and what the spectrum's window does to
// a delay that is no whole number of blocks.
type bins struct {
	n     int
	at    [maxBins]int     // ascending
	width [maxBins]float64 // bins that each stands for
	binHz float64
	seen  [overlapSteps + 1]float64 // share of an echo that the taps can explain, by overlapOf
}

// overlapSteps divide half a block, the most that a delay is off a whole number of them.
const overlapSteps = 20

func (g *bins) choose(s *spectrum.Analyzer) {
	g.binHz = s.BinHz()
	low, high := int(math.Ceil(lowHz/g.binHz)), int(math.Ceil(highHz/g.binHz))
	dense := min(int(math.Ceil(densestHz/g.binHz)), low+maxBins/2)
	for k := low; k < dense; k++ {
		g.at[g.n] = k
		g.n++
	}
	pairs := (maxBins - g.n) / 2
	for p := range pairs {
		k := dense + p*(high-2-dense)/(pairs-1)
		g.at[g.n], g.at[g.n+1] = k, k+1
		g.n += 2
	}
	for i := range g.n {
		g.width[i] = 1
		if g.at[i] >= dense {
			g.width[i] = float64(high-dense) / float64(2*pairs)
		}
	}
}

// overlap finds how much of a white signal, delayed by up to half a block, its own blocks
// explain: windows that hardly overlap leave out what falls between them.
func (g *bins) overlap(s *spectrum.Analyzer) {
	n := 2 * (s.Bins() - 1)
	correlation := func(shift int) float64 { // of the Hann window with itself
		sum, norm := 0.0, 0.0
		for i := range n {
			w := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
			norm += w * w
			if j := i + shift; j < n {
				sum += w * (0.5 - 0.5*math.Cos(2*math.Pi*(float64(j)+0.5)/float64(n)))
			}
		}
		return sum / norm
	}
	for i := range g.seen {
		off := s.Hop() * i / (2 * overlapSteps)
		a, b := correlation(off), correlation(s.Hop()-off)
		r := correlation(s.Hop())
		g.seen[i] = min(1, (a*a+b*b-2*a*b*r)/(1-r*r)) // least squares on two taps
	}
}

// energy adds up the bins of f.
func (g *bins) energy(f *spectrum.Frame) float32 {
	sum := float32(0)
	for _, k := range g.at[:g.n] {
		sum += f.Power[k]
	}
	return sum
}

// take copies the bins of f.
func (g *bins) take(re, im *[maxBins]float32, f *spectrum.Frame) {
	for i, k := range g.at[:g.n] {
		re[i], im[i] = f.Re[k], f.Im[k]
	}
}
