package filter_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/filter"
)

func TestPassesSpeechAndStopsRumble(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100, 48000} {
		for _, c := range []struct{ hz, gain, tolerance float64 }{
			{1000, 0, 0.01}, {200, 0, 0.05}, {100, -3.01, 0.05}, {50, -24.1, 0.2}, {25, -48.2, 0.5},
		} {
			x := dsptest.Tone(2*rate, rate, c.hz, -10)
			filter.NewHighPass(rate, 100).Process(x, x)
			sum := 0.0
			for _, v := range x[rate:] {
				sum += float64(v) * float64(v)
			}
			if got := 10*math.Log10(sum/float64(rate)) + 10; math.Abs(got-c.gain) > c.tolerance {
				t.Errorf("%d Hz: %v Hz passes at %.2f dB, want %v", rate, c.hz, got, c.gain)
			}
		}
	}
}

func TestTakesOffsetAwayAndForgetsBrokenSamples(t *testing.T) {
	x := make([]float32, 16000)
	for i := range x {
		x[i] = 0.1
	}
	x[10] = float32(math.NaN())
	h := filter.NewHighPass(8000, 100)
	h.Process(x, x)
	if last := math.Abs(float64(x[len(x)-1])); !(last < 1e-6) {
		t.Errorf("%v is left", last)
	}
	h.Reset()
	y, z := make([]float32, 100), make([]float32, 100)
	y[0], z[0] = 1, 1
	h.Process(y, y)
	filter.NewHighPass(8000, 100).Process(z, z)
	for i := range y {
		if y[i] != z[i] {
			t.Fatalf("after Reset sample %d is %v, new gives %v", i, y[i], z[i])
		}
	}
}

func BenchmarkHighPass(b *testing.B) {
	h, x := filter.NewHighPass(16000, 100), dsptest.Noise(320, -30, 1)
	b.ReportAllocs()
	for b.Loop() {
		h.Process(x, x)
	}
}

func BenchmarkSilenceAfterSpeech(b *testing.B) {
	h, x := filter.NewHighPass(16000, 100), dsptest.Noise(320, -30, 1)
	y, zeros := make([]float32, 320), make([]float32, 320)
	h.Process(y, x)
	for range 500 {
		h.Process(y, zeros)
	}
	b.ReportAllocs()
	for b.Loop() {
		h.Process(y, zeros)
	}
}
