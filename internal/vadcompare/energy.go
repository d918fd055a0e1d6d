package main

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// energy is the detector that dsp/vad had first: a frame is speech when its level stands
// clear of the least level of the last three seconds, three frames in a row, and it is not
// predicted by the four samples before each as tones are.
type energy struct {
	noise       minimum
	above, hang int
	gain, level float64 // of the frame before
}

func (d *energy) next(x []float32) bool {
	const start, stay, lowest = 9.0, 5.0, -62.0 // dB
	level := dsp.PowerDBov(math.Pow(10, dBov(x)/10))
	gain := predictionGain(x)
	tonal := gain > 40 || gain > 20 && d.gain > 20 && math.Abs(level-d.level) < 0.5
	d.gain, d.level = gain, level
	noise := d.noise.next(level)
	if !tonal && level > max(noise+start, lowest) {
		d.above++
	} else {
		d.above = 0
	}
	switch {
	case d.above >= 3, d.hang > 0 && !tonal && level > max(noise+stay, lowest):
		d.hang = 8
	case d.hang > 0:
		d.hang--
	}
	return d.hang > 0 && !tonal
}

// minimum is the least of the last eight stretches of 20 levels, each smoothed by the
// median of three.
type minimum struct {
	levels []float64
}

func (m *minimum) next(level float64) float64 {
	m.levels = append(m.levels, level)
	n := len(m.levels)
	least := math.Inf(1)
	for i := max(0, (n-1)/20*20-140); i < n; i++ {
		a, b, c := m.levels[i], m.levels[max(0, i-1)], m.levels[max(0, i-2)]
		least = min(least, max(min(a, b), min(max(a, b), c)))
	}
	return least
}

// predictionGain is how well four samples predict the next at half the rate, in dB
// (covariance method).
func predictionGain(x []float32) float64 {
	const order = 4
	var y []float64
	for i := 0; i < len(x); i += 2 {
		y = append(y, float64(x[i]))
	}
	var phi [order + 1][order + 1]float64
	for n := order; n < len(y); n++ {
		for i := range phi {
			for j := range phi {
				phi[i][j] += y[n-i] * y[n-j]
			}
		}
	}
	if phi[0][0] < 1e-9*float64(len(y)) {
		return 0
	}
	left := phi[0][0]
	for k := 1; k <= order; k++ {
		phi[k][k] *= 1 + 1e-9 // a single sine leaves the matrix singular
	}
	for k := 1; k <= order; k++ { // each pivot explains its share
		if phi[k][k] <= 0 {
			break
		}
		left -= phi[0][k] * phi[0][k] / phi[k][k]
		for i := k + 1; i <= order; i++ {
			f := phi[i][k] / phi[k][k]
			phi[0][i] -= f * phi[0][k]
			for j := k + 1; j <= order; j++ {
				phi[i][j] -= f * phi[k][j]
			}
		}
	}
	return -10 * math.Log10(max(1e-12, left/phi[0][0]))
}
