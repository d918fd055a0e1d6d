package noise_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/noise"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
	"github.com/headroom-voice/headroom/testdata"
)

var rates = []int{8000, 16000, 44100, 48000}

// rig feeds a Meter as the analyzer does.
type rig struct {
	*noise.Meter
	highPass        *filter.HighPass
	spectrum        *spectrum.Analyzer
	speech          *vad.Detector
	block, filtered []float32
}

func newRig(rate int) (*rig, error) {
	m, err := noise.New(rate)
	if err != nil {
		return nil, err
	}
	s, err := spectrum.New(rate)
	if err != nil {
		return nil, err
	}
	d, err := vad.New(rate)
	return &rig{
		Meter: m, highPass: filter.NewHighPass(rate, 100), spectrum: s, speech: d,
		block: make([]float32, 0, rate/50), filtered: make([]float32, rate/50),
	}, err
}

func (r *rig) feed(x []float32) {
	for len(x) > 0 {
		n := min(len(x), cap(r.block)-len(r.block))
		r.block = append(r.block, x[:n]...)
		x = x[n:]
		if len(r.block) == cap(r.block) {
			r.highPass.Process(r.filtered, r.block)
			f := r.spectrum.Next(r.block)
			r.Process(f, r.speech.Process(f, r.filtered))
			r.block = r.block[:0]
		}
	}
}

func (r *rig) Gap() {
	r.Meter.Gap()
	r.spectrum.Gap()
	r.speech.Gap()
}

func (r *rig) Reset() {
	r.Meter.Reset()
	r.highPass.Reset()
	r.spectrum.Reset()
	r.speech.Reset()
	r.block = r.block[:0]
}

var meter = metertest.Meter[*rig, noise.Result]{New: newRig, Process: (*rig).feed, Result: func(r *rig) noise.Result { return r.Result() }}

func measure(t *testing.T, rate int, x []float32) noise.Result {
	t.Helper()
	return meter.Measure(t, rate, x)
}

// near fails unless got is within tolerance dB of want.
func near(t *testing.T, what string, got dsp.Value, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(float64(got)-want) <= tolerance) {
		t.Errorf("%s: %.2f, want %.2f ± %g", what, got, want, tolerance)
	}
}

// talk gives a voice with pauses after every stretch of it, for 12 s.
func talk(t *testing.T, name string, rate int, speech, pause float64) []float32 {
	t.Helper()
	voice := metertest.Speech(t, name, rate, 0)
	var y []float32
	for n := int(speech * float64(rate)); len(y) < 12*rate; {
		y = append(y, voice[:min(n, len(voice))]...)
		y = append(y, make([]float32, int(pause*float64(rate)))...)
		if voice = voice[min(n, len(voice)):]; len(voice) < n {
			voice = metertest.Speech(t, name, rate, 0)
		}
	}
	return y[:12*rate]
}

// shaped makes noise of a level above 100 Hz.
func shaped(rate int, x []float32, levelDBov float64) []float32 {
	sum := 0.0
	for _, v := range metertest.HighPass(rate, x) {
		sum += float64(v) * float64(v)
	}
	return dsptest.Gain(x, levelDBov-dsp.PowerDBov(sum/float64(len(x))))
}

// leaky is white noise through a one-pole low-pass at hz.
func leaky(n, rate int, hz float64, seed uint64) []float32 {
	x := dsptest.Noise(n, -30, seed)
	a, y := float32(math.Exp(-2*math.Pi*hz/float64(rate))), float32(0)
	for i, v := range x {
		y = a*y + v
		x[i] = y
	}
	return x
}

// comb adds up harmonics of hz, each falling by a power of its number.
func comb(n, rate int, hz, falling float64) []float32 {
	x := dsptest.Noise(n, -70, 1)
	for h := 1.0; h <= 24 && h*hz < 0.45*float64(rate); h++ {
		for i, v := range dsptest.Tone(n, rate, h*hz, -30-20*falling*math.Log10(h)) {
			x[i] += v
		}
	}
	return x
}

// crowd mixes stretches of the project's voices.
func crowd(t *testing.T, n, rate, talkers int) []float32 {
	t.Helper()
	var voices [][]float32
	for _, name := range testdata.Names() {
		voices = append(voices, metertest.Speech(t, name, rate, 0))
	}
	x := make([]float32, n)
	for k := range talkers {
		voice := voices[k%len(voices)]
		at := len(voice) * (k * 7 % talkers) / talkers
		for i := range x {
			x[i] += voice[(at+i)%len(voice)]
		}
	}
	return x
}

// radio is a GSM phone's bursts.
func radio(n, rate int) []float32 {
	x := dsptest.Noise(n, -70, 1)
	for i := range x {
		if math.Mod(float64(i)/float64(rate), 0.06/13) < 577e-6 {
			x[i] += 0.1
		}
	}
	return x
}

func TestReadsGeneratedNoiseUnderSpeechTrue(t *testing.T) {
	for i, rate := range rates {
		name := []string{"caller-1", "agent-2"}[i%2]
		voice := metertest.Speech(t, name, rate, 10)
		for _, level := range []float64{-32, -64} {
			near(t, name, measure(t, rate, dsptest.Mix(voice, shaped(rate, dsptest.Noise(len(voice), -20, 9), level))).Floor, level, 0.5)
		}
	}
}

func TestReadsEveryKindOfNoiseTrueWhetherOneTalksMuchOrLittle(t *testing.T) {
	metertest.Long(t)
	const rate, n = 16000, 12 * 16000
	kinds := map[string][]float32{
		"white": dsptest.Noise(n, -20, 1), "fan": leaky(n, rate, 80, 2), "hum": comb(n, rate, 50, 1.2),
		"whine": dsptest.Tone(n, rate, 1237, -20), "radio": radio(n, rate), "babble": crowd(t, n, rate, 12),
	}
	for _, talking := range []struct{ speech, pause float64 }{{1.5, 6}, {3, 0.4}} {
		voice := talk(t, "agent-1", rate, talking.speech, talking.pause)
		for kind, x := range kinds {
			tolerance := 1.0
			if kind == "babble" { // twelve stretches of four voices waver a lot
				tolerance = 2.5
			}
			for _, level := range []float64{-34, -55} {
				near(t, kind, measure(t, rate, dsptest.Mix(voice, shaped(rate, x, level))).Floor, level, tolerance)
			}
		}
	}
}

func TestReadsNoiseAloneTrue(t *testing.T) {
	for _, rate := range rates {
		for _, level := range []float64{-20, -50, -80} {
			r := measure(t, rate, shaped(rate, dsptest.Noise(3*rate, -20, 3), level))
			near(t, "floor", r.Floor, level, 0.3)
			near(t, "recent", r.Recent, level, 0.3)
		}
	}
}

func TestWeightsAsIEC61672Says(t *testing.T) {
	for _, c := range []struct{ hz, weight float64 }{{200, -10.9}, {500, -3.2}, {1000, 0}, {2500, 1.3}, {6300, -0.1}} {
		r := measure(t, 16000, shaped(16000, dsptest.Tone(48000, 16000, c.hz, -20), -40))
		near(t, "weight", r.FloorA-r.Floor, c.weight, 0.3)
	}
}

func TestSaysWhatItSoundsLike(t *testing.T) {
	metertest.Long(t)
	const n = 12
	for _, rate := range []int{8000, 16000, 48000} {
		voice := talk(t, "agent-1", rate, 3, 1.5)
		for _, c := range []struct {
			class noise.Class
			x     []float32
		}{
			{noise.Hiss, dsptest.Noise(n*rate, -20, 1)},
			{noise.Room, leaky(n*rate, rate, 80, 2)},
			{noise.Hum, comb(n*rate, rate, 50.02, 1.5)},
			{noise.Hum, comb(n*rate, rate, 60, 1.5)},
			{noise.Buzz, comb(n*rate, rate, 100, 0.3)},
			{noise.Buzz, radio(n*rate, rate)},
			{noise.Babble, crowd(t, n*rate, rate, 8)},
		} {
			r := measure(t, rate, dsptest.Mix(voice, shaped(rate, c.x, -42)))
			if r.Class != c.class || !(r.Confidence >= 0.5 && r.Confidence <= 1) {
				t.Errorf("%d Hz: %s sounds like %q (%.2f)", rate, c.class, r.Class, r.Confidence)
			}
		}
	}
}

func TestMusicSoundsLikeMusic(t *testing.T) {
	x, rate := metertest.Recording(t, "/usr/share/asterisk/moh/macroform-cold_day.wav") // Debian: asterisk-moh-opsound-wav
	x = x[20*rate : 40*rate]
	r := measure(t, rate, dsptest.Mix(talk(t, "caller-1", rate, 3, 1.5), shaped(rate, x, -42)))
	if r.Class != noise.Music {
		t.Errorf("%q (%.2f)", r.Class, r.Confidence)
	}
	near(t, "music", r.Floor, -42, 3)
}

func TestSilentPausesAreSilence(t *testing.T) {
	if r := measure(t, 8000, make([]float32, 80000)); r.Floor != dsp.SilenceDBov || r.Class != "" {
		t.Errorf("digital silence: %+v", r)
	}
	gated := metertest.Speech(t, "agent-1", 16000, 0)
	for i, v := range gated { // a synthesiser's pauses
		if math.Abs(float64(v)) < 0.002 {
			gated[i] = 0
		}
	}
	if got := measure(t, 16000, gated).Floor; got > -70 {
		t.Errorf("the ends of words were taken for noise: %.1f", got)
	}
	gaps := dsptest.AddNoise(metertest.Speech(t, "agent-1", 16000, 0), -45, 1)
	clear(gaps[len(gaps)/2 : len(gaps)*3/4]) // unmarked DTX in a quarter of the time
	near(t, "noise beside gaps", measure(t, 16000, gaps).Floor, -45, 0.7)
}

func TestAVoiceAloneHasNoNoise(t *testing.T) {
	metertest.Long(t)
	for _, name := range []string{"agent-1", "agent-2", "agent-3", "caller-1"} {
		for _, gain := range []float64{-14, 8} {
			if r := measure(t, 16000, dsptest.Gain(metertest.Speech(t, name, 16000, 0), gain)); !(r.Floor < -65) {
				t.Errorf("%s %+.0f dB: %.1f", name, gain, r.Floor)
			}
		}
	}
}

func TestTooLittleIsNoFloor(t *testing.T) {
	if r := measure(t, 8000, dsptest.Noise(8000, -40, 1)); r.Floor.Valid() || r.Recent.Valid() || r.FloorA.Valid() {
		t.Errorf("a floor from one second: %+v", r)
	}
}

func TestRecentFollowsWithinTenSeconds(t *testing.T) {
	m := meter.Make(t, 8000)
	m.feed(dsptest.Noise(20*8000, -40, 1))
	m.feed(dsptest.Noise(10*8000, -60, 2))
	near(t, "recent", m.Recent(), -60, 0.5)
}

func TestBrokenSamplesDoNotPoison(t *testing.T) {
	x := dsptest.Noise(80000, -50, 1)
	for i := 0; i < len(x); i += 4001 {
		x[i] = float32(math.NaN())
		x[i+1] = float32(math.Inf(1))
	}
	near(t, "floor", measure(t, 8000, x).Floor, -50, 0.5)
	m, _ := noise.New(8000)
	bad := float32(math.NaN())
	s, _ := spectrum.New(8000)
	for range 200 {
		f := s.Next(x[:160])
		m.Process(f, vad.Frame{LevelDBov: float64(bad)})
	}
	if got := m.Result().Floor; got != dsp.SilenceDBov {
		t.Errorf("levels that are no numbers: %v", got)
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	x := metertest.Speech(t, "caller-1", 8000, 4)
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 8000, dsptest.AddNoise(x, -45, 1))
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, dsptest.Noise(320, -40, 1))
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

func BenchmarkProcess(b *testing.B) {
	for _, c := range []struct {
		name   string
		speech bool
	}{{"pause", false}, {"speech", true}} {
		b.Run(c.name, func(b *testing.B) {
			m, _ := noise.New(16000)
			s, _ := spectrum.New(16000)
			block := dsptest.Noise(320, -40, 1)
			s.Next(block)
			f := s.Next(block)
			v := vad.Frame{LevelDBov: -40, Speech: c.speech}
			b.ReportAllocs()
			for b.Loop() {
				m.Process(f, v)
			}
		})
	}
}
