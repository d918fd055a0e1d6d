package vad

import (
	"math"

	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// edges of the bands in Hz: about a critical band each (E. Zwicker 1961), from above the
// strongest mains hum to the end of wide-band telephony.
var edges = [...]float64{
	150, 250, 350, 450, 560, 680, 810, 960, 1130, 1320, 1530, 1770,
	2050, 2370, 2740, 3170, 3700, 4500, 5600, 7000,
}

// bands is how many there are; at a low rate the uppermost have no bins.
const bands = len(edges) - 1

// lowestBin is a power that each bin has at least, so that digital silence is not
// infinitely quiet: -93 dBov in all at 16 kHz, a little above what 16 bits can hold [A].
const lowestBin = 2e-12

// levels holds a value for each band.
type levels [bands]float32

// layout says which bins belong to each band.
type layout struct {
	n     int // bands in use
	start [bands + 1]int
}

// newLayout lays the bands over the bins of a signal at a rate in Hz.
func newLayout(rate int, binHz float64) layout {
	var l layout
	for i, hz := range edges {
		l.start[i] = int(math.Ceil(hz / binHz))
		if hz < 0.48*float64(rate) {
			l.n = i
		}
	}
	return l
}

// power sums up the bins of each band, and gives the sum of all.
func (l *layout) power(to *levels, f *spectrum.Frame) (all float32) {
	for b := range l.n {
		bins := f.Power[l.start[b]:l.start[b+1]]
		sum, odd := lowestBin*float32(len(bins)), float32(0)
		for len(bins) >= 2 { // two sums, since each has to wait for its last addition
			sum += bins[0]
			odd += bins[1]
			bins = bins[2:]
		}
		if len(bins) > 0 {
			sum += bins[0]
		}
		sum += odd
		to[b] = sum
		all += sum
	}
	return all
}

// log2 is the binary logarithm of a positive x, to 0.01.
func log2(x float32) float32 {
	bits := math.Float32bits(x)
	exponent := float32(int32(bits>>23) - 127)
	m := math.Float32frombits(bits&0x7fffff | 0x3f800000) // 1 to 2
	return exponent + (2-m*(1./3))*m - 1.6636             // within 0.01 of the logarithm of m
}
