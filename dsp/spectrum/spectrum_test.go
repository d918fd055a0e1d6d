package spectrum_test

import (
	"math"
	"math/cmplx"
	"testing"

	"gonum.org/v1/gonum/dsp/fourier"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

func TestTransformAgreesWithGonum(t *testing.T) {
	for n := 4; n <= 8192; n *= 2 {
		r, err := spectrum.NewReal(n)
		if err != nil {
			t.Fatal(err)
		}
		x := dsptest.Noise(n, -10, uint64(n))
		wide := make([]float64, n)
		for i, v := range x {
			wide[i] = float64(v)
		}
		re, im := make([]float32, n/2+1), make([]float32, n/2+1)
		for range 2 { // the second time with used work space
			r.Transform(re, im, x)
			for k, want := range fourier.NewFFT(n).Coefficients(nil, wide) {
				if d := cmplx.Abs(want - complex(float64(re[k]), float64(im[k]))); d > 1e-6*math.Sqrt(float64(n))*4 {
					t.Fatalf("%d points, bin %d: %v%+vi, want %v", n, k, re[k], im[k], want)
				}
			}
		}
	}
	for _, n := range []int{0, -4, 2, 12, 1 << 17} {
		if _, err := spectrum.NewReal(n); err == nil {
			t.Errorf("took %d points", n)
		}
	}
}

func TestPowersAddUpToTheLevel(t *testing.T) {
	for _, rate := range []int{8000, 11025, 16000, 32000, 44100, 48000, 96000} {
		s, err := spectrum.New(rate)
		if err != nil {
			t.Fatal(err)
		}
		x := dsptest.Tone(rate, rate, 1000, -23)
		var f *spectrum.Frame
		for ; len(x) >= s.Hop(); x = x[s.Hop():] {
			if g := s.Next(x[:s.Hop()]); g != nil {
				f = g
			}
		}
		if f == nil {
			t.Fatalf("%d Hz: no frame", rate)
		}
		for name, sum := range map[string]float64{"all": f.Sum(0, len(f.Power)), "around the tone": f.Sum(f.Band(900, 1101))} {
			if got := 10 * math.Log10(sum); math.Abs(got+23) > 0.1 {
				t.Errorf("%d Hz, %s: %.2f dBov, want -23", rate, name, got)
			}
		}
		if got := 10 * math.Log10(f.Sum(f.Band(1500, 4000))+1e-12); got > -75 {
			t.Errorf("%d Hz: %.1f dBov far from the tone", rate, got)
		}
	}
}

func TestAWindowAcrossAGapIsNotGiven(t *testing.T) {
	s, _ := spectrum.New(16000)
	block := make([]float32, s.Hop())
	for i, want := range []bool{false, true, true} {
		if got := s.Next(block) != nil; got != want {
			t.Errorf("block %d: frame %v", i, got)
		}
	}
	s.Gap()
	if s.Next(block) != nil {
		t.Error("a frame with samples from before the gap")
	}
}

func TestProcessDoesNotAllocate(t *testing.T) {
	s, _ := spectrum.New(16000)
	x := dsptest.Noise(320, -30, 1)
	if n := testing.AllocsPerRun(100, func() { s.Next(x) }); n != 0 {
		t.Errorf("%v allocations a block", n)
	}
}

func BenchmarkNext(b *testing.B) {
	for _, rate := range []int{8000, 16000, 48000} {
		b.Run(map[int]string{8000: "8k", 16000: "16k", 48000: "48k"}[rate], func(b *testing.B) {
			s, _ := spectrum.New(rate)
			x := dsptest.Noise(s.Hop(), -30, 1)
			b.ReportAllocs()
			for b.Loop() {
				s.Next(x)
			}
		})
	}
}

func BenchmarkGonum512(b *testing.B) {
	f := fourier.NewFFT(512)
	x, y := make([]float64, 512), make([]complex128, 257)
	for b.Loop() {
		f.Coefficients(y, x)
	}
}

func TestTwinsDoNotHearEachOther(t *testing.T) {
	s, err := spectrum.New(16000)
	if err != nil {
		t.Fatal(err)
	}
	alone, _ := spectrum.New(16000)
	twin := s.Twin()
	x, y := dsptest.Noise(16000, -20, 1), dsptest.Tone(16000, 16000, 1000, -10)
	for ; len(x) >= s.Hop(); x, y = x[s.Hop():], y[s.Hop():] {
		twin.Next(y[:s.Hop()])
		got, want := s.Next(x[:s.Hop()]), alone.Next(x[:s.Hop()])
		if (got == nil) != (want == nil) {
			t.Fatal("a twin's signal fills the window")
		}
		if got == nil {
			continue
		}
		for k := range want.Power {
			if got.Power[k] != want.Power[k] || got.Re[k] != want.Re[k] || got.Im[k] != want.Im[k] {
				t.Fatalf("bin %d: %g, alone %g", k, got.Power[k], want.Power[k])
			}
		}
	}
}
