package dtmf

import (
	"math"
	"strings"
)

// Levels of the two tones as they are sent, and 0 dBm0 as an amplitude: 3.14 dB below the
// loudest tone that A-law carries, whose amplitude is 1 (G.711).
const (
	lowDBm0  = -8.0
	highDBm0 = -6.0
	overload = 3.14
	rampTime = 0.002 // s: the tones rise and fall without a click
)

// Tone renders a key as sound (Q.23): the samples from position at of a press that lasts length
// samples, at rate Hz, the low tone at -8 and the high one at -6 dBm0. Outside of the press, and
// for what is no key, it is silent.
func Tone(pcm []float32, key byte, at, length, rate int) {
	row, column := -1, -1
	for i, k := range keys {
		if c := strings.IndexByte(k, key); c >= 0 {
			row, column = i, 4+c
		}
	}
	if row < 0 {
		clear(pcm)
		return
	}
	amplitude := func(dBm0 float64) float64 { return math.Pow(10, (dBm0-overload)/20) }
	low, high := amplitude(lowDBm0), amplitude(highDBm0)
	ramp := rampTime * float64(rate)
	for i := range pcm {
		n := at + i
		if n < 0 || n >= length {
			pcm[i] = 0
			continue
		}
		t := float64(n) / float64(rate)
		x := low*math.Sin(2*math.Pi*frequencies[row]*t) + high*math.Sin(2*math.Pi*frequencies[column]*t)
		if edge := float64(min(n, length-1-n)); edge < ramp {
			x *= (1 - math.Cos(math.Pi*edge/ramp)) / 2
		}
		pcm[i] = float32(x)
	}
}
