package headset_test

import (
	"math"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/internal/metertest"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
)

func TestSoftSaturationIsFoundAtTheMicrophone(t *testing.T) {
	t.Parallel()
	for _, name := range agents {
		x := dsptest.Quantize(dsptest.SoftClip(speech(t, name, 16000), 12, 0.5))
		r := report(t, 16000, headset.TapMic, x)
		f, ok := find(r, headset.Clipping)
		if !ok || f.Severity != headset.Bad || !strings.Contains(f.Text, "softly") {
			t.Errorf("%s: %q bend %.2f, crowding %.2f", name, summary(r), r.Metrics.PeakBend, r.Metrics.PeakCrowding)
		}
	}
}

func TestOneSidedClippingIsFoundAtTheMicrophone(t *testing.T) {
	t.Parallel()
	x := dsptest.Gain(speech(t, "agent-1", 16000), 6)
	for i, v := range x {
		x[i] = max(-0.3, v)
	}
	r := report(t, 16000, headset.TapMic, dsptest.Quantize(x))
	if f, ok := find(r, headset.Clipping); !ok || f.Severity != headset.Bad || math.Abs(float64(r.Metrics.ClipCeiling)+10.46) > 0.01 {
		t.Errorf("%q, ceiling %.2f dBov", summary(r), r.Metrics.ClipCeiling)
	}
}

func TestProcessedSpeechIsNeverBadlyClipped(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, name := range agents {
		x := speech(t, name, 16000)
		for what, y := range map[string][]float32{
			"compressor": dsptest.Limit(dsptest.Gain(dsptest.Compress(x, 16000, -38, 4), 12), 16000, -3),
			"agc":        dsptest.Limit(dsptest.AGC(x, 16000, -20), 16000, -1),
			"limiter":    dsptest.Limit(dsptest.Gain(x, 10), 16000, -1),
			"brick wall": dsptest.Limit(dsptest.Gain(x, 14), 16000, -1),
		} {
			y = dsptest.Quantize(y)
			mic := report(t, 16000, headset.TapMic, y)
			wire := report(t, 16000, headset.TapWire, throughOpus(t, y))
			for _, r := range []headset.Report{mic, wire} {
				if f, ok := find(r, headset.Clipping); ok && f.Severity == headset.Bad {
					t.Errorf("%s behind a %s, %s: %s", name, what, r.Tap, f.Text)
				}
			}
		}
	}
}

func TestClippingTellsTheGainFromTheCapsule(t *testing.T) {
	t.Parallel()
	x := speech(t, "agent-2", 16000)
	for _, c := range []struct {
		gain      float64 // dB
		ceiling   float32
		fullScale bool
		says      string
	}{
		{15, 1, true, "gain is too high"},
		{6, 0.4, false, "capsule"},
	} {
		r := report(t, 16000, headset.TapMic, dsptest.Quantize(dsptest.Overdrive(x, c.gain, c.ceiling)))
		f, ok := find(r, headset.Clipping)
		m := r.Metrics
		if !ok || !strings.Contains(f.Text, c.says) || m.ClipFullScale != c.fullScale || m.ClipLongest < 3 || m.ClipEvents == 0 {
			t.Errorf("ceiling %v: %q %+v", c.ceiling, f.Text, m)
		}
	}
}
