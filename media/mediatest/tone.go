package mediatest

import (
	"math"
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"

	"github.com/headroom-voice/headroom/dsp"
)

// Tone makes n samples of a sine of hz at rate. Its power is dbov: a full-scale sine has
// -3.01 dBov.
func Tone(rate int, hz, dbov float64, n int) []float32 {
	amplitude := math.Sqrt2 * math.Pow(10, dbov/20)
	pcm := make([]float32, n)
	for i := range pcm {
		pcm[i] = float32(amplitude * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
	}
	return pcm
}

// FindTone gives the strongest tone in pcm, its frequency to a small part of a hertz
// and its power in dBov, measured at that frequency alone. Silence, and fewer than 64
// samples, give 0 Hz and dsp.SilenceDBov.
func FindTone(pcm []float32, rate int) (hz, dbov float64) {
	n := len(pcm)
	if n < 64 {
		return 0, dsp.SilenceDBov
	}
	windowed, weight := window(pcm)
	spectrum := fourier.NewFFT(n).Coefficients(nil, windowed)
	best := 1
	for k := 2; k < len(spectrum)-1; k++ {
		if cmplx.Abs(spectrum[k]) > cmplx.Abs(spectrum[best]) {
			best = k
		}
	}
	if cmplx.Abs(spectrum[best]) < 1e-6 {
		return 0, dsp.SilenceDBov
	}
	// The maximum lies within half a bin of the best; the power is smooth there.
	step := float64(rate) / float64(n)
	low, high := (float64(best)-1)*step, (float64(best)+1)*step
	for range 30 {
		third := (high - low) / 3
		if powerAt(windowed, weight, rate, low+third) < powerAt(windowed, weight, rate, high-third) {
			low += third
		} else {
			high -= third
		}
	}
	hz = (low + high) / 2
	return hz, powerAt(windowed, weight, rate, hz)
}

// ToneDBov is the power at hz in dBov.
func ToneDBov(pcm []float32, rate int, hz float64) float64 {
	windowed, weight := window(pcm)
	return powerAt(windowed, weight, rate, hz)
}

// ToneAndRest gives the power at hz and that of everything else, in dBov. pcm should hold
// whole periods of hz.
func ToneAndRest(pcm []float32, rate int, hz float64) (tone, rest float64) {
	if len(pcm) == 0 {
		return dsp.SilenceDBov, dsp.SilenceDBov
	}
	var re, im, total float64
	for i, v := range pcm {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / float64(rate))
		re += float64(v) * cos
		im += float64(v) * sin
		total += float64(v) * float64(v)
	}
	n := float64(len(pcm))
	power := 2 * (re*re + im*im) / (n * n)
	return dsp.PowerDBov(power), dsp.PowerDBov(max(total/n-power, 0))
}

// window applies a Hann window and gives its sum.
func window(pcm []float32) (windowed []float64, weight float64) {
	windowed = make([]float64, len(pcm))
	for i, x := range pcm {
		w := 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(len(pcm)))
		windowed[i] = float64(x) * w
		weight += w
	}
	return windowed, weight
}

// powerAt is a Goertzel filter: the power of the tone at hz, in dBov.
func powerAt(windowed []float64, weight float64, rate int, hz float64) float64 {
	if weight == 0 {
		return dsp.SilenceDBov
	}
	turn := 2 * math.Pi * hz / float64(rate)
	c := 2 * math.Cos(turn)
	var s1, s2 float64
	for _, x := range windowed {
		s1, s2 = x+c*s1-s2, s1
	}
	amplitude := 2 * math.Sqrt(s1*s1+s2*s2-c*s1*s2) / weight
	return dsp.PowerDBov(amplitude * amplitude / 2)
}
