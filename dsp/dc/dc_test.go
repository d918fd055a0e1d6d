package dc_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dc"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// The meter takes what it is given for the low band of 16 kHz, 2 kHz.
var meter = metertest.Meter[*dc.Meter, dc.Result]{New: dc.New, Process: pause, Result: (*dc.Meter).Result}

// pause takes all as if nobody spoke.
func pause(m *dc.Meter, low []float32) { m.Process(low, false) }

func offset(t *testing.T, rate int, x []float32) float64 {
	t.Helper()
	d, err := lowband.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	return float64(meter.Measure(t, rate, d.Process(nil, x)).Offset)
}

func TestOffsetUnderSpeechIsExact(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, rate := range []int{8000, 16000, 44100} {
		for _, name := range []string{"agent-1", "agent-2", "agent-3"} {
			for _, dc := range []float64{0, -0.01, 0.02} {
				x := dsptest.Offset(metertest.Speech(t, name, rate, 12), dc)
				if got := offset(t, rate, x); math.Abs(got-dc) > 1e-4 {
					t.Errorf("%s at %d Hz: %.5f, want %v", name, rate, got, dc)
				}
			}
		}
	}
}

func TestAThumpIsNoOffset(t *testing.T) {
	t.Parallel()
	x := metertest.Speech(t, "agent-2", 16000, 20)
	for i := range 3200 {
		x[30000+i] += 0.9 // 0.2 s
	}
	if got := offset(t, 16000, x); math.Abs(got) > 2e-4 {
		t.Errorf("%.5f", got)
	}
}

func TestLongCallsKeepTheirOffset(t *testing.T) {
	t.Parallel()
	m := meter.Make(t, 16000)
	second := dsptest.Offset(dsptest.Noise(2000, -30, 1), 0.0125)
	for range 3600 {
		m.Process(second, false)
	}
	if r := m.Result(); math.Abs(float64(r.Offset)-0.0125) > 1e-3 || math.Abs(r.Seconds-3600) > 1 {
		t.Errorf("%+v", r)
	}
}

// talk has an offset of its own while someone speaks, for a second of every four.
func talk(t *testing.T, offset float64, rest func(n int) []float32) dc.Result {
	m := meter.Make(t, 16000)
	for range 10 {
		m.Process(dsptest.Offset(dsptest.Noise(2000, -30, 1), offset), true)
		m.Process(rest(6000), false)
	}
	return m.Result()
}

func TestAVoiceThatClipsOnOneSideIsNoOffset(t *testing.T) {
	t.Parallel()
	r := talk(t, 0.01, func(n int) []float32 { return dsptest.Noise(n, -70, 2) })
	if !(math.Abs(float64(r.Offset)) < 1e-4) {
		t.Errorf("%+v", r)
	}
}

func TestAGateDoesNotHideTheOffset(t *testing.T) {
	t.Parallel()
	r := talk(t, 0.01, func(n int) []float32 { return make([]float32, n) })
	if !(float64(r.Offset) > 0.002) {
		t.Errorf("%+v", r)
	}
}

func TestNothingHeardIsNothingMeasured(t *testing.T) {
	if meter.Make(t, 16000).Result().Offset.Valid() {
		t.Error("an offset of nothing")
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	t.Parallel()
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 16000, dsptest.Offset(dsptest.Noise(25000, -30, 1), 0.01))
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, dsptest.Noise(40, -30, 1))
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkProcess(b *testing.B) { meter.Benchmark(b, 16000, dsptest.Noise(40, -30, 1)) }
