package clip_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/headroom-voice/headroom/dsp/clip"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

var meter = metertest.Meter[*clip.Meter, clip.Result]{New: clip.New, Process: (*clip.Meter).Process, Result: (*clip.Meter).Result}

func measure(t *testing.T, rate int, x []float32) clip.Result {
	t.Helper()
	return meter.Measure(t, rate, x)
}

func speech(t *testing.T, name string, rate int) []float32 {
	t.Helper()
	return dsptest.Quantize(metertest.Speech(t, name, rate, 5))
}

func TestCountsEveryClippedSampleAtAnyCeiling(t *testing.T) {
	for _, c := range []struct {
		name    string
		rate    int
		gain    float64 // dB over the ceiling
		ceiling float32
	}{
		{"caller-1", 8000, 9, 1},
		{"agent-1", 8000, 9, 0.7079},
		{"agent-1", 16000, 15, 0.25},
		{"agent-2", 16000, 9, 1 - 1.0/32768},
		{"agent-2", 44100, 12, 0.5},
		{"agent-1", 48000, 15, 0.7079},
	} {
		x := dsptest.Overdrive(speech(t, c.name, c.rate), c.gain+20*math.Log10(float64(c.ceiling)), c.ceiling)
		x = dsptest.Quantize(x)
		top := dsptest.Quantize([]float32{c.ceiling, -c.ceiling})
		var want uint64
		for _, v := range x {
			if v == top[0] || v == top[1] {
				want++
			}
		}
		r := measure(t, c.rate, x)
		if r.Clipped != want || r.Events == 0 || r.Longest < 3 {
			t.Errorf("%+v: %d of %d (%+v)", c, r.Clipped, want, r)
		}
		if level := 20 * math.Log10(float64(c.ceiling)); math.Abs(float64(r.Ceiling)-level) > 0.01 {
			t.Errorf("ceiling %.2f dBov, want %.2f", r.Ceiling, level)
		}
	}
}

func TestCeilingIsFoundAfterABumpAndAfterTheGainChanged(t *testing.T) {
	x := dsptest.Overdrive(speech(t, "agent-1", 16000), 10, 0.5)
	loud := append([]float32(nil), x...)
	loud[8000], loud[8001] = 0.95, -0.93 // someone knocks on the microphone
	quiet := dsptest.Gain(x, -8)
	r := measure(t, 16000, dsptest.Quantize(append(loud, quiet...)))
	var want uint64
	for _, v := range x {
		if v == 0.5 || v == -0.5 {
			want++
		}
	}
	if lo := want * 2 * 8 / 10; r.Clipped < lo || r.Clipped > want*2 {
		t.Errorf("%d clipped, want nearly %d", r.Clipped, want*2)
	}
}

func TestLoudCleanSoundIsNotClipping(t *testing.T) {
	for _, rate := range []int{8000, 16000} {
		sounds := map[string][]float32{}
		for _, name := range []string{"agent-2", "caller-1"} {
			x := speech(t, name, rate)
			peak := 0.0
			for _, v := range x {
				peak = math.Max(peak, math.Abs(float64(v)))
			}
			x = dsptest.Gain(x, -20*math.Log10(peak)-0.001)
			sounds[name] = x
			sounds[name+" 8 bit"] = coarse(x, func(v float64) float64 { return math.Round(v*127) / 128 })
			sounds[name+" mu-law"] = coarse(x, muLaw)
			sounds[name+" mu-law at -10"] = coarse(dsptest.Gain(x, -10), muLaw)
		}
		for _, hz := range []float64{50, 100, 440, 997, 1000, 2000, 3333} {
			sounds["tone"] = dsptest.Tone(rate, rate, hz, -3.02)
			sounds["quiet tone"] = dsptest.Tone(rate, rate, hz, -24)
			sounds["tone mu-law"] = coarse(sounds["tone"], muLaw)
		}
		for _, low := range []float64{697, 770, 852, 941} {
			for _, high := range []float64{1209, 1336, 1477, 1633} {
				sounds["keypad"] = dsptest.Mix(dsptest.Tone(rate/2, rate, low, -9.1), dsptest.Tone(rate/2, rate, high, -9.1))
			}
		}
		sounds["noise"] = dsptest.Noise(2*rate, -14, 1)
		for name, x := range sounds {
			if r := measure(t, rate, dsptest.Quantize(x)); r.Clipped != 0 {
				t.Errorf("%s at %d Hz reads as clipping: %+v", name, rate, r)
			}
		}
	}
}

func coarse(x []float32, f func(float64) float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(f(float64(v)))
	}
	return y
}

// muLaw rounds a sample as G.711 mu-law does (segments of sixteen steps).
func muLaw(v float64) float64 {
	a := math.Min(math.Abs(v)*8192, 8158) + 33
	step := math.Exp2(math.Floor(math.Log2(a)) - 4)
	return math.Copysign((math.Floor(a/step)*step+step/2-33)/8192, v)
}

func TestInstalledRecordingsAreNotClipped(t *testing.T) {
	var paths []string
	for _, pattern := range []string{
		"/usr/share/pocketsphinx/test/data/librivox/*08*.wav",
		"/usr/share/sounds/alsa/Front_*.wav",
		"/usr/share/asterisk/sounds/en_US_f_Allison/agent-i*.wav",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	if len(paths) == 0 {
		t.Skip("no recordings installed")
	}
	for _, path := range paths {
		x, rate := metertest.Recording(t, path)
		if r := measure(t, rate, x); r.Share() > 0.0001 {
			t.Errorf("%s: %+v", path, r)
		}
	}
}

func TestSilenceAndBrokenSamplesAreNotClipping(t *testing.T) {
	x := make([]float32, 48000)
	for i := 100; i < len(x); i += 50 {
		x[i] = float32(math.NaN())
		x[i+1] = float32(math.Inf(1))
		x[i+2] = float32(math.Inf(-1))
	}
	if r := measure(t, 16000, x); r.Clipped != 0 || r.Ceiling.Valid() || r.Share() != 0 {
		t.Errorf("%+v", r)
	}
	if r := measure(t, 16000, nil); r.Share().Valid() {
		t.Errorf("a share of nothing: %+v", r)
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	x := dsptest.Quantize(dsptest.Overdrive(speech(t, "caller-1", 8000), 12, 0.8))[:12000]
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 8000, x)
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, dsptest.Overdrive(speech(t, "agent-2", 16000), 12, 0.8)[16000:16320])
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

// BenchmarkProcess measures speech, as loud as it comes.
func BenchmarkProcess(b *testing.B) {
	x := dsptest.Quantize(metertest.Speech(b, "agent-1", 16000, 0))
	m := meter.Make(b, 16000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 320) % (len(x) - 320) {
		m.Process(x[i : i+320])
	}
}

func TestKnowingThePeakChangesNothing(t *testing.T) {
	const rate, block = 16000, 320
	x := dsptest.Overdrive(dsptest.Noise(4*rate, -20, 1), 6, 0.3)
	for i := range x {
		x[i] *= float32(1+i/4000%5) / 5 // a ceiling in some blocks only
	}
	a, b := meter.Make(t, rate), meter.Make(t, rate)
	peaks, err := clip.NewPeaks(rate)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+block <= len(x); i += block {
		a.Process(x[i : i+block])
		peaks.Process(x[i:i+block], false)
		b.ProcessUpTo(x[i:i+block], peaks.Peak())
	}
	if a.Result() != b.Result() || a.Result().Clipped == 0 {
		t.Errorf("%+v, with the peak known %+v", a.Result(), b.Result())
	}
}
