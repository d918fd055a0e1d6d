package stuck_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/stuck"
)

const rate = 16000

var kind = metertest.Meter[*stuck.Meter, stuck.Result]{
	New: stuck.New, Process: (*stuck.Meter).Process, Result: (*stuck.Meter).Result,
}

// between puts some seconds that change makes of silence between two halves of speech.
func between(t testing.TB, seconds float64, change func(i int) float32) []float32 {
	t.Helper()
	x := dsptest.Quantize(dsptest.AddNoise(metertest.Speech(t, "agent-1", rate, 4), -70, 1))
	y := append([]float32(nil), x[:33333]...)
	for i := range int(seconds * rate) {
		y = append(y, change(i))
	}
	return append(y, x[33333:]...)
}

func TestStretchesAreMeasured(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		silent bool
		change func(i int) float32
	}{
		"digital silence":          {true, func(int) float32 { return 0 }},
		"dither of a gate":         {true, func(int) float32 { return float32(rng.IntN(3)-1) / 32768 }},
		"one value":                {false, func(int) float32 { return -0.013 }},
		"one value and a step":     {false, func(i int) float32 { return 0.2 + float32(i%2)/32768 }},
		"a capacitor that settles": {false, func(i int) float32 { return 0.01 + 0.01*float32(math.Exp(-float64(i)/rate)) }},
	} {
		r := kind.Measure(t, rate, between(t, 5, c.change))
		want, tolerance := 5.0, 0.001
		if name == "a capacitor that settles" {
			want, tolerance = 4, 1.1 // the steep beginning moves
		}
		if math.Abs(r.LongestSeconds-want) > tolerance || r.Silent != c.silent || r.NowSeconds > 0.1 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestWhatLivesIsNotStuck(t *testing.T) {
	t.Parallel()
	for name, x := range map[string][]float32{
		"speech":              metertest.Speech(t, "agent-1", rate, 10),
		"the softest noise":   dsptest.Quantize(dsptest.Noise(10*rate, -88, 1)),
		"tone":                dsptest.Quantize(dsptest.Tone(10*rate, rate, 50, -70)),
		"tone at probe steps": dsptest.Quantize(dsptest.Tone(10*rate, rate, 400, -40)),
	} {
		if r := kind.Measure(t, rate, x); r.LongestSeconds > 0.1 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestStretchUnderWayCounts(t *testing.T) {
	t.Parallel()
	x := append(metertest.Speech(t, "agent-1", rate, 2), make([]float32, 6*rate)...)
	r := kind.Measure(t, rate, x)
	if !r.NowSilent || !r.Silent || math.Abs(r.NowSeconds-6) > 0.02 || r.LongestSeconds != r.NowSeconds {
		t.Errorf("%+v", r)
	}
}

func TestGapEndsAStretch(t *testing.T) {
	t.Parallel()
	m := kind.Make(t, rate)
	for range 3 {
		m.Process(make([]float32, 3*rate))
		m.Gap(rate)
	}
	if r := m.Result(); r.LongestSeconds != 3 || r.NowSeconds != 0 {
		t.Errorf("%+v", r)
	}
}

// TestLostPacketsHideNoSilence loses 20 ms of every 200, in a digital silence and in a value
// that stands off zero: nobody knows where that would have gone.
func TestLostPacketsHideNoSilence(t *testing.T) {
	t.Parallel()
	for _, value := range []float32{0, 0.1} {
		m := kind.Make(t, rate)
		x := make([]float32, rate*18/100)
		for i := range x {
			x[i] = value
		}
		for range 50 {
			m.Process(x)
			m.Gap(rate * 2 / 100)
		}
		want := 9.0
		if value != 0 {
			want = 0.18
		}
		if r := m.Result(); math.Abs(r.LongestSeconds-want) > 1e-9 || r.Silent != (value == 0) {
			t.Errorf("at %g: %+v, want %g s", value, r, want)
		}
	}
	m := kind.Make(t, rate)
	m.Process(make([]float32, 3*rate))
	m.Gap(320)
	m.Process(metertest.Speech(t, "agent-1", rate, 5))
	if r := m.Result(); math.Abs(r.LongestSeconds-3) > 0.02 || r.NowSeconds > 0.5 {
		t.Errorf("speech after the loss: %+v, want 3 s", r)
	}
}

func TestValuesThatJumpAreTwoStretches(t *testing.T) {
	t.Parallel()
	x := make([]float32, 6*rate)
	for i := range x {
		x[i] = 0.1 * float32(i/(2*rate))
	}
	if r := kind.Measure(t, rate, x); r.LongestSeconds != 2 {
		t.Errorf("%+v", r)
	}
}

func TestBrokenSamplesAreSilence(t *testing.T) {
	t.Parallel()
	x := make([]float32, rate)
	x[5000], x[6000] = float32(math.NaN()), float32(math.Inf(-1))
	if r := kind.Measure(t, rate, x); r.LongestSeconds != 1 || !r.Silent {
		t.Errorf("%+v", r)
	}
}

func TestMeterProperties(t *testing.T) {
	x := between(t, 1, func(int) float32 { return 0 })[20000:60000]
	kind.ChunkingChangesNothingAndResetEqualsNew(t, rate, x)
	kind.DoesNotAllocate(t, rate, x[:320])
	kind.RefusesImpossibleRates(t)
}

func BenchmarkProcess(b *testing.B) {
	kind.Benchmark(b, rate, metertest.Speech(b, "agent-1", rate, 1)[8000:8320])
}
