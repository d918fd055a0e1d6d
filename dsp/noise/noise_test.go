package noise_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/noise"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/testdata"
)

var rates = []int{8000, 16000, 44100, 48000}

func floor(t *testing.T, rate int, x []float32) float64 {
	t.Helper()
	m, err := noise.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	m.Process(highPass(rate, x))
	return float64(m.Floor())
}

func highPass(rate int, x []float32) []float32 {
	y := make([]float32, len(x))
	filter.NewHighPass(rate, 100).Process(y, x)
	return y
}

func speech(t *testing.T, name string, rate int) []float32 {
	t.Helper()
	x, from, err := testdata.Samples(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := resample.New(from, rate)
	if err != nil {
		t.Fatal(err)
	}
	return r.Process(nil, x)
}

func TestReadsGeneratedNoiseUnderSpeechTrue(t *testing.T) {
	for i, rate := range rates {
		name := []string{"caller-dave", "agent-ben"}[i%2]
		voice := speech(t, name, rate)
		for _, level := range []float64{-32, -64} {
			if got := floor(t, rate, dsptest.AddNoise(voice, level, 9)); math.Abs(got-level) > 0.5 {
				t.Errorf("%s at %d Hz: %.2f, want %.0f", name, rate, got, level)
			}
		}
	}
}

func TestReadsNoiseAloneTrue(t *testing.T) {
	for _, rate := range rates {
		for _, level := range []float64{-20, -50, -80} {
			if got := floor(t, rate, dsptest.Noise(3*rate, level, 3)); math.Abs(got-level) > 0.3 {
				t.Errorf("%d Hz: %.2f, want %.0f", rate, got, level)
			}
		}
	}
}

func TestSilentPausesAreSilence(t *testing.T) {
	if got := floor(t, 8000, make([]float32, 80000)); got != dsp.SilenceDBov {
		t.Errorf("digital silence: %v", got)
	}
	gated := speech(t, "agent-anna", 16000)
	for i, v := range gated { // a synthesiser's pauses
		if math.Abs(float64(v)) < 0.002 {
			gated[i] = 0
		}
	}
	if got := floor(t, 16000, gated); got > -70 {
		t.Errorf("the ends of words were taken for noise: %.1f", got)
	}
	gaps := dsptest.AddNoise(speech(t, "agent-anna", 16000), -45, 1)
	clear(gaps[len(gaps)/2 : len(gaps)*3/4]) // unmarked DTX in a quarter of the time
	if got := floor(t, 16000, gaps); math.Abs(got+45) > 0.7 {
		t.Errorf("noise beside gaps: %.2f, want -45", got)
	}
}

func TestTooLittleIsNoFloor(t *testing.T) {
	m, _ := noise.New(8000)
	m.Process(dsptest.Noise(8000, -40, 1))
	if m.Floor().Valid() || m.Recent().Valid() {
		t.Errorf("a floor from one second: %v, %v", m.Floor(), m.Recent())
	}
}

func TestRecentFollowsWithinTenSeconds(t *testing.T) {
	m, _ := noise.New(8000)
	m.Process(highPass(8000, dsptest.Noise(20*8000, -40, 1)))
	m.Process(highPass(8000, dsptest.Noise(10*8000, -60, 2)))
	if got := float64(m.Recent()); math.Abs(got+60) > 0.5 {
		t.Errorf("recent %.2f, want -60", got)
	}
}

func TestBrokenSamplesDoNotPoison(t *testing.T) {
	x := highPass(8000, dsptest.Noise(80000, -50, 1))
	for i := 0; i < len(x); i += 4001 {
		x[i] = float32(math.NaN())
		x[i+1] = float32(math.Inf(1))
	}
	m, _ := noise.New(8000)
	m.Process(x)
	if got := float64(m.Floor()); !(math.Abs(got+50) < 0.5) {
		t.Errorf("%.2f, want -50", got)
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	x := highPass(8000, speech(t, "caller-dave", 8000))[:24000]
	whole, _ := noise.New(8000)
	whole.Process(x)
	rapid.Check(t, func(t *rapid.T) {
		m, _ := noise.New(8000)
		m.Process(x[:rapid.IntRange(0, len(x)).Draw(t, "before reset")])
		m.Gap()
		m.Reset()
		for rest := x; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			m.Process(rest[:n])
			rest = rest[n:]
		}
		if m.Floor() != whole.Floor() || m.Recent() != whole.Recent() {
			t.Fatalf("%v %v, want %v %v", m.Floor(), m.Recent(), whole.Floor(), whole.Recent())
		}
	})
}

func TestProcessDoesNotAllocate(t *testing.T) {
	m, _ := noise.New(16000)
	x := dsptest.Noise(320, -40, 1)
	if n := testing.AllocsPerRun(100, func() { m.Process(x); m.Recent() }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestRefusesImpossibleRates(t *testing.T) {
	for _, rate := range []int{0, 3999, 1 << 20} {
		if _, err := noise.New(rate); err == nil {
			t.Errorf("took %d Hz", rate)
		}
	}
}

func BenchmarkProcess(b *testing.B) {
	m, _ := noise.New(16000)
	x := dsptest.Noise(320, -30, 1)
	b.ReportAllocs()
	for b.Loop() {
		m.Process(x)
	}
}
