package buzz_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/buzz"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/spectrum"
)

// whole is a meter with its spectrum, taking samples in any chunks.
type whole struct {
	*buzz.Meter
	spectrum *spectrum.Analyzer
	block    []float32
	fill     int
}

func newWhole(rate int) (*whole, error) {
	m, err := buzz.New(rate)
	if err != nil {
		return nil, err
	}
	s, err := spectrum.New(rate)
	return &whole{Meter: m, spectrum: s, block: make([]float32, s.Hop())}, err
}

func (w *whole) process(x []float32) {
	for len(x) > 0 {
		n := copy(w.block[w.fill:], x)
		w.fill += n
		x = x[n:]
		if w.fill == len(w.block) {
			w.Process(w.spectrum.Next(w.block))
			w.fill = 0
		}
	}
}

func (w *whole) Gap() {
	w.fill = 0
	w.spectrum.Gap()
	w.Meter.Gap()
}

func (w *whole) Reset() {
	w.fill = 0
	w.spectrum.Reset()
	w.Meter.Reset()
}

// plain is a Result whose values compare equal when not measured.
type plain struct {
	radio                              buzz.Radio
	hz, level, prominence, secs, heard float64
	bursts                             int
}

func (w *whole) plain() plain {
	r := w.Result()
	f := func(v dsp.Value) float64 {
		if !v.Valid() {
			return -999
		}
		return float64(v)
	}
	return plain{r.Radio, f(r.Hz), f(r.Level), f(r.Prominence), r.Seconds, r.Heard, r.Bursts}
}

var meter = metertest.Meter[*whole, plain]{New: newWhole, Process: (*whole).process, Result: (*whole).plain}

func measure(t testing.TB, rate int, x []float32) buzz.Result {
	t.Helper()
	m := meter.Make(t, rate)
	m.process(x)
	return m.Result()
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.3f, want %.3f ± %g", what, got, want, tolerance)
	}
}

// pulses are a radio's bursts of whole seconds every three, with their edges sharp.
func pulses(n, rate int, hz, seconds, levelDBov float64) []float32 {
	x := make([]float32, n)
	for i := range x {
		at := float64(i) / float64(rate)
		if math.Mod(at, 3) < seconds && math.Mod(at*hz, 1) < hz*0.0005 {
			x[i] = 1
		}
	}
	x = dsptest.BandPass(x, rate, 60, 3400)
	return dsptest.ToLevel(x, levelDBov+10*math.Log10(seconds/3))
}

func TestBothRadiosAreToldAndMeasured(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, rate := range []int{8000, 16000, 44100, 48000} {
		for want, hz := range map[buzz.Radio]float64{buzz.GSM: 13 / 0.06, buzz.DECT: 100} {
			x := dsptest.Mix(pulses(12*rate, rate, hz, 2, -45), dsptest.Pink(12*rate, -60, 1))
			r := measure(t, rate, x)
			name := fmt.Sprintf("%s at %d Hz", want, rate)
			if r.Radio != want || r.Bursts != 4 || r.Prominence < 15 {
				t.Errorf("%s: %+v", name, r)
			}
			near(t, name+": level", float64(r.Level), -45, 1.5)
			near(t, name+": seconds", r.Seconds, 8, 2)
		}
	}
}

func TestFrequencyMayStrayByThreeThousandths(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, hz := range []float64{216.03, 216.4, 216.7, 217, 217.3} {
		x := dsptest.Mix(pulses(9*16000, 16000, hz, 2, -45), dsptest.Noise(9*16000, -60, 1))
		if r := measure(t, 16000, x); r.Radio != buzz.GSM || r.Seconds < 4 {
			t.Errorf("%v Hz: %+v", hz, r)
		}
	}
	for _, hz := range []float64{212, 221} {
		x := dsptest.Mix(pulses(9*16000, 16000, hz, 2, -45), dsptest.Noise(9*16000, -60, 1))
		if r := measure(t, 16000, x); r.Radio != buzz.NoRadio {
			t.Errorf("%v Hz: %+v", hz, r)
		}
	}
}

func TestBuzzIsHeardThroughSpeech(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for i, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
		x := metertest.Speech(t, name, 16000, 20)
		radio, want := dsptest.GSM(), buzz.GSM
		if i%2 == 1 {
			radio, want = dsptest.DECT(), buzz.DECT
		}
		x = dsptest.Mix(x, dsptest.Buzz(len(x), 16000, radio, 0.4, -47, 7), dsptest.Pink(len(x), -60, 1))
		r := measure(t, 16000, x)
		if r.Radio != want || r.Prominence < 15 || r.Seconds < 2 || r.Bursts < 2 {
			t.Errorf("%s: %+v", name, r)
		}
		near(t, name+": level", float64(r.Level), -47, 1.5)
	}
}

func TestVoicesMusicAndMachinesDoNotBuzz(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate, n = 16000, 20 * 16000
	flat := func(hz, wander float64) []float32 { // a sung vowel
		x, phase := make([]float32, n), 0.0
		for i := range x {
			phase += hz * (1 + wander*math.Sin(2*math.Pi*5*float64(i)/rate)) / rate
			if phase >= 1 {
				phase--
				x[i] = 1
			}
		}
		return dsptest.Mix(dsptest.ToLevel(dsptest.BandPass(x, rate, 100, 3000), -22), dsptest.Noise(n, -65, 1))
	}
	for name, x := range map[string][]float32{
		"a voice at 216.7 Hz":  flat(216.7, 0.02),
		"a voice at 100 Hz":    flat(100, 0.02),
		"a note of 220 Hz":     flat(220, 0),
		"hum of 50 Hz":         dsptest.Mix(dsptest.Hum(n, rate, 50, -35, 1), dsptest.Noise(n, -60, 1)),
		"hum of 60 Hz":         dsptest.Mix(dsptest.Hum(n, rate, 60, -35, 1), dsptest.Noise(n, -60, 1)),
		"a steady 100 Hz comb": dsptest.Mix(pulses(2*n, rate, 100, 3, -40), dsptest.Noise(2*n, -60, 1)),
		"a keyboard":           dsptest.Mix(dsptest.Keyboard(n, rate, 6, 0.2, 1), dsptest.Noise(n, -65, 1)),
		"digits":               dsptest.DTMF("0123456789*#0123456789*#0123456789*#0123456789*#", rate, -15),
		"a fan":                dsptest.Fan(n, rate, -40, 1),
		"hiss":                 dsptest.Noise(n, -40, 3),
		"digital silence":      make([]float32, n),
	} {
		if r := measure(t, rate, x); r.Radio != buzz.NoRadio {
			t.Errorf("%s: %+v", name, r)
		}
	}
	for _, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
		if r := measure(t, rate, metertest.Speech(t, name, rate, 0)); r.Radio != buzz.NoRadio {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestNoWindowReachesAcrossAGap(t *testing.T) {
	t.Parallel()
	m := meter.Make(t, 16000)
	x := pulses(16000*2/5, 16000, 13/0.06, 3, -40)
	for range 10 {
		m.process(x) // 0.4 s never fill a window
		m.Gap()
	}
	if r := m.Result(); r.Heard != 0 || r.Radio != buzz.NoRadio {
		t.Errorf("%+v", r)
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	t.Parallel()
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 8000, dsptest.Mix(pulses(24000, 8000, 13/0.06, 2, -40), dsptest.Noise(24000, -60, 1)))
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, dsptest.Noise(4000, -30, 1))
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkProcess(b *testing.B) { // 20 ms
	m, _ := buzz.New(16000)
	s, _ := spectrum.New(16000)
	x := dsptest.Noise(640, -40, 1)
	s.Next(x[:320])
	f := s.Next(x[320:])
	b.ReportAllocs()
	for b.Loop() {
		m.Process(f)
	}
}
