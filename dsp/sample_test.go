package dsp_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
)

func TestOneBrokenSampleIsSeenWhereverItStands(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for n := range 21 {
		x := make([]float32, n)
		for i := range x {
			x[i] = -7.9
		}
		if !dsp.Intact(x) {
			t.Errorf("%d loud samples are not broken", n)
		}
		for i := range x {
			for _, v := range []float32{nan, inf, -inf, dsp.MaxSample, -dsp.MaxSample, 1e30} {
				x[i] = v
				y := make([]float32, n)
				if dsp.Samples(y, x); dsp.Intact(x) || y[i] != 0 || !dsp.Intact(y) {
					t.Errorf("%v at %d of %d passes", v, i, n)
				}
				x[i] = -7.9
			}
		}
	}
}
