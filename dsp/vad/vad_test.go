package vad_test

import (
	"math"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
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
	for _, rate := range []int{8000, 44100} {
		for _, snr := range []float64{40, 15} {
			x := dsptest.AddNoise(metertest.Speech(t, "agent-1", rate, 0), -22-snr, 7)
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
