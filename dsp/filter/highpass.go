package filter

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// HighPass is a fourth-order Butterworth high-pass: -3 dB at its corner, 24 dB an
// octave below. It takes rumble, mains fundamentals and any constant offset out of
// what a meter sees. Broken samples read as 0 (dsp.Sample).
type HighPass struct {
	sections [2]section
}

// section is a biquad in transposed direct form II.
type section struct {
	b0, b1, b2, a1, a2 float64
	s1, s2             float64
}

// antiDenormal is a constant added to the input: inaudible at -500 dB, removed by the
// filter itself, but it keeps a decaying state out of the slow subnormal range.
const antiDenormal = 1e-25

// NewHighPass makes a high-pass with its corner at hz for a sample rate in Hz.
func NewHighPass(rate int, hz float64) *HighPass {
	h := &HighPass{}
	k := math.Tan(math.Pi * hz / float64(rate)) // bilinear transform, pre-warped
	for i := range h.sections {
		// Pole pairs of a fourth-order Butterworth lie at 22.5 and 67.5 degrees.
		q := 1 / (2 * math.Cos(math.Pi/8*float64(2*i+1)))
		norm := 1 / (1 + k/q + k*k)
		h.sections[i] = section{
			b0: norm, b1: -2 * norm, b2: norm,
			a1: 2 * (k*k - 1) * norm,
			a2: (1 - k/q + k*k) * norm,
		}
	}
	return h
}

// Reset forgets what was heard.
func (h *HighPass) Reset() {
	for i := range h.sections {
		h.sections[i].s1, h.sections[i].s2 = 0, 0
	}
}

// Process filters src into dst, which must be as long; they may be the same slice.
func (h *HighPass) Process(dst, src []float32) {
	dst = dst[:len(src)]
	a, b := h.sections[0], h.sections[1] // in registers
	for i, x := range src {
		u := float64(dsp.Sample(x)) + antiDenormal
		v := a.b0*u + a.s1
		a.s1 = a.b1*u - a.a1*v + a.s2
		a.s2 = a.b2*u - a.a2*v
		y := b.b0*v + b.s1
		b.s1 = b.b1*v - b.a1*y + b.s2
		b.s2 = b.b2*v - b.a2*y
		dst[i] = float32(y)
	}
	h.sections[0], h.sections[1] = a, b
}
