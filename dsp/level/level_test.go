package level_test

import (
	"math"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/level"
)

// figure is one line of what the ITU-T tool (STL actlevel, 16-bit samples) prints.
type figure struct {
	rate                  int
	samples               int
	rms, active, activity float64 // dBov, dBov, percent
}

var meter = metertest.Meter[*level.Meter, level.Result]{New: level.New, Process: (*level.Meter).Process, Result: (*level.Meter).Result}

func measure(t *testing.T, rate int, x []float32) level.Result {
	t.Helper()
	return meter.Measure(t, rate, x)
}

func (f figure) check(t *testing.T, x []float32) {
	t.Helper()
	if len(x) != f.samples {
		t.Fatalf("%d samples, want %d: another recording", len(x), f.samples)
	}
	r := measure(t, f.rate, x)
	near(t, "rms", float64(r.RMS), f.rms, 0.002)
	near(t, "active level", float64(r.Active), f.active, 0.01)
	near(t, "activity %", float64(r.Activity)*100, f.activity, 0.1)
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s: %.3f, want %.3f ± %g", what, got, want, tolerance)
	}
}

// formulaNoise is syllable-like noise that anyone can rebuild: t = n/fs, 12 s; talk = 1
// while (t mod 1) < 0.6 else 0; am = 0.5(1-cos(2 pi 4 t)); u = s_n/2^23 - 1 with s_n =
// state >> 8, state = 1664525 state + 1013904223 mod 2^32 from 12345, advanced before
// each sample; y = floor(32767 * 0.5 * g * talk * am * u + 0.5).
func formulaNoise(rate int, g float64) []float32 {
	x := make([]float32, 12*rate)
	state := uint32(12345)
	for n := range x {
		state = 1664525*state + 1013904223
		u := float64(state>>8)/(1<<23) - 1
		t := float64(n) / float64(rate)
		talk := 0.0
		if math.Mod(t, 1) < 0.6 {
			talk = 1
		}
		am := 0.5 * (1 - math.Cos(2*math.Pi*4*t))
		x[n] = float32(math.Floor(32767*0.5*g*talk*am*u+0.5) / 32768)
	}
	return x
}

// formulaSine is 8 s of y = floor(32767 * 0.25 * sin(2 pi 440 n/fs) + 0.5).
func formulaSine(rate int) []float32 {
	x := make([]float32, 8*rate)
	for n := range x {
		x[n] = float32(math.Floor(32767*0.25*math.Sin(2*math.Pi*440*float64(n)/float64(rate))+0.5) / 32768)
	}
	return x
}

func TestAgreesWithITUToolOnFormulaSignals(t *testing.T) {
	metertest.Long(t)
	for _, c := range []struct {
		name string
		gain float64 // 0 is the sine
		figure
	}{
		{"noise g=1.0 8k", 1, figure{8000, 96000, -17.530, -16.760, 83.757}},
		{"noise g=0.1 8k", 0.1, figure{8000, 96000, -37.530, -36.745, 83.477}},
		{"noise g=0.01 8k", 0.01, figure{8000, 96000, -57.530, -56.734, 83.259}},
		{"sine 8k", 0, figure{8000, 64000, -15.052, -15.039, 99.709}},
		{"noise g=1.0 16k", 1, figure{16000, 192000, -17.519, -16.749, 83.754}},
		{"noise g=0.1 16k", 0.1, figure{16000, 192000, -37.519, -36.734, 83.471}},
		{"noise g=0.01 16k", 0.01, figure{16000, 192000, -57.518, -56.722, 83.256}},
		{"sine 16k", 0, figure{16000, 128000, -15.052, -15.039, 99.709}},
		{"noise g=1.0 48k", 1, figure{48000, 576000, -17.551, -16.779, 83.719}},
		{"noise g=0.1 48k", 0.1, figure{48000, 576000, -37.551, -36.764, 83.433}},
		{"noise g=0.01 48k", 0.01, figure{48000, 576000, -57.551, -56.753, 83.219}},
		{"sine 48k", 0, figure{48000, 384000, -15.052, -15.039, 99.708}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.gain == 0 {
				c.check(t, formulaSine(c.rate))
			} else {
				c.check(t, formulaNoise(c.rate, c.gain))
			}
		})
	}
}

func TestAgreesWithITUToolOnInstalledRecordings(t *testing.T) {
	const (
		asterisk = "/usr/share/asterisk/sounds/en_US_f_Allison/"
		sphinx   = "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"
	)
	for _, c := range []struct {
		path string // Debian: asterisk-core-sounds-en-wav, pocketsphinx-testdata, alsa-utils
		figure
	}{
		{asterisk + "demo-instruct.wav", figure{8000, 586790, -19.356, -19.076, 93.742}},
		{asterisk + "vm-intro.wav", figure{8000, 45235, -18.871, -18.646, 94.945}},
		{asterisk + "agent-newlocation.wav", figure{8000, 26280, -18.976, -18.594, 91.567}},
		{asterisk + "tt-monkeysintro.wav", figure{8000, 21448, -19.120, -18.442, 85.530}},
		{sphinx + "0870.wav", figure{16000, 113600, -24.411, -24.178, 94.794}},
		{sphinx + "0880.wav", figure{16000, 47840, -27.116, -26.671, 90.251}},
		{sphinx + "0890.wav", figure{16000, 84800, -24.709, -24.434, 93.859}},
		{sphinx + "0920.wav", figure{16000, 96800, -22.590, -22.319, 93.949}},
		{sphinx + "0930.wav", figure{16000, 52640, -23.362, -22.822, 88.310}},
		{"/usr/share/sounds/alsa/Front_Center.wav", figure{48000, 68545, -22.608, -21.389, 75.525}},
	} {
		t.Run(filepath.Base(c.path), func(t *testing.T) {
			x, _ := metertest.Recording(t, c.path)
			c.check(t, x)
		})
	}
}

func TestSilenceHasNoActiveLevel(t *testing.T) {
	for _, rate := range []int{8000, 16000, 44100, 48000} {
		r := measure(t, rate, make([]float32, 3*rate))
		if r.Active.Valid() || r.Activity != 0 || r.RMS != dsp.SilenceDBov || r.Peak != dsp.SilenceDBov || r.DC != 0 {
			t.Errorf("%d Hz: %+v", rate, r)
		}
	}
	if r := measure(t, 8000, nil); r.RMS.Valid() || r.Active.Valid() || r.DC.Valid() {
		t.Errorf("nothing heard, yet %+v", r)
	}
}

func TestBrokenSamplesCountAsZero(t *testing.T) {
	x := formulaNoise(8000, 0.5)[:24000]
	broken, zeroed := append([]float32(nil), x...), append([]float32(nil), x...)
	for i, v := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), 1e30} {
		broken[1000*i+500], zeroed[1000*i+500] = float32(v), 0
	}
	if a, b := measure(t, 8000, broken), measure(t, 8000, zeroed); a != b {
		t.Errorf("broken %+v, zeroed %+v", a, b)
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 8000, formulaNoise(8000, 0.3)[:12000])
}

func TestGainMovesTheActiveLevelByAsMuch(t *testing.T) {
	x := formulaNoise(8000, 0.5)[:24000]
	want := float64(measure(t, 8000, x).Active)
	rapid.Check(t, func(t *rapid.T) {
		db := rapid.Float64Range(-40, 12).Draw(t, "gain")
		m, _ := level.New(8000)
		m.Process(dsptest.Gain(x, db))
		if got := float64(m.Result().Active); math.Abs(got-want-db) > 0.1 {
			t.Fatalf("%+.2f dB moved the level by %+.3f", db, got-want)
		}
	})
}

func TestDCPeakAndStretch(t *testing.T) {
	x := dsptest.Tone(16000, 16000, 1000, -20)
	for i := range x {
		x[i] += 0.02
	}
	m, _ := level.New(16000)
	m.Process(x)
	half := m.Counts()
	near(t, "dc", float64(m.Result().DC), 0.02, 1e-4)
	near(t, "peak", float64(m.Result().Peak), dsp.AmplitudeDBov(math.Sqrt2*0.1+0.02), 0.01)
	m.Process(dsptest.Tone(16000, 16000, 1000, -30))
	both := m.Counts()
	stretch := both.Minus(&half)
	near(t, "rms of the second stretch", float64(stretch.Result().RMS), -30, 0.01)
}

func TestSpeechLevelSeesThroughNoise(t *testing.T) {
	const rate = 16000
	speech := formulaNoise(rate, 0.3)
	want := float64(measure(t, rate, speech).Active)
	for _, snr := range []float64{10, 15, 20, 25, 30, 35} {
		noise := want - snr
		m, _ := level.New(rate)
		m.Process(dsptest.AddNoise(speech, noise, 1))
		c := m.Counts()
		near(t, "speech level", float64(c.SpeechLevel(math.Pow(10, noise/10))), want, 0.6)
	}
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, formulaNoise(16000, 0.3)[:320])
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkProcess(b *testing.B) { meter.Benchmark(b, 16000, formulaNoise(16000, 0.3)[1600:1920]) }
