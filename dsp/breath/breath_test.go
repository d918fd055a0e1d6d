package breath_test

import (
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/breath"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// The meter takes what it is given for the low band of 16 kHz, in which somebody speaks.
var meter = metertest.Meter[*breath.Meter, breath.Result]{
	New: breath.New, Process: func(m *breath.Meter, x []float32) { m.Process(x, true) }, Result: (*breath.Meter).Result,
}

func measure(t *testing.T, rate int, x []float32, speaking bool) breath.Result {
	t.Helper()
	d, err := lowband.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	m := meter.Make(t, rate)
	low := d.Process(nil, x)
	for n := rate / 50 * 2000 / rate; len(low) >= n; low = low[n:] {
		m.Process(low[:n], speaking)
	}
	return m.Result()
}

func TestPopsAreCounted(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, rate := range []int{8000, 16000, 44100} {
		x := metertest.Speech(t, "agent-1", rate, 20)
		places := []int{2 * rate, 5 * rate, 8 * rate, 11 * rate, 14 * rate, 17 * rate}
		r := measure(t, rate, dsptest.Plosives(x, rate, places, 0.3, 1), true)
		if r.Pops < 5 || r.Pops > 6 || r.WindSeconds > 0.5 || !strings.Contains(r.Advice(), "boom") {
			t.Errorf("%d Hz: %+v", rate, r)
		}
	}
}

func TestWindIsNoPop(t *testing.T) {
	t.Parallel()
	x := dsptest.Mix(metertest.Speech(t, "agent-2", 16000, 20), dsptest.Wind(20*16000, 16000, -25, 1))
	r := measure(t, 16000, x, false)
	if r.WindSeconds < 3 || r.Pops > 0 || !strings.Contains(r.Advice(), "air") {
		t.Errorf("%+v", r)
	}
}

func TestVoicesAndHumAreNoBreath(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
		x := metertest.Speech(t, name, 16000, 20)
		for what, y := range map[string][]float32{
			"clean": x, "hum": dsptest.Mix(x, dsptest.Hum(len(x), 16000, 50, -35, 1)), "an offset": dsptest.Offset(x, 0.03),
			"a bass": dsptest.Mix(x, dsptest.Tone(len(x), 16000, 82, -30)),
		} {
			if r := measure(t, 16000, y, true); r.Pops > 0 || r.WindSeconds > 0.1 || r.Advice() != "" {
				t.Errorf("%s, %s: %+v", name, what, r)
			}
		}
	}
}

func TestNothingHeardIsNothingMeasured(t *testing.T) {
	r := meter.Make(t, 16000).Result()
	if r.PopsPerMinute.Valid() || r.WindShare.Valid() || r.Advice() != "" {
		t.Errorf("%+v", r)
	}
}

func TestAGapEndsAPuff(t *testing.T) {
	x := dsptest.Plosives(make([]float32, 16000), 2000, []int{4000}, 0.5, 1)
	m := meter.Make(t, 16000)
	m.Process(x[:4060], true)
	m.Gap()
	m.Process(x[8000:], true)
	if r := m.Result(); r.Pops != 1 {
		t.Errorf("%+v", r)
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	t.Parallel()
	x := dsptest.Plosives(dsptest.Noise(24000, -50, 1), 2000, []int{4000, 9000, 15000}, 0.4, 1)
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 16000, x)
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, dsptest.Noise(40, -30, 1))
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkProcess(b *testing.B) { meter.Benchmark(b, 16000, dsptest.Noise(40, -30, 1)) }
