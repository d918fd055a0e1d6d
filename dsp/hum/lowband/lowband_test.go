package lowband_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
)

func low(t testing.TB, rate int, x []float32) ([]float32, *lowband.Decimator) {
	t.Helper()
	d, err := lowband.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	return d.Process(nil, x), d
}

func levelDBov(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(x)))
}

func TestTonesPassAsGainSays(t *testing.T) {
	for _, rate := range []int{8000, 11025, 16000, 22050, 32000, 44100, 48000, 96000} {
		for _, hz := range []float64{50, 100, 217, 400, 800} {
			y, d := low(t, rate, dsptest.Tone(4*rate, rate, hz, -20))
			if r := d.Rate(); r < 1600 || r > 2400 {
				t.Fatalf("%d Hz becomes %v Hz", rate, r)
			}
			if got, want := levelDBov(y), -20+10*math.Log10(d.Gain(hz)); math.Abs(got-want) > 0.02 {
				t.Errorf("%d Hz: %v Hz reads %.2f, want %.2f", rate, hz, got, want)
			}
		}
		y, _ := low(t, rate, dsptest.Tone(rate, rate, 1950, -20))
		if got := levelDBov(y); rate%2000 == 0 && got > -75 {
			t.Errorf("%d Hz: 1950 Hz folds to 50 Hz at %.1f dBov", rate, got)
		}
	}
}

func TestOffsetPassesUnchangedAndBrokenSamplesAreZero(t *testing.T) {
	x := make([]float32, 1600)
	for i := range x {
		x[i] = 0.25
	}
	y, _ := low(t, 16000, x)
	for _, v := range y {
		if v != 0.25 {
			t.Fatalf("0.25 became %v", v)
		}
	}
	zeroed := append([]float32(nil), x...)
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e30, -99} {
		x[100*i+50], zeroed[100*i+50] = float32(v), 0
	}
	a, _ := low(t, 16000, x)
	b, _ := low(t, 16000, zeroed)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("sample %d is %v with broken samples, %v without", i, a[i], b[i])
		}
	}
}

func TestChunkingChangesNothingAndGapStartsAnew(t *testing.T) {
	x := dsptest.Noise(3000, -10, 1)
	want, _ := low(t, 44100, x)
	rapid.Check(t, func(t *rapid.T) {
		d, _ := lowband.New(44100)
		d.Process(nil, x[:rapid.IntRange(0, len(x)).Draw(t, "before the gap")])
		d.Gap()
		var got []float32
		for rest := x; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			got = d.Process(got, rest[:n])
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

func TestProcessDoesNotAllocate(t *testing.T) {
	d, _ := lowband.New(16000)
	x := dsptest.Noise(333, -10, 1)
	y := make([]float32, 0, d.Cap(len(x)))
	if n := testing.AllocsPerRun(100, func() { y = d.Process(y[:0], x) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRefusesImpossibleRates(t *testing.T) {
	for _, rate := range []int{0, -1, 3999, 1 << 20} {
		if _, err := lowband.New(rate); err == nil {
			t.Errorf("took %d Hz", rate)
		}
	}
}

func BenchmarkProcess(b *testing.B) {
	d, _ := lowband.New(16000)
	x := dsptest.Noise(320, -20, 1)
	y := make([]float32, 0, d.Cap(len(x)))
	b.ReportAllocs()
	for b.Loop() {
		y = d.Process(y[:0], x)
	}
}
