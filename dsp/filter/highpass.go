package filter

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// HighPass is a fourth-order Butterworth high-pass: -3 dB at its corner, 24 dB an
// octave below. It takes rumble, mains fundamentals and any constant offset out of
// what a meter sees. Broken samples read as 0 (dsp.Sample).
type HighPass struct {
	gain     float64
	sections [2]section
}

// section is one pole pair as a state-variable filter: its output is the input less
// what is in second, and first and second are the output's first and second sums,
//
//	v = u - second;  second += slow*first + fast*v;  first += v
//
// which is (1-z⁻¹)²/(1+a1·z⁻¹+a2·z⁻²) with slow = 1+a1+a2 and fast = 2+a1. Nothing else
// stands between one sample's output and the next's, so that it runs twice as fast as a
// direct form, and the sums, small near the corner, lose no precision.
type section struct {
	slow, fast    float64
	first, second float64
}

// antiDenormal is a constant added to the input: inaudible at -500 dB, removed by the
// filter itself, but it keeps a decaying state out of the slow subnormal range.
const antiDenormal = 1e-25

// coarse is added to the output and taken off again, which rounds what is left of silence
// to 0, or to 2e-19 at least: then its square is no subnormal float32 either.
const coarse = 1.0 / 1024

// NewHighPass makes a high-pass with its corner at hz for a sample rate in Hz.
func NewHighPass(rate int, hz float64) *HighPass {
	h := &HighPass{gain: 1}
	k := math.Tan(math.Pi * hz / float64(rate)) // bilinear transform, pre-warped
	for i := range h.sections {
		// Pole pairs of a fourth-order Butterworth lie at 22.5 and 67.5 degrees.
		q := 1 / (2 * math.Cos(math.Pi/8*float64(2*i+1)))
		norm := 1 / (1 + k/q + k*k)
		h.gain *= norm
		h.sections[i] = section{slow: 4 * k * k * norm, fast: 2 * k * (1/q + 2*k) * norm}
	}
	return h
}

// Reset forgets what was heard.
func (h *HighPass) Reset() {
	for i := range h.sections {
		h.sections[i].first, h.sections[i].second = 0, 0
	}
}

// Process filters src into dst, which must be as long; they may be the same slice.
func (h *HighPass) Process(dst, src []float32) {
	dst = dst[:len(src)]
	gain, a, b := h.gain, h.sections[0], h.sections[1] // in registers
	for i, x := range src {
		u := float64(dsp.Sample(x))*gain + antiDenormal
		v := u - a.second
		a.second = (a.second + a.slow*a.first) + a.fast*v
		a.first += v
		y := v - b.second
		b.second = (b.second + b.slow*b.first) + b.fast*y
		b.first += y
		dst[i] = float32((y + coarse) - coarse)
	}
	h.sections[0], h.sections[1] = a, b
}
