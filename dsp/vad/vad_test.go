package vad_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
)

var rates = []int{8000, 16000, 44100, 48000}

// heard is what a detector says after all.
type heard struct {
	seconds float64
	last    vad.Frame
}

// listener cuts samples into blocks and has their spectra, as an analyzer does.
type listener struct {
	*vad.Detector
	spectra *spectrum.Analyzer
	block   []float32
}

func newListener(rate int) (*listener, error) {
	d, err := vad.New(rate)
	if err != nil {
		return nil, err
	}
	s, err := spectrum.New(rate)
	if err != nil {
		return nil, err
	}
	return &listener{Detector: d, spectra: s, block: make([]float32, 0, s.Hop())}, nil
}

func (l *listener) hear(x []float32) {
	for len(x) > 0 {
		n := min(len(x), cap(l.block)-len(l.block))
		l.block = append(l.block, x[:n]...)
		x = x[n:]
		if len(l.block) == cap(l.block) {
			l.Process(l.spectra.Next(l.block), l.block)
			l.block = l.block[:0]
		}
	}
}

func (l *listener) Gap() {
	l.block = l.block[:0]
	l.spectra.Gap()
	l.Detector.Gap()
}

func (l *listener) Reset() {
	l.block = l.block[:0]
	l.spectra.Reset()
	l.Detector.Reset()
}

var meter = metertest.Meter[*listener, heard]{
	New: newListener, Process: (*listener).hear,
	Result: func(l *listener) heard { return heard{l.SpeechSeconds(), l.Last()} },
}

func detect(t *testing.T, rate int, x []float32) *listener {
	t.Helper()
	d := meter.Make(t, rate)
	d.hear(metertest.HighPass(rate, x))
	return d
}

func TestHearsAboutAsMuchSpeechAsThereIs(t *testing.T) {
	for _, rate := range []int{8000, 48000} {
		for _, snr := range []float64{50, 5} {
			x := dsptest.AddNoise(metertest.Speech(t, "agent-1", rate, 0), -22-snr, 7)
			d := detect(t, rate, x)
			// The lines of the recording last 14.2 s, their inner pauses included.
			if s := d.SpeechSeconds(); s < 10.5 || s > 16 {
				t.Errorf("%d Hz, %v dB SNR: %.1f s of speech in %.1f s", rate, snr, s, d.Seconds())
			}
		}
	}
}

// spoken tells which blocks of speech lie within 16 dB of its level, and which are pauses,
// at least 0.3 s after and 0.1 s before anything within 30 dB.
func spoken(rate int, x []float32) (speech, pause []bool) {
	filtered := metertest.HighPass(rate, x)
	size := rate / 50
	n := len(x) / size
	power := make([]float64, n)
	mean, loud := 0.0, 0.0
	for i := range power {
		for _, v := range filtered[i*size : (i+1)*size] {
			power[i] += float64(v) * float64(v) / float64(size)
		}
		if power[i] > 1e-5 { // the recordings are about -22 dBov
			mean, loud = mean+power[i], loud+1
		}
	}
	mean /= loud
	speech, pause = make([]bool, n), make([]bool, n)
	for i := range power {
		speech[i] = power[i] > 0.025*mean
		pause[i] = true
		for k := max(0, i-15); k <= min(n-1, i+5); k++ {
			pause[i] = pause[i] && power[k] < 0.001*mean
		}
	}
	return speech, pause
}

// judge gives the shares of speech that was missed and of pauses that were taken for it.
func judge(d *listener, rate int, x []float32, speech, pause []bool) (miss, alarm float64) {
	var s, p, missed, alarms float64
	size := rate / 50
	filtered := metertest.HighPass(rate, x)
	for i := range speech {
		d.hear(filtered[i*size : (i+1)*size])
		heard := d.Last().Speech
		switch {
		case speech[i]:
			s++
			if !heard {
				missed++
			}
		case pause[i]:
			p++
			if heard {
				alarms++
			}
		}
	}
	return missed / s, alarms / max(1, p)
}

// pauses puts seconds of silence before and after x.
func pauses(x []float32, rate int, seconds float64) []float32 {
	silence := make([]float32, int(seconds*float64(rate)))
	return slices.Concat(silence, x, silence)
}

func TestFindsWordsAndPausesInEveryRoom(t *testing.T) {
	metertest.Long(t)
	const rate = 16000
	clean := slices.Concat(pauses(metertest.Speech(t, "agent-1", rate, 0), rate, 2), pauses(metertest.Speech(t, "caller-1", rate, 0), rate, 2))
	clean = clean[:len(clean)/320*320]
	speech, pause := spoken(rate, clean)
	quiet := dsptest.AddNoise(clean, -80, 5)
	hum := dsptest.Mix(dsptest.Tone(len(clean), rate, 150, -45), dsptest.Tone(len(clean), rate, 250, -50))
	offset := slices.Clone(quiet)
	for i := range offset {
		offset[i] += 0.05
	}
	for name, c := range map[string]struct {
		x           []float32
		miss, alarm float64
	}{
		"a quiet room":             {quiet, 0.1, 0.01},
		"digital silence":          {clean, 0.1, 0.01},
		"a whisper of a level":     {dsptest.Gain(quiet, -38), 0.1, 0.01},
		"a shout of a level":       {dsptest.Gain(quiet, 18), 0.1, 0.02},
		"white noise, 20 dB below": {dsptest.AddNoise(clean, -42, 6), 0.1, 0.01},
		"white noise, 5 dB below":  {dsptest.AddNoise(clean, -27, 6), 0.15, 0.01},
		"white noise, as loud":     {dsptest.AddNoise(clean, -22, 6), 0.25, 0.02},
		"pink noise, 10 dB below":  {dsptest.Mix(clean, pink(len(clean), -32)), 0.12, 0.01},
		"mains hum":                {dsptest.Mix(quiet, hum), 0.1, 0.01},
		"an offset":                {offset, 0.1, 0.01},
		"a narrow band":            {narrow(t, quiet), 0.1, 0.01},
	} {
		miss, alarm := judge(meter.Make(t, rate), rate, c.x, speech, pause)
		if miss > c.miss || alarm > c.alarm {
			t.Errorf("in %s: missed %.1f %%, false alarms %.1f %%", name, 100*miss, 100*alarm)
		}
	}
}

// pink falls by 3 dB an octave, roughly: the sum of three low-passes (P. Kellet).
func pink(n int, levelDBov float64) []float32 {
	x := dsptest.Noise(n, 0, 8)
	var a, b, c, power float64
	for i, v := range x {
		w := float64(v)
		a, b, c = 0.99765*a+0.0990460*w, 0.963*b+0.2965164*w, 0.57*c+1.0526913*w
		y := a + b + c + 0.1848*w
		x[i] = float32(y)
		power += y * y
	}
	return dsptest.Gain(x, levelDBov-10*math.Log10(power/float64(n)))
}

// narrow takes x at 16 kHz through 8 kHz, and gives it without delay.
func narrow(t *testing.T, x []float32) []float32 {
	down, err := resample.New(16000, 8000)
	if err != nil {
		t.Fatal(err)
	}
	up, err := resample.New(8000, 16000)
	if err != nil {
		t.Fatal(err)
	}
	y := up.Process(nil, down.Process(nil, append(slices.Clone(x), make([]float32, 1600)...)))
	return y[int(2*down.Delay()+up.Delay()):][:len(x)]
}

func TestNoLongPauseIsNeeded(t *testing.T) {
	const rate = 16000
	x := metertest.Speech(t, "agent-1", rate, 0)
	speech, _ := spoken(rate, x)
	var dense []float32 // what is spoken, with hardly a pause, for half a minute
	for len(dense) < 30*rate {
		for i, s := range speech {
			if s {
				dense = append(dense, x[i*320:][:320]...)
			}
		}
	}
	d := detect(t, rate, dsptest.AddNoise(dense, -42, 9))
	if share := d.SpeechSeconds() / d.Seconds(); share < 0.95 {
		t.Errorf("%.0f %% of speech without pauses", 100*share)
	}
	if n := d.Last().NoiseDBov; n > -35 {
		t.Errorf("noise climbed to %.1f dBov, it is -42", n)
	}
}

func TestTheNoiseIsAsLoudAsTold(t *testing.T) {
	for _, rate := range rates {
		d := detect(t, rate, dsptest.Noise(6*rate, -45, 10))
		f, top := d.Last(), min(7000, 0.48*float64(rate))
		want := -45 + 10*math.Log10((top-150)/(float64(rate)/2))
		if math.Abs(f.NoiseDBov-want) > 2 || f.Probability > 0.3 {
			t.Errorf("%d Hz: %+v, want a noise of %.1f", rate, f, want)
		}
	}
}

func TestHearsNoSpeechInNoiseTonesAndSilence(t *testing.T) {
	metertest.Long(t)
	for _, rate := range rates {
		keys := make([]float32, 0, 6*rate)
		for len(keys) < 5*rate { // a keypad: 80 ms on, 80 ms off
			n := rate * 8 / 100
			keys = append(keys, dsptest.Mix(dsptest.Tone(n, rate, 770, -9), dsptest.Tone(n, rate, 1336, -7))...)
			keys = append(keys, make([]float32, n)...)
		}
		hum := make([]float32, 5*rate)
		for h := range 15 {
			hum = dsptest.Mix(hum, dsptest.Tone(len(hum), rate, 50*float64(h+1), -30-2*float64(h)))
		}
		for name, x := range map[string][]float32{
			"silence":     make([]float32, 5*rate),
			"loud noise":  dsptest.Noise(5*rate, -20, 1),
			"quiet noise": dsptest.Noise(5*rate, -60, 2),
			"pink noise":  pink(5*rate, -35),
			"tone":        dsptest.Tone(5*rate, rate, 440, -10),
			"dial tone":   dsptest.Mix(dsptest.Tone(5*rate, rate, 350, -16), dsptest.Tone(5*rate, rate, 440, -16)),
			"keypad":      dsptest.AddNoise(keys, -70, 3),
			"hum":         hum,
		} {
			if s := detect(t, rate, x).SpeechSeconds(); s > 0.3 {
				t.Errorf("%d Hz %s: %.1f s of speech", rate, name, s)
			}
		}
	}
}

// TestKeysOfAKeypadBehindACodecAreNoSpeech has what a codec leaves of them: a level that
// wavers, and noise 22 dB below them while they sound.
func TestKeysOfAKeypadBehindACodecAreNoSpeech(t *testing.T) {
	for _, rate := range rates {
		x := dsptest.DTMF("0123456789*#", rate, -16)
		rough := dsptest.Noise(len(x), -38, 4)
		for i, v := range x {
			if v != 0 {
				waver := 1 + 0.1*math.Sin(2*math.Pi*23*float64(i)/float64(rate))
				x[i] = v*float32(waver) + rough[i]
			}
		}
		d := detect(t, rate, dsptest.AddNoise(slices.Concat(make([]float32, rate), x), -72, 5))
		if s := d.SpeechSeconds(); s > 0.3 {
			t.Errorf("%d Hz: %.1f s of speech in 1.2 s of tones", rate, s)
		}
	}
}

func TestATypistIsNotHeard(t *testing.T) {
	const rate = 16000
	x := dsptest.Noise(30*rate, -70, 11)
	r := rand.New(rand.NewPCG(1, 2))
	for at := 1000; at < len(x)-rate; at += rate/8 + r.IntN(rate/4) { // three to eight strokes a second
		for _, hz := range []float64{500, 1800, 3500} {
			for k := range rate / 50 {
				s := float64(k) / rate
				x[at+k] += float32(0.1 * math.Exp(-s/0.004) * math.Sin(2*math.Pi*hz*s))
			}
		}
	}
	if d := detect(t, rate, x); d.SpeechSeconds() > 1.5 {
		t.Errorf("%.1f s of speech in %.0f s of typing", d.SpeechSeconds(), d.Seconds())
	}
}

func TestNoiseThatRisesIsSoonNoSpeech(t *testing.T) {
	const rate = 16000
	for name, noise := range map[string]func(n int, dB float64) []float32{
		"white": func(n int, dB float64) []float32 { return dsptest.Noise(n, dB, 12) },
		"pink":  pink,
	} {
		d := detect(t, rate, slices.Concat(noise(5*rate, -60), noise(5*rate, -40), noise(5*rate, -20)))
		if s := d.SpeechSeconds(); s > 3 {
			t.Errorf("%s noise rises twice by 20 dB: %.1f s of speech", name, s)
		}
		if d.Last().Speech {
			t.Errorf("%s noise is speech 5 s after it rose", name)
		}
	}
}

func TestASoundInBurstsIsKnownAgain(t *testing.T) {
	const rate = 16000
	x := dsptest.Noise(40*rate, -65, 13)
	for i := range x { // a radio's frames, four seconds in eight
		if (i/(4*rate))%2 == 1 && i%74 < 9 {
			x[i] += 0.05
		}
	}
	if d := detect(t, rate, x); d.SpeechSeconds() > 2 {
		t.Errorf("%.1f s of speech in bursts of buzz", d.SpeechSeconds())
	}
}

func TestANeighbourIsNotTheTalker(t *testing.T) {
	const rate = 16000
	near := slices.Concat(pauses(metertest.Speech(t, "agent-1", rate, 0), rate, 1), make([]float32, 15*rate))
	near = slices.Concat(near, near)
	near = near[:len(near)/320*320]
	speech, pause := spoken(rate, near)
	far := dsptest.Gain(metertest.Speech(t, "caller-1", rate, 0), -25)
	for len(far) < len(near) {
		far = append(far, far...)
	}
	x := dsptest.AddNoise(dsptest.Mix(near, far[:len(near)]), -75, 14)
	skip := 10 * 50 // until the talker is known
	for i := range skip {
		pause[i] = false
	}
	miss, alarm := judge(meter.Make(t, rate), rate, x, speech, pause)
	if miss > 0.1 || alarm > 0.05 {
		t.Errorf("missed %.1f %%, false alarms %.1f %%", 100*miss, 100*alarm)
	}
}

func TestASofterTalkerIsHeardAfterALoudOne(t *testing.T) {
	const rate = 16000
	loud := metertest.Speech(t, "agent-1", rate, 0)
	for soft, within := range map[float64]float64{-12: 2, -24: 60} {
		d := detect(t, rate, dsptest.AddNoise(loud, -80, 15))
		y := dsptest.Gain(metertest.Speech(t, "caller-1", rate, 0), soft)
		heard, waited := d.SpeechSeconds(), 0.0
		for ; waited < 120 && d.SpeechSeconds() < heard+1; waited += float64(len(y)) / rate {
			d.hear(metertest.HighPass(rate, dsptest.AddNoise(y, -80, 16)))
		}
		if limit := within + float64(len(y))/rate; waited > limit {
			t.Errorf("%v dB softer: not heard for %.0f s", soft, waited)
		}
	}
}

func TestSpeechGoesOnAcrossLostPackets(t *testing.T) {
	const rate = 16000
	x := metertest.HighPass(rate, dsptest.AddNoise(metertest.Speech(t, "agent-1", rate, 0), -60, 17))
	d, lossy := meter.Make(t, rate), meter.Make(t, rate)
	d.hear(x)
	for i := 0; i+320 <= len(x); i += 320 {
		if i/320%12 == 5 { // one in twelve
			lossy.Gap()
			continue
		}
		lossy.hear(x[i : i+320])
	}
	if got, want := lossy.SpeechSeconds(), d.SpeechSeconds()*11/12; math.Abs(got-want) > 0.1*want {
		t.Errorf("%.1f s of speech, want about %.1f", got, want)
	}
}

func TestRealTalkersAreHeard(t *testing.T) {
	const dir = "/usr/share/pocketsphinx/test/data/librivox/sense_and_sensibility_01_austen_64kb-"
	for _, name := range []string{"0870", "0890", "0920"} {
		x, rate := metertest.Recording(t, dir+name+".wav")
		d := detect(t, rate, x)
		if share := d.SpeechSeconds() / d.Seconds(); share < 0.6 || share > 0.97 {
			t.Errorf("%s: %.0f %% speech", name, 100*share)
		}
	}
}

func TestBrokenSamplesAreNotSpeech(t *testing.T) {
	x := dsptest.Noise(80000, -60, 4)
	for i := 0; i < len(x); i += 1001 {
		x[i] = float32(math.NaN())
		x[i+1] = float32(math.Inf(-1))
	}
	d := meter.Make(t, 8000)
	d.hear(x)
	if d.SpeechSeconds() > 0 || math.IsNaN(d.Last().LevelDBov) {
		t.Errorf("%.2f s, %+v", d.SpeechSeconds(), d.Last())
	}
}

func TestChunkingChangesNothingAndResetEqualsNew(t *testing.T) {
	x := metertest.HighPass(8000, metertest.Speech(t, "caller-1", 8000, 2))[:12000]
	meter.ChunkingChangesNothingAndResetEqualsNew(t, 8000, x)
}

func TestProcessDoesNotAllocate(t *testing.T) {
	meter.DoesNotAllocate(t, 16000, metertest.Speech(t, "agent-2", 16000, 2)[16000:16320])
}

func TestRefusesImpossibleRates(t *testing.T) { meter.RefusesImpossibleRates(t) }

// BenchmarkProcess times the detector alone, without the spectrum, on speech in noise.
func BenchmarkProcess(b *testing.B) {
	const blocks = 128
	x := dsptest.AddNoise(metertest.Speech(b, "agent-1", 16000, 3), -50, 1)
	s, _ := spectrum.New(16000)
	d, _ := vad.New(16000)
	var frames [blocks]*spectrum.Frame
	for i := range frames {
		if f := s.Next(x[i*320:]); f != nil {
			frames[i] = &spectrum.Frame{BinHz: f.BinHz, Power: slices.Clone(f.Power)}
		}
	}
	filtered := metertest.HighPass(16000, x)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		d.Process(frames[i], filtered[i*320:][:320])
		i = (i + 1) % blocks
	}
}
