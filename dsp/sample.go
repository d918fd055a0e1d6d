package dsp

import "math"

// MaxSample is the largest amplitude that is taken for audio: 18 dB above full scale,
// which float recordings reach. What lies beyond, and what is not a number, is a
// broken sample.
const MaxSample = 8

// Sample gives x, or 0 where x is not a number, infinite or beyond MaxSample, so that
// one broken sample poisons no meter.
func Sample(x float32) float32 {
	if x > -MaxSample && x < MaxSample {
		return x
	}
	return 0
}

// Intact says whether no sample of x is broken: whether Sample would change none. It takes
// much less time than Sample takes for them all.
func Intact(x []float32) bool {
	// The highest bit of the exponent is set from an amplitude of 2 on, and in what is no
	// number: a recording that stays below takes no second look.
	const from2 = 1 << 30
	var a, b uint32
	rest := x
	for len(rest) >= 8 {
		r := (*[8]float32)(rest)
		a |= math.Float32bits(r[0]) | math.Float32bits(r[1]) | math.Float32bits(r[2]) | math.Float32bits(r[3])
		b |= math.Float32bits(r[4]) | math.Float32bits(r[5]) | math.Float32bits(r[6]) | math.Float32bits(r[7])
		rest = rest[8:]
	}
	for _, s := range rest {
		a |= math.Float32bits(s)
	}
	if (a|b)&from2 == 0 {
		return true
	}
	for _, s := range x {
		if Sample(s) != s { // also of what is no number
			return false
		}
	}
	return true
}

// Samples copies src to dst, which is as long or longer, broken samples as 0. They may be
// the same slice.
func Samples(dst, src []float32) {
	dst = dst[:len(src)]
	if Intact(src) {
		copy(dst, src)
		return
	}
	for i, s := range src {
		dst[i] = Sample(s)
	}
}
