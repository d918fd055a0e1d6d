package hum_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/hum"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// whole is a meter with its decimator.
type whole struct {
	*hum.Meter
	band *lowband.Decimator
	low  []float32
}

func newWhole(rate int) (*whole, error) {
	d, err := lowband.New(rate)
	if err != nil {
		return nil, err
	}
	m, err := hum.New(rate)
	return &whole{Meter: m, band: d, low: make([]float32, 0, 4096)}, err
}

func (w *whole) process(x []float32) {
	for len(x) > 0 {
		n := min(len(x), 4096)
		w.low = w.band.Process(w.low[:0], x[:n])
		w.Process(w.low)
		x = x[n:]
	}
}

func (w *whole) Reset() {
	w.band.Reset()
	w.Meter.Reset()
}

func (w *whole) Gap() {
	w.band.Gap()
	w.Meter.Gap()
}

// plain is a Result whose values compare equal when not measured.
type plain struct{ hz, level, prominence, odd, seconds, longest, heard float64 }

func (w *whole) plain() plain {
	r := w.Result()
	f := func(v dsp.Value) float64 {
		if !v.Valid() {
			return -999
		}
		return float64(v)
	}
	return plain{f(r.Hz), f(r.Level), f(r.Prominence), f(r.OddShare), r.Seconds, r.Longest, r.Heard}
}

var meter = metertest.Meter[*whole, plain]{New: newWhole, Process: (*whole).process, Result: (*whole).plain}

func measure(t testing.TB, rate int, x []float32) hum.Result {
	t.Helper()
	m := meter.Make(t, rate)
	m.process(x)
	return m.Result()
}

func near(t *testing.T, what string, got dsp.Value, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tolerance) {
		t.Errorf("%s: %.3f, want %.3f ± %g", what, got, want, tolerance)
	}
}

func TestLevelAndFrequencyAreTrue(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, c := range []struct {
		rate  int
		hz    float64
		level float64
	}{
		{8000, 50, -55}, {16000, 49.75, -40}, {16000, 60.2, -55}, {44100, 50.23, -55}, {48000, 60, -40}, {11025, 59.9, -50}, {96000, 50, -45},
	} {
		x := dsptest.Mix(dsptest.Hum(10*c.rate, c.rate, c.hz, c.level, 3), dsptest.Pink(10*c.rate, -65, 1))
		r := measure(t, c.rate, x)
		name := fmt.Sprintf("%v Hz at %v dBov, %d Hz", c.hz, c.level, c.rate)
		near(t, name, r.Level, c.level, 0.3)
		near(t, name+": frequency", r.Hz, c.hz, 0.03)
		if r.Seconds < 0.99*r.Heard || r.Prominence < 20 || r.OddShare < 0.2 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestFundamentalAloneIsHum(t *testing.T) {
	t.Parallel()
	for _, hz := range []float64{50, 60} {
		x := dsptest.Mix(dsptest.Tone(160000, 16000, hz, -50), dsptest.Noise(160000, -60, 1))
		r := measure(t, 16000, x)
		near(t, "frequency", r.Hz, hz, 0.02)
		near(t, "level", r.Level, -50, 0.2)
	}
}

func TestHumIsHeardThroughSpeech(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
		x := metertest.Speech(t, name, 16000, 20)
		x = dsptest.Mix(x, dsptest.Hum(len(x), 16000, 50.04, -49, 7), dsptest.Pink(len(x), -60, 1))
		r := measure(t, 16000, x)
		near(t, name+": level", r.Level, -49, 0.6)
		near(t, name+": frequency", r.Hz, 50.04, 0.05)
		if r.Prominence < 17 || r.Seconds < 0.9*r.Heard {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestHumIsHeardBehindATrunksHighPass(t *testing.T) {
	t.Parallel()
	x := metertest.Speech(t, "agent-1", 8000, 20)
	x = dsptest.BandPass(dsptest.Mix(x, dsptest.Hum(len(x), 8000, 60, -40, 1)), 8000, 300, 3400)
	x = dsptest.BandPass(x, 8000, 300, 3400)
	r := measure(t, 8000, dsptest.Mix(x, dsptest.Noise(len(x), -65, 1)))
	near(t, "frequency", r.Hz, 60, 0.05)
	if r.Seconds < 8 || r.Level > -40 {
		t.Errorf("%+v", r)
	}
}

// hasHum says whether a judge that wants 8 s of it, and half of the time or 12 s in one
// piece, would find it, loud or not.
func hasHum(r hum.Result) bool {
	return r.Seconds >= 8 && (r.Seconds >= 0.5*r.Heard || r.Longest >= 12)
}

func TestVoicesMusicAndMachinesAreNoHum(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 16000
	fan := dsptest.Mix(dsptest.Tone(24*rate, rate, 55, -40), dsptest.Tone(24*rate, rate, 110, -45), dsptest.Pink(24*rate, -50, 1))
	ring := dsptest.Mix(dsptest.Tone(24*rate, rate, 400, -20), dsptest.Tone(24*rate, rate, 450, -20), dsptest.Noise(24*rate, -70, 1))
	dial := dsptest.Mix(dsptest.Tone(24*rate, rate, 350, -20), dsptest.Tone(24*rate, rate, 440, -20), dsptest.Noise(24*rate, -70, 1))
	for name, x := range map[string][]float32{
		"a monotone voice at 100 Hz": monotone(24*rate, rate, 100, 0),
		"a monotone voice at 120 Hz": monotone(24*rate, rate, 120, 0),
		"a voice around 98 Hz":       monotone(24*rate, rate, 98, 0.05),
		"a fan that turns at 55 Hz":  fan,
		"a ring at 400 and 450 Hz":   ring,
		"a dial tone":                dial,
		"digits":                     dsptest.DTMF("0123456789*#0123456789*#0123456789*#0123456789*#0123456789*#", rate, -15),
		"a room":                     dsptest.Pink(24*rate, -40, 2),
		"hiss":                       dsptest.Noise(24*rate, -40, 3),
		"wind":                       dsptest.Wind(24*rate, rate, -35, 4),
		"a GSM phone":                dsptest.Buzz(24*rate, rate, dsptest.GSM(), 0.5, -40, 5),
		"digital silence":            make([]float32, 24*rate),
		"a note held for 4 s":        held(24*rate, rate, 100, 4),
	} {
		if r := measure(t, rate, x); hasHum(r) {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
		if r := measure(t, rate, metertest.Speech(t, name, rate, 0)); hasHum(r) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// monotone is a pulse train through two resonances, in syllables of 0.25 s with a pause
// after every eighth; its pitch wanders by a share of stray.
func monotone(n, rate int, pitch, stray float64) []float32 {
	x := make([]float32, n)
	phase := 0.0
	for i := range x {
		at := float64(i) / float64(rate)
		phase += pitch * (1 + stray*math.Sin(2*math.Pi*0.7*at)) / float64(rate)
		if phase >= 1 {
			phase--
			if syllable := math.Mod(at, 2.5); syllable < 2 {
				x[i] = float32(math.Sin(math.Pi * math.Mod(syllable, 0.25) / 0.25))
			}
		}
	}
	y := dsptest.Mix(dsptest.BandPass(x, rate, 80, 700), dsptest.Gain(dsptest.BandPass(x, rate, 1000, 1500), -10))
	return dsptest.Mix(dsptest.ToLevel(y, -22), dsptest.Noise(n, -70, 1))
}

// held is one pause with a note of some seconds in the middle.
func held(n, rate int, hz, seconds float64) []float32 {
	x := dsptest.Noise(n, -70, 1)
	note := dsptest.Mix(dsptest.Tone(int(seconds*float64(rate)), rate, hz, -25), dsptest.Tone(int(seconds*float64(rate)), rate, 3*hz, -25))
	for i, v := range note {
		x[n/2+i] += v
	}
	return x
}

func TestRectifiedMainsHaveNoOddHarmonics(t *testing.T) {
	t.Parallel()
	x := dsptest.Mix(dsptest.Tone(160000, 16000, 100, -45), dsptest.Tone(160000, 16000, 200, -50), dsptest.Tone(160000, 16000, 300, -52), dsptest.Noise(160000, -60, 1))
	r := measure(t, 16000, x)
	near(t, "frequency", r.Hz, 50, 0.02)
	near(t, "odd share", r.OddShare, 0, 0.02)
}

func TestNoWindowReachesAcrossAGap(t *testing.T) {
	t.Parallel()
	m := meter.Make(t, 16000)
	x := dsptest.Hum(16000, 16000, 50, -40, 1)
	for range 5 {
		m.process(x) // 1 s is never enough
		m.Gap()
	}
	if r := m.Result(); r.Heard != 0 || r.Hz.Valid() {
		t.Errorf("%+v", r)
	}
}

func TestHumIsHeardBetweenLostPackets(t *testing.T) {
	t.Parallel()
	m := meter.Make(t, 16000)
	x := metertest.Speech(t, "agent-2", 16000, 20)
	x = dsptest.Mix(x, dsptest.Hum(len(x), 16000, 60, -46, 1), dsptest.Pink(len(x), -60, 1))
	for i, lost := range dsptest.Loss(len(x)/320, 0.01, 2, 1) {
		if lost {
			m.Gap()
		} else {
			m.process(x[320*i:][:320])
		}
	}
	r := m.Result()
	near(t, "level", r.Level, -46, 1)
	near(t, "frequency", r.Hz, 60, 0.1)
	if r.Seconds < 8 || r.Seconds < 0.7*r.Heard {
		t.Errorf("%+v", r)
	}
}

func TestBrokenSamplesCountAsZero(t *testing.T) {
	t.Parallel()
	x := dsptest.Mix(dsptest.Hum(8*8000, 8000, 50, -40, 1), dsptest.Noise(8*8000, -60, 1))
	zeroed := append([]float32(nil), x...)
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e30} {
		x[9000*i+500], zeroed[9000*i+500] = float32(v), 0
	}
	if a, b := meter.Measure(t, 8000, x), meter.Measure(t, 8000, zeroed); a != b {
		t.Errorf("%+v with broken samples, %+v without", a, b)
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	t.Parallel()
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 8000, dsptest.Mix(dsptest.Hum(36000, 8000, 50, -40, 1), dsptest.Noise(36000, -60, 1)))
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, dsptest.Noise(4000, -30, 1))
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkProcess(b *testing.B) { // 20 ms of the low band
	m, _ := hum.New(16000)
	d, _ := lowband.New(16000)
	x := dsptest.Mix(dsptest.Hum(160000, 16000, 50, -45, 1), dsptest.Pink(160000, -60, 1))
	low := d.Process(nil, x)
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 40) % (len(low) - 40) {
		m.Process(low[i : i+40])
	}
}
