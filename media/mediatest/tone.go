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
	windowed := make([]float64, n)
	for i, x := range pcm {
		windowed[i] = float64(x) * hann(i, n)
	}
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
	for range 50 {
		third := (high - low) / 3
		if ToneDBov(pcm, rate, low+third) < ToneDBov(pcm, rate, high-third) {
			low += third
		} else {
			high -= third
		}
	}
	hz = (low + high) / 2
	return hz, ToneDBov(pcm, rate, hz)
}

// ToneDBov is the power at hz in dBov (a Goertzel filter behind a Hann window).
func ToneDBov(pcm []float32, rate int, hz float64) float64 {
	n := len(pcm)
	turn := cmplx.Exp(complex(0, -2*math.Pi*hz/float64(rate)))
	var sum, phase complex128 = 0, 1
	var weight float64
	for i, x := range pcm {
		w := hann(i, n)
		sum += complex(float64(x)*w, 0) * phase
		phase *= turn
		weight += w
	}
	if weight == 0 {
		return dsp.SilenceDBov
	}
	amplitude := 2 * cmplx.Abs(sum) / weight
	return dsp.PowerDBov(amplitude * amplitude / 2)
}

func hann(i, n int) float64 {
	return 0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/float64(n))
}
