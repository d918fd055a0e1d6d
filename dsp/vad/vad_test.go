package vad_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/dsp/vad"
	"github.com/headroom-voice/headroom/testdata"
)

var rates = []int{8000, 16000, 44100, 48000}

func detect(t *testing.T, rate int, x []float32) *vad.Detector {
	t.Helper()
	d, err := vad.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	d.Process(highPass(rate, x))
	return d
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

func TestHearsAboutAsMuchSpeechAsThereIs(t *testing.T) {
	for _, rate := range []int{8000, 44100} {
		for _, snr := range []float64{40, 15} {
			x := dsptest.AddNoise(speech(t, "agent-anna", rate), -22-snr, 7)
			d := detect(t, rate, x)
			// The lines of the recording last 14.2 s, their inner pauses included.
			if s := d.SpeechSeconds(); s < 10.5 || s > 16 {
				t.Errorf("%d Hz, %v dB SNR: %.1f s of speech in %.1f s", rate, snr, s, d.Seconds())
			}
		}
	}
}

func TestHearsNoSpeechInNoiseTonesAndSilence(t *testing.T) {
	for _, rate := range rates {
		keys := make([]float32, 0, 6*rate)
		for len(keys) < 5*rate { // a keypad: 80 ms on, 80 ms off
			n := rate * 8 / 100
			keys = append(keys, dsptest.Mix(dsptest.Tone(n, rate, 770, -9), dsptest.Tone(n, rate, 1336, -7))...)
			keys = append(keys, make([]float32, n)...)
		}
		for name, x := range map[string][]float32{
			"silence":     make([]float32, 5*rate),
			"loud noise":  dsptest.Noise(5*rate, -20, 1),
			"quiet noise": dsptest.Noise(5*rate, -60, 2),
			"tone":        dsptest.Tone(5*rate, rate, 440, -10),
			"keypad":      dsptest.AddNoise(keys, -70, 3),
		} {
			if s := detect(t, rate, x).SpeechSeconds(); s > 0.5 {
				t.Errorf("%d Hz %s: %.1f s of speech", rate, name, s)
			}
		}
	}
}

func TestBrokenSamplesAreNotSpeech(t *testing.T) {
	x := dsptest.Noise(80000, -60, 4)
	for i := 0; i < len(x); i += 1001 {
		x[i] = float32(math.NaN())
		x[i+1] = float32(math.Inf(-1))
	}
	d, _ := vad.New(8000)
	d.Process(x)
	if d.SpeechSeconds() > 0 || math.IsNaN(d.Last().PowerDB) {
		t.Errorf("%.2f s, %+v", d.SpeechSeconds(), d.Last())
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	x := highPass(8000, speech(t, "caller-dave", 8000))[:12000]
	whole, _ := vad.New(8000)
	whole.Process(x)
	rapid.Check(t, func(t *rapid.T) {
		d, _ := vad.New(8000)
		d.Process(x[:rapid.IntRange(0, len(x)).Draw(t, "before reset")])
		d.Reset()
		for rest := x; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			d.Process(rest[:n])
			rest = rest[n:]
		}
		if d.SpeechSeconds() != whole.SpeechSeconds() || d.Last() != whole.Last() {
			t.Fatalf("%.2f s %+v, want %.2f s %+v", d.SpeechSeconds(), d.Last(), whole.SpeechSeconds(), whole.Last())
		}
	})
}

func TestGapDropsTheFrameUnderWay(t *testing.T) {
	d, _ := vad.New(8000)
	d.Process(dsptest.Noise(100, 0, 1))
	d.Gap()
	d.Process(make([]float32, 160))
	if d.Seconds() != 0.02 || d.Last().PowerDB != -120 {
		t.Errorf("%.2f s, %+v", d.Seconds(), d.Last())
	}
}

func TestProcessDoesNotAllocate(t *testing.T) {
	d, _ := vad.New(16000)
	x := speech(t, "agent-ben", 16000)[16000:16320]
	if n := testing.AllocsPerRun(100, func() { d.Process(x) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

func TestRefusesImpossibleRates(t *testing.T) {
	for _, rate := range []int{0, 3999, 1 << 20} {
		if _, err := vad.New(rate); err == nil {
			t.Errorf("took %d Hz", rate)
		}
	}
}

func BenchmarkProcess(b *testing.B) {
	d, _ := vad.New(16000)
	x := dsptest.Noise(320, -30, 1)
	b.ReportAllocs()
	for b.Loop() {
		d.Process(x)
	}
}
