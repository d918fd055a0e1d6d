package resample_test

import (
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/resample"
)

// level gives the power in dBov of a tone at hz in x, past the first eighth of it.
func level(x []float32, rate int, hz float64) float64 {
	x = x[len(x)/8 : len(x)/8+rate/2] // a whole number of periods of any even frequency
	var re, im float64
	for n, v := range x {
		s, c := math.Sincos(2 * math.Pi * hz * float64(n) / float64(rate))
		re += float64(v) * c
		im += float64(v) * s
	}
	n := float64(len(x))
	return 10 * math.Log10(2*(re*re+im*im)/(n*n)+1e-14)
}

func rms(x []float32) float64 {
	x = x[len(x)/8:]
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(x))+1e-14)
}

func TestTonesKeepTheirLevelAndNothingElseAppears(t *testing.T) {
	for _, from := range resample.Rates() {
		for _, to := range resample.Rates() {
			t.Run(fmt.Sprintf("%d to %d", from, to), func(t *testing.T) {
				r, err := resample.New(from, to)
				if err != nil {
					t.Fatal(err)
				}
				nyquist := float64(min(from, to)) / 2
				for _, share := range []float64{0.05, 0.5, 0.9} {
					hz := 2 * math.Round(nyquist*share/2)
					r.Reset()
					y := r.Process(nil, dsptest.Tone(from, from, hz, -10))
					if d := len(y) - to; d < -1 || d > 1 {
						t.Fatalf("%d samples of a second", len(y))
					}
					if got := level(y, to, hz); math.Abs(got+10) > 0.1 {
						t.Errorf("%.0f Hz arrives at %.2f dBov, want -10", hz, got)
					}
					// Images and aliases: all power that is not the tone's.
					if total := rms(y); math.Abs(total+10) > 0.1 {
						t.Errorf("%.0f Hz: %.2f dBov in all, want -10", hz, total)
					}
				}
				if to < from && 1.12*nyquist < float64(from)/2 {
					r.Reset()
					y := r.Process(nil, dsptest.Tone(from, from, 1.12*nyquist, -10))
					if total := rms(y); total > -66 {
						t.Errorf("what lies above the band comes through at %.1f dBov", total)
					}
				}
			})
		}
	}
}

func TestDelayIsAsStated(t *testing.T) {
	for _, c := range [][2]int{{8000, 48000}, {48000, 16000}, {44100, 16000}, {16000, 44100}} {
		r, err := resample.New(c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		x := make([]float32, c[0]/10)
		x[200] = 1
		y := r.Process(nil, x)
		var sum, moment float64 // the centre of gravity of the response
		for n, v := range y {
			sum += float64(v)
			moment += float64(n) * float64(v)
		}
		want := 200*float64(c[1])/float64(c[0]) + r.Delay()
		if got := moment / sum; math.Abs(got-want) > 0.5 {
			t.Errorf("%v: pulse at %.2f, want %.2f", c, got, want)
		}
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	x := dsptest.Noise(882, -20, 1)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.SampledFrom(resample.Rates()).Draw(t, "from")
		to := rapid.SampledFrom(resample.Rates()).Draw(t, "to")
		whole, _ := resample.New(from, to)
		want := whole.Process(nil, x)
		r, _ := resample.New(from, to)
		r.Process(nil, x[:rapid.IntRange(0, len(x)).Draw(t, "before reset")])
		r.Reset()
		var got []float32
		for rest := x; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			got = r.Process(got, rest[:n])
			rest = rest[n:]
		}
		if len(got) != len(want) {
			t.Fatalf("%d samples, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("sample %d: %v, want %v", i, got[i], want[i])
			}
		}
	})
}

func TestBrokenSampleIsForgotten(t *testing.T) {
	r, _ := resample.New(48000, 16000)
	x := make([]float32, 4800)
	x[100] = float32(math.NaN())
	for i, v := range r.Process(nil, x)[1000:] {
		if v != 0 {
			t.Fatalf("sample %d: %v", i, v)
		}
	}
}

func TestProcessDoesNotAllocateWhereThereIsRoom(t *testing.T) {
	r, _ := resample.New(44100, 16000)
	x, y := dsptest.Noise(882, -20, 1), make([]float32, 0, 400)
	if n := testing.AllocsPerRun(100, func() { y = r.Process(y[:0], x) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestRefusesOtherRates(t *testing.T) {
	for _, c := range [][2]int{{0, 8000}, {8000, 11025}, {-1, -1}} {
		if _, err := resample.New(c[0], c[1]); err == nil {
			t.Errorf("took %v", c)
		}
	}
}

func BenchmarkProcess(b *testing.B) {
	for _, c := range [][2]int{{48000, 16000}, {16000, 8000}, {8000, 16000}, {44100, 16000}, {16000, 48000}} {
		b.Run(fmt.Sprintf("20ms %d to %d", c[0], c[1]), func(b *testing.B) {
			r, _ := resample.New(c[0], c[1])
			x, y := dsptest.Noise(c[0]/50, -20, 1), make([]float32, 0, 2000)
			b.ReportAllocs()
			for b.Loop() {
				y = r.Process(y[:0], x)
			}
		})
	}
}
