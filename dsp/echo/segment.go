package echo

import (
	"math"
	"math/cmplx"
)

// A segment is up to two seconds: a clock that is 50 ppm off turns 1 kHz by a tenth of
// a period in that time, so that products of spectra still add up.
const (
	segmentSpan   = 100 // blocks from its first to its last
	segmentBlocks = 40  // of far-only talk in one
	segmentLeast  = 10  // fewer tell nothing
)

const (
	leastEnergy = 1e-8 // -80 dBov: below, a near block is as good as silent
	tail        = 1e-4 // near blocks this much softer than the far end was weigh no more: the echo has all but faded
	echoShare   = 0.2  // of the near end's energy that one lag explains where what it hears is an echo
	afterTalk   = 5    // blocks after such near speech that do not count either
	geigel      = 0.25 // near blocks louder than 6 dB under the far end are near speech
)

// segment collects products of near and far spectra at every lag. Near blocks are weighed
// by the inverse of their energy, so that what noise and double talk there is in a block
// counts no more than what is in a quiet one.
type segment struct {
	began, blocks int
	talk          int     // blocks in which the near end's detector heard speech, be it the echo
	nearPower     float64 // weighed energy of the near blocks
	re, im        [lags][maxBins]float32
	power         [lags][maxBins]float32 // weighed energy of the far blocks
	// Products of far blocks with those 0 to taps-1 before, and the energy of those.
	selfRe, selfIm, selfPower [taps][maxBins]float32
}

func (s *segment) start(at int) { *s = segment{began: at} }

func lagOf(i int) int {
	if i < searched {
		return firstLag + i
	}
	return controlLag + i - searched
}

func (s *segment) add(m *Meter, b *nearBlock, at int, loudest float32) {
	n := m.grid.n
	weight := 1 / (b.energy + tail*loudest + leastEnergy)
	var yr, yi [maxBins]float32
	for k := range n {
		yr[k], yi[k] = b.re[k]*weight, b.im[k]*weight
	}
	for i := range lags {
		x := &m.far[(at-lagOf(i))&(farRing-1)]
		re, im, power := &s.re[i], &s.im[i], &s.power[i]
		for k := 0; k < maxBins; k++ {
			xr, xi := x.re[k], x.im[k]
			re[k] += yr[k]*xr + yi[k]*xi
			im[k] += yi[k]*xr - yr[k]*xi
			power[k] += weight * x.power[k]
		}
	}
	x := &m.far[at&(farRing-1)]
	for d := range taps {
		z := &m.far[(at-d)&(farRing-1)]
		re, im, power := &s.selfRe[d], &s.selfIm[d], &s.selfPower[d]
		for k := range maxBins {
			re[k] += x.re[k]*z.re[k] + x.im[k]*z.im[k]
			im[k] += x.im[k]*z.re[k] - x.re[k]*z.im[k]
			power[k] += z.power[k]
		}
	}
	s.nearPower += float64(weight * b.energy)
	s.blocks++
	if b.speech {
		s.talk++
	}
}

// farOnly says that the segment tells of the far end alone: where the near end's detector hears
// speech all along, that must be the echo.
func (s *segment) farOnly(n int) bool {
	if s.blocks < segmentLeast {
		return false
	}
	if 2*s.talk <= s.blocks {
		return true
	}
	best := 0.0
	for i := range searched {
		best = max(best, s.single(i, n))
	}
	return best > echoShare*s.nearPower
}

// ridge keeps the least squares from leaning on what hardly differs from lag to lag.
const ridge = 0.05

// factor is the Cholesky factor of the far end's correlation from lag to lag in one bin.
type factor [taps][taps]complex128

func (s *segment) factor(k int) (l factor) {
	var rho [taps]complex128 // of a block with the one d before
	rho[0] = 1 + ridge
	for d := 1; d < taps; d++ {
		if p := math.Sqrt(float64(s.selfPower[0][k]) * float64(s.selfPower[d][k])); p > 0 {
			rho[d] = complex(float64(s.selfRe[d][k])/p, float64(s.selfIm[d][k])/p)
		}
	}
	for i := range taps {
		for j := 0; j <= i; j++ {
			sum := rho[i-j]
			for m := range j {
				sum -= l[i][m] * cmplx.Conj(l[j][m])
			}
			if i == j {
				if real(sum) < ridge { // this tap tells nothing that those before did not
					sum = complex(math.Inf(1), 0)
				}
				l[i][i] = complex(math.Sqrt(real(sum)), 0)
				continue
			}
			if !math.IsInf(real(l[j][j]), 1) {
				l[i][j] = sum / l[j][j]
			}
		}
	}
	return l
}

// explained gives the weighed energy in one bin of the near blocks that the taps from lag
// index i on explain by least squares.
func (s *segment) explained(l *factor, i, k int) float64 {
	var z [taps]complex128
	energy := 0.0
	for a := range taps {
		power := float64(s.power[i+a][k])
		if power <= 0 {
			continue
		}
		if math.IsInf(real(l[a][a]), 1) {
			continue
		}
		sum := complex(float64(s.re[i+a][k]), float64(s.im[i+a][k])) / complex(math.Sqrt(power), 0)
		for b := range a {
			sum -= l[a][b] * z[b]
		}
		z[a] = sum / l[a][a]
		energy += real(z[a])*real(z[a]) + imag(z[a])*imag(z[a])
	}
	return energy
}

// single gives the same for one tap alone, summed over the bins.
func (s *segment) single(i, n int) float64 {
	sum := 0.0
	re, im, power := &s.re[i], &s.im[i], &s.power[i]
	for k := range n {
		if power[k] > 0 {
			sum += float64((re[k]*re[k] + im[k]*im[k]) / power[k])
		}
	}
	return sum
}
