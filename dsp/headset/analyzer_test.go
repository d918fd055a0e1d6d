package headset_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

func analyzer(t testing.TB, rate int, tap headset.Tap) *headset.Analyzer {
	t.Helper()
	a, err := headset.New(headset.Config{SampleRate: rate, Tap: tap})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func report(t testing.TB, rate int, tap headset.Tap, x []float32) headset.Report {
	t.Helper()
	a := analyzer(t, rate, tap)
	a.Process(x, 0)
	return a.Report()
}

// speech gives the first 16 s of one of the project's recordings at a rate: about -22 dBov,
// floor -78, and more than the 10 s of speech that every finding can be made from.
func speech(t testing.TB, name string, rate int) []float32 {
	t.Helper()
	return metertest.Speech(t, name, rate, 16)
}

// same compares reports; not-measured values are equal.
func same(a, b headset.Report) bool {
	return reflect.DeepEqual(plain(a), plain(b))
}

func plain(r headset.Report) headset.Report {
	v := reflect.ValueOf(&r.Metrics).Elem()
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Float64 && math.IsNaN(f.Float()) {
			f.SetFloat(-999)
		}
	}
	return r
}

func near(t *testing.T, what string, got dsp.Value, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tolerance) {
		t.Errorf("%s: %.3f, want %.3f ± %g", what, got, want, tolerance)
	}
}

func TestReadingsGiveEachSecondItsLevels(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 44100} {
		a := analyzer(t, rate, headset.TapMic)
		a.Process(dsptest.Tone(2*rate, rate, 1000, -20), 0)
		a.Process(make([]float32, rate/2), dsp.Lost)
		a.Process(dsptest.Tone(rate/2, rate, 1000, -30), 0)
		a.Process(dsptest.Tone(rate, rate, 1000, -10), dsp.Muted)
		var got []headset.Reading
		for r, ok := a.Reading(); ok; r, ok = a.Reading() {
			got = append(got, r)
		}
		if len(got) != 4 {
			t.Fatalf("%d Hz: %d readings of 4 s", rate, len(got))
		}
		near(t, "level", got[0].Level, -20, 0.01)
		near(t, "active level", got[1].ActiveLevel, -20, 0.1)
		near(t, "level of a half scored second", got[2].Level, -30, 0.01)
		near(t, "peak of a half scored second", got[2].Peak, -27, 0.1)
		if got[2].Scored != 0.5 || got[3].Scored != 0 || got[0].Scored != 1 {
			t.Errorf("scored shares %v %v %v", got[0].Scored, got[2].Scored, got[3].Scored)
		}
		if got[3].Level.Valid() || got[3].Peak.Valid() || got[3].Clipped.Valid() {
			t.Errorf("a muted second was measured: %+v", got[3])
		}
		if got[3].At != 4 {
			t.Errorf("the fourth second ends at %v", got[3].At)
		}
	}
}

func TestReadingsFollowSpeechNoiseAndClipping(t *testing.T) {
	t.Parallel()
	a := analyzer(t, 16000, headset.TapMic)
	x := dsptest.Quantize(dsptest.Overdrive(dsptest.AddNoise(metertest.Speech(t, "agent-1", 16000, 0), -52, 1), 12, 0.7))
	a.Process(x, 0)
	var last headset.Reading
	var talk, clipped float64
	for r, ok := a.Reading(); ok; r, ok = a.Reading() {
		talk += r.Speech
		clipped += float64(r.Clipped) * 16000
		last = r
	}
	if talk < 12 || talk > 17 {
		t.Errorf("%.1f s of speech", talk)
	}
	near(t, "noise floor of the last 10 s", last.NoiseFloor, -40, 0.7)
	near(t, "samples clipped, second by second", dsp.Value(clipped), float64(a.Report().Metrics.ClippedShare)*float64(len(x)), 40)
}

func TestUnfetchedReadingsAreBounded(t *testing.T) {
	t.Parallel()
	a := analyzer(t, 8000, headset.TapWire)
	second := make([]float32, 8000)
	for range 650 {
		a.Process(second, dsp.Held)
	}
	first, _ := a.Reading()
	n := 1
	for _, ok := a.Reading(); ok; _, ok = a.Reading() {
		n++
	}
	if n != 120 || first.At != 531 {
		t.Errorf("%d readings from second %v on", n, first.At)
	}
}

func TestMarkedFramesNeverCount(t *testing.T) {
	t.Parallel()
	const rate = 16000
	clean := speech(t, "agent-2", rate)
	want := report(t, rate, headset.TapMic, clean)
	a := analyzer(t, rate, headset.TapMic)
	junk := dsptest.Overdrive(dsptest.Noise(rate/5, 0, 1), 20, 1)
	marks := []dsp.Mark{dsp.Lost, dsp.Concealed, dsp.ComfortNoise, dsp.Held, dsp.Muted, dsp.Lost | dsp.Held}
	for i := 0; i < len(clean); i += rate {
		a.Process(clean[i:min(len(clean), i+rate)], 0)
		a.Process(junk, marks[i/rate%len(marks)])
	}
	got := a.Report()
	if len(got.Findings) != 0 {
		t.Errorf("findings %+v", got.Findings)
	}
	near(t, "active level", got.Metrics.ActiveLevel, float64(want.Metrics.ActiveLevel), 0.1)
	near(t, "noise floor", got.Metrics.NoiseFloor, float64(want.Metrics.NoiseFloor), 0.3)
	near(t, "peak", got.Metrics.Peak, float64(want.Metrics.Peak), 0)
	if got.Duration < want.Duration*1.19 {
		t.Errorf("marked time does not pass: %.1f s", got.Duration)
	}
}

func TestSNRIsTrueFrom10To35(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		rate int
	}{{"agent-2", 8000}} {
		clean := metertest.Speech(t, c.name, c.rate, 10)
		level := float64(report(t, c.rate, headset.TapMic, clean).Metrics.ActiveLevelHP)
		for _, snr := range []float64{10, 15, 22, 35} {
			m := report(t, c.rate, headset.TapMic, dsptest.AddNoise(clean, level-snr, 5)).Metrics
			near(t, c.name+" SNR", m.SNR, snr, 1)
			near(t, c.name+" floor", m.NoiseFloor, level-snr, 0.5)
			if valid := snr > 16; m.ActiveValid != valid {
				t.Errorf("%s at %v dB SNR: active level valid is %v", c.name, snr, m.ActiveValid)
			}
		}
	}
}

func TestRecordersRatesAreMeasuredAlike(t *testing.T) {
	t.Parallel()
	measure := func(rate int, x []float32) (level, floor, clipped dsp.Value) {
		noisy := report(t, rate, headset.TapMic, dsptest.AddNoise(x, -45, 5)).Metrics
		level, floor = noisy.ActiveLevel, noisy.NoiseFloor
		clipped = report(t, rate, headset.TapMic, dsptest.Quantize(dsptest.Overdrive(x, 9, 0.7))).Metrics.ClippedShare
		return level, floor, clipped
	}
	level, floor, clipped := measure(16000, metertest.Speech(t, "agent-2", 16000, 4))
	cd := metertest.Speech(t, "agent-2", 44100, 4)
	for rate, x := range map[int][]float32{11025: every(4, cd), 22050: every(2, cd), 96000: between(metertest.Speech(t, "agent-2", 48000, 4))} {
		gotLevel, gotFloor, gotClipped := measure(rate, x)
		near(t, fmt.Sprint("active level at ", rate, " Hz"), gotLevel, float64(level), 0.1)
		near(t, fmt.Sprint("noise floor at ", rate, " Hz"), gotFloor, float64(floor), 0.3)
		near(t, fmt.Sprint("clipped share at ", rate, " Hz"), gotClipped, float64(clipped), 0.05*float64(clipped))
	}
}

// every takes each nth sample, between puts one between any two.
func every(n int, x []float32) []float32 {
	y := make([]float32, 0, len(x)/n+1)
	for i := 0; i < len(x); i += n {
		y = append(y, x[i])
	}
	return y
}

func between(x []float32) []float32 {
	y := make([]float32, 0, 2*len(x))
	for i, v := range x {
		y = append(y, v, (v+x[min(i+1, len(x)-1)])/2)
	}
	return y
}

func TestNothingHeardIsNothingMeasured(t *testing.T) {
	t.Parallel()
	r := analyzer(t, 16000, headset.TapMic).Report()
	if r.Findings == nil || len(r.Findings) != 0 || r.Metrics.Level.Valid() || r.Metrics.ClippedShare.Valid() || r.Duration != 0 {
		t.Errorf("%+v", r)
	}
}

func TestBrokenSamplesChangeAlmostNothing(t *testing.T) {
	t.Parallel()
	clean := metertest.Speech(t, "agent-3", 16000, 10)
	want := report(t, 16000, headset.TapMic, clean)
	x := append([]float32(nil), clean...)
	for i := 999; i < len(x); i += 16000 {
		x[i], x[i+1], x[i+2] = float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))
	}
	got := report(t, 16000, headset.TapMic, x)
	if len(got.Findings) != 0 {
		t.Errorf("findings %+v", got.Findings)
	}
	near(t, "active level", got.Metrics.ActiveLevel, float64(want.Metrics.ActiveLevel), 0.05)
	near(t, "noise floor", got.Metrics.NoiseFloor, float64(want.Metrics.NoiseFloor), 0.3)
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	t.Parallel()
	x := dsptest.Quantize(dsptest.Overdrive(metertest.Speech(t, "caller-1", 8000, 2), 12, 0.6))
	whole := analyzer(t, 8000, headset.TapMic)
	whole.Process(x[:7000], 0)
	whole.Process(x[7000:9000], dsp.Concealed)
	whole.Process(x[9000:], 0)
	want := whole.Report()
	rapid.Check(t, func(t *rapid.T) {
		a, err := headset.New(headset.Config{SampleRate: 8000, Tap: headset.TapMic})
		if err != nil {
			t.Fatal(err)
		}
		a.Process(x[:rapid.IntRange(0, 3000).Draw(t, "before reset")], 0)
		a.ProcessFar(x[:1000])
		a.Reset()
		for at := 0; at < len(x); {
			end := min(at+rapid.IntRange(1, 9000).Draw(t, "chunk"), len(x))
			mark := dsp.Mark(0)
			switch {
			case at < 7000:
				end = min(end, 7000)
			case at < 9000:
				end, mark = min(end, 9000), dsp.Concealed
			}
			a.Process(x[at:end], mark)
			at = end
		}
		if got := a.Report(); !same(got, want) {
			t.Fatalf("%+v\nwant %+v", got, want)
		}
		n := 0
		for _, ok := a.Reading(); ok; _, ok = a.Reading() {
			n++
		}
		if n != 2 {
			t.Fatalf("%d readings of 2 s", n)
		}
	})
}

func TestProcessDoesNotAllocate(t *testing.T) {
	for _, tap := range []headset.Tap{headset.TapMic, headset.TapWire} {
		a := analyzer(t, 16000, tap)
		x := metertest.Speech(t, "agent-2", 16000, 2)[16000 : 16000+320]
		allocs := testing.AllocsPerRun(500, func() {
			a.Process(x, 0)
			a.ProcessFar(x)
			a.Process(x[:100], dsp.Lost)
			a.Reading()
		})
		if allocs != 0 {
			t.Errorf("%s: %v allocations a frame", tap, allocs)
		}
	}
}

func TestRefusesWhatItCannotMeasure(t *testing.T) {
	t.Parallel()
	for _, c := range []headset.Config{
		{},
		{SampleRate: 7999, Tap: headset.TapMic},
		{SampleRate: 96001, Tap: headset.TapMic},
		{SampleRate: 16000, Tap: "both"},
	} {
		if _, err := headset.New(c); err == nil {
			t.Errorf("took %+v", c)
		}
	}
}

// FuzzAnalyzer takes any bytes as samples in any chunks, at both taps, at any rate, with a
// far end that comes in other chunks: nothing panics, and every number that comes out, in
// readings, events, metrics and findings, is finite or not measured.
func FuzzAnalyzer(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x7f, 0xff, 0xff, 0xff, 0x7f}, uint8(3), uint8(0), uint8(0))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 0x3f, 0, 0, 0, 0xbf}, 500), uint8(200), uint8(1), uint8(5))
	f.Add(bytes.Repeat([]byte{0, 0, 0, 0x3f, 0, 0, 0, 0, 1, 2, 3, 0x3d}, 300), uint8(80), uint8(0), uint8(9))
	rates := []int{8000, 11025, 16000, 44100, 48000}
	f.Fuzz(func(t *testing.T, raw []byte, chunk, mark, kind uint8) {
		if len(raw) < 4 {
			return
		}
		rate, tap := rates[int(kind/2)%len(rates)], []headset.Tap{headset.TapMic, headset.TapWire}[kind%2]
		x := make([]float32, min(3*rate, 40000)) // long enough for most meters to speak
		for i := range x {
			at := 4 * (i % (len(raw) / 4))
			x[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[at:]))
		}
		a := analyzer(t, rate, tap)
		for i := 0; i < len(x); i += int(chunk) + 1 {
			piece := x[i:min(len(x), i+int(chunk)+1)]
			a.Process(piece, dsp.Mark(mark)&dsp.Mark(i))
			if i%3 == 0 {
				a.ProcessFar(x[i:min(len(x), i+3*(int(chunk)+1))])
			}
		}
		for r, ok := a.Reading(); ok; r, ok = a.Reading() {
			finite(t, "reading", reflect.ValueOf(r))
		}
		for e, ok := a.Event(); ok; e, ok = a.Event() {
			finite(t, "event", reflect.ValueOf(e))
			if e.At < 0 || e.Length <= 0 || e.Kind == "" {
				t.Errorf("event %+v", e)
			}
		}
		r := a.Report()
		finite(t, "report", reflect.ValueOf(r))
		for _, finding := range r.Findings {
			if !finding.Value.Valid() || !finding.Limit.Valid() || finding.Text == "" {
				t.Errorf("%+v", finding)
			}
		}
		if _, err := json.Marshal(r); err != nil {
			t.Error(err)
		}
	})
}

// finite checks all numbers in v: none is infinite, and only a dsp.Value may be absent.
func finite(t *testing.T, name string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			finite(t, name, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			finite(t, name+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Float64:
		x := v.Float()
		if math.IsInf(x, 0) || math.IsNaN(x) && v.Type() != reflect.TypeFor[dsp.Value]() {
			t.Errorf("%s is %v", name, x)
		}
	}
}

func BenchmarkProcess(b *testing.B) {
	for _, tap := range []headset.Tap{headset.TapMic, headset.TapWire} {
		b.Run(string(tap)+" 20ms at 16k", func(b *testing.B) {
			x := speech(b, "agent-1", 16000)
			a := analyzer(b, 16000, tap)
			b.ReportAllocs()
			at := 0
			for b.Loop() {
				a.Process(x[at:at+320], 0)
				if at += 320; at+320 > len(x) {
					at = 0
				}
			}
		})
	}
}
