package resample_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/resample"
)

// Shares of the lower Nyquist frequency: up to passband tones keep their level, from stopband
// on they are gone. Between them lies the filter's slope; at 8 kHz that is 3.6 to 4.4 kHz.
const (
	passband = 0.9
	stopband = 1.1
)

// beside is the power, in dB below a tone at hz of -10 dBov, of everything else in x.
func beside(x []float32, rate int, hz float64) float64 {
	x = x[len(x)/8 : len(x)/8+rate/2]
	var re, im float64
	w := 2 * math.Pi * hz / float64(rate)
	for n, v := range x {
		s, c := math.Sincos(w * float64(n))
		re, im = re+float64(v)*c, im+float64(v)*s
	}
	half, sum := float64(len(x))/2, 0.0
	for n, v := range x {
		s, c := math.Sincos(w * float64(n))
		d := float64(v) - (re*c+im*s)/half
		sum += d * d
	}
	return 10*math.Log10(sum/float64(len(x))+1e-14) + 10
}

// TestThePassbandIsFlatAndNothingFoldsIntoIt states what calls depend on: flat to 0.5 dB, images
// of what is in the band 60 dB down, and so is what would fold into the band from beyond it.
func TestThePassbandIsFlatAndNothingFoldsIntoIt(t *testing.T) {
	rates := []int{8000, 16000, 44100, 48000}
	for _, from := range rates {
		for _, to := range rates {
			if from == to {
				continue
			}
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				t.Parallel()
				r, err := resample.New(from, to)
				if err != nil {
					t.Fatal(err)
				}
				nyquist := float64(min(from, to)) / 2
				at := func(share float64) (y []float32, hz float64) {
					hz = 2 * math.Round(nyquist*share/2)
					r.Reset()
					return r.Process(nil, dsptest.Tone(from, from, hz, -10)), hz
				}
				flat, image, alias := 0.0, -200.0, -200.0
				for share := 0.02; share <= passband+1e-9; share += 0.04 {
					y, hz := at(share)
					flat = max(flat, math.Abs(level(y, to, hz)+10))
					image = max(image, beside(y, to, hz))
				}
				// Beyond the slope everything is an alias, wherever it folds to.
				for share := stopband; to < from && share < float64(from)/2/nyquist-0.01; share += 0.03 {
					y, _ := at(share)
					alias = max(alias, rms(y)+10)
				}
				t.Logf("flat to %.3f dB up to %.0f Hz, images at %.0f dB", flat, passband*nyquist, image)
				if to < from {
					t.Logf("aliases at %.0f dB", alias)
				}
				if flat > 0.5 || image > -60 || alias > -60 {
					t.Errorf("flat to %.3f dB, images at %.1f dB, aliases at %.1f dB", flat, image, alias)
				}
			})
		}
	}
}
