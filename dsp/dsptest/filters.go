package dsptest

import "math"

// LowPass filters by a Butterworth low-pass of an order from 1 to 8 with its corner, 3 dB
// down, at hz.
func LowPass(x []float32, rate int, hz float64, order int) []float32 {
	y := make([]float32, len(x))
	copy(y, x)
	hz = min(hz, 0.49*float64(rate))
	k := math.Tan(math.Pi * hz / float64(rate))
	if order%2 == 1 {
		b, a := k/(1+k), (k-1)/(1+k)
		run(y, b, b, 0, a, 0)
	}
	for i := range order / 2 {
		q := 2 * math.Cos(math.Pi*(2*float64(i)+1+float64(order%2))/(2*float64(order)))
		if order%2 == 1 {
			q = 2 * math.Cos(math.Pi*float64(i+1)/float64(order))
		}
		norm := 1 / (1 + q*k + k*k)
		run(y, k*k*norm, 2*k*k*norm, k*k*norm, 2*(k*k-1)*norm, (1-q*k+k*k)*norm)
	}
	return y
}

// Muffle is LowPass under the name of its fault: a covered or worn capsule loses its
// highs from a corner on, 6 dB an octave for each order.
func Muffle(x []float32, rate int, hz float64, order int) []float32 {
	return LowPass(x, rate, hz, order)
}

// highPass1 takes what lies below hz away, 6 dB an octave.
func highPass1(x []float32, rate int, hz float64) []float32 {
	low := LowPass(x, rate, hz, 1)
	for i, v := range x {
		low[i] = v - low[i]
	}
	return low
}

// BandPass keeps what lies between two frequencies, 12 dB an octave outside.
func BandPass(x []float32, rate int, low, high float64) []float32 {
	y := highPass1(highPass1(x, rate, low), rate, low)
	return LowPass(y, rate, high, 2)
}

// run filters in place by a biquad, a0 being 1.
func run(x []float32, b0, b1, b2, a1, a2 float64) {
	var s1, s2 float64
	for i, v := range x {
		in := float64(v) + 1e-25 // keeps a decaying state out of the slow subnormals
		out := b0*in + s1
		s1 = b1*in - a1*out + s2
		s2 = b2*in - a2*out
		x[i] = float32(out)
	}
}
