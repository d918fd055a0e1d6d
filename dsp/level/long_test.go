package level

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
)

// TestASoftSecondIsReadAfterAHundredHours has sums as large as speech at -20 dBov leaves them
// after a shift and after a hundred hours. The softest noise is where it shows: -90 dBov is read
// 1.3 dB low after a hundred hours at 48 kHz, and true after a shift.
func TestASoftSecondIsReadAfterAHundredHours(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		for hours, levels := range map[float64]map[float64]float64{
			8:   {-60: 0.01, -80: 0.02, -90: 0.1},
			100: {-60: 0.01, -80: 0.05, -90: 1.5},
		} {
			for dBov, tolerance := range levels {
				p, err := NewPair(rate)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range []*signal{&p.a, &p.b} {
					s.counts.Samples = uint64(hours * 3600 * float64(rate))
					s.squares = float64(s.counts.Samples) * 0.01
					s.sum = float64(s.counts.Samples) * 0.01
				}
				before, _ := p.Counts()
				x := dsptest.Offset(dsptest.Noise(rate, dBov, 1), 1e-5)
				p.Process(x, x)
				a, b := p.Counts()
				for _, c := range []Counts{a, b} {
					second := c.Minus(&before)
					got := second.Result()
					want := dsptest.RMS(x)
					if !(math.Abs(float64(got.RMS)-want) <= tolerance) || !(math.Abs(float64(got.DC)-1e-5) <= 1e-6+math.Pow(10, dBov/20)/20) {
						t.Errorf("%d Hz after %g h: %.3f dBov, want %.3f; offset %.2g", rate, hours, got.RMS, want, got.DC)
					}
				}
			}
		}
	}
}
