package headset_test

import (
	"math"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/noise"
	"github.com/headroom-voice/headroom/testdata"
)

// room gives n samples of many people talking at a level in dBov.
func room(t *testing.T, n int, levelDBov float64) []float32 {
	t.Helper()
	var voices [][]float32
	for _, name := range testdata.Names() {
		voices = append(voices, metertest.Speech(t, name, 16000, 0))
	}
	return dsptest.Babble(voices, n, 16000, 10, levelDBov, 3)
}

func TestNoiseIsNamedAndSaysWhatToDo(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	x := speech(t, "agent-2", 16000)
	n := len(x)
	for _, c := range []struct {
		class noise.Class
		bed   []float32
		says  string
	}{
		{noise.Hiss, dsptest.Noise(n, -38, 1), "check the plug"},
		{noise.Room, dsptest.Fan(n, 16000, -34, 1), "the room, not the headset"},
		{noise.Babble, room(t, n, -37), "the room"},
		{noise.Hum, dsptest.Hum(n, 16000, 50, -30, 1), "port"},
	} {
		r := report(t, 16000, headset.TapMic, dsptest.Mix(x, c.bed))
		f, ok := find(r, headset.Noise)
		if !ok || r.Metrics.NoiseClass != c.class {
			t.Errorf("%s: %q, %.1f dBov of %q (%.2f)", c.class, summary(r), r.Metrics.NoiseFloor, r.Metrics.NoiseClass, r.Metrics.NoiseConfidence)
			continue
		}
		if c.class != noise.Babble && !strings.Contains(f.Text, c.says) {
			t.Errorf("%s (%.2f): %s", c.class, r.Metrics.NoiseConfidence, f.Text)
		}
	}
}

func TestARoomBelowTheLimitIsNotBad(t *testing.T) {
	t.Parallel()
	x := speech(t, "agent-1", 16000)
	for _, level := range []float64{-44, -55} {
		if f, ok := find(report(t, 16000, headset.TapMic, dsptest.Mix(x, room(t, len(x), level))), headset.Noise); ok && (f.Severity == headset.Bad || level < -54) {
			t.Errorf("babble at %v: %+v", level, f)
		}
	}
}

func TestASoftTalkerInAQuietRoomIsNotNoisy(t *testing.T) {
	t.Parallel()
	for _, name := range agents {
		x := dsptest.AddNoise(dsptest.Gain(speech(t, name, 16000), -14), -75, 1)
		r := report(t, 16000, headset.TapMic, dsptest.Quantize(x))
		if f, ok := find(r, headset.Noise); ok {
			t.Errorf("%s: %+v", name, f)
		}
		if math.Abs(float64(r.Metrics.NoiseFloor)+75) > 1.5 {
			t.Errorf("%s: floor %.1f", name, r.Metrics.NoiseFloor)
		}
	}
}
