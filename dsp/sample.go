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
	var a, b, c, d uint32
	rest := x
	for len(rest) >= 4 {
		four := (*[4]float32)(rest)
		a |= math.Float32bits(four[0])
		b |= math.Float32bits(four[1])
		c |= math.Float32bits(four[2])
		d |= math.Float32bits(four[3])
		rest = rest[4:]
	}
	for _, s := range rest {
		a |= math.Float32bits(s)
	}
	if (a|b|c|d)&from2 == 0 {
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
