package noise_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/noise"
)

var rates = []int{8000, 16000, 44100, 48000}

var meter = metertest.Meter[*noise.Meter, [2]dsp.Value]{
	New: noise.New, Process: (*noise.Meter).Process,
	Result: func(m *noise.Meter) [2]dsp.Value { return [2]dsp.Value{m.Floor(), m.Recent()} },
}

func floor(t *testing.T, rate int, x []float32) float64 {
	t.Helper()
	return float64(meter.Measure(t, rate, metertest.HighPass(rate, x))[0])
}

func TestReadsGeneratedNoiseUnderSpeechTrue(t *testing.T) {
	for i, rate := range rates {
		name := []string{"caller-1", "agent-2"}[i%2]
		voice := metertest.Speech(t, name, rate, 0)
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
	gated := metertest.Speech(t, "agent-1", 16000, 0)
	for i, v := range gated { // a synthesiser's pauses
		if math.Abs(float64(v)) < 0.002 {
			gated[i] = 0
		}
	}
	if got := floor(t, 16000, gated); got > -70 {
		t.Errorf("the ends of words were taken for noise: %.1f", got)
	}
	gaps := dsptest.AddNoise(metertest.Speech(t, "agent-1", 16000, 0), -45, 1)
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
	m.Process(metertest.HighPass(8000, dsptest.Noise(20*8000, -40, 1)))
	m.Process(metertest.HighPass(8000, dsptest.Noise(10*8000, -60, 2)))
	if got := float64(m.Recent()); math.Abs(got+60) > 0.5 {
		t.Errorf("recent %.2f, want -60", got)
	}
}

func TestBrokenSamplesDoNotPoison(t *testing.T) {
	x := metertest.HighPass(8000, dsptest.Noise(80000, -50, 1))
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
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 8000, metertest.HighPass(8000, metertest.Speech(t, "caller-1", 8000, 3)))
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, dsptest.Noise(320, -40, 1))
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkProcess(b *testing.B) { meter.Benchmark(b, 16000, dsptest.Noise(320, -30, 1)) }
