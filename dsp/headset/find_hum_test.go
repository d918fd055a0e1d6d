package headset_test

import (
	"math"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp/internal/metertest"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
)

func TestHumIsFoundUnderSpeechAtBothTaps(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 16000
	for i, c := range []struct {
		hz, level float64
		want      headset.Severity
	}{{50.1, -46, headset.Bad}, {59.9, -46, headset.Bad}, {50, -56, headset.Watch}, {60, -72, ""}} {
		x := speech(t, agents[i%3], rate)
		x = dsptest.Quantize(dsptest.Mix(x, dsptest.Hum(len(x), rate, c.hz, c.level, 3), dsptest.Pink(len(x), -66, 1)))
		r := report(t, rate, headset.TapMic, x)
		f, found := find(r, headset.Hum)
		if f.Severity != c.want || found && !strings.Contains(f.Text, "mains") {
			t.Errorf("%v Hz at %v dBov: %+v of %+v", c.hz, c.level, f, r.Metrics)
		}
		if c.want == "" {
			continue
		}
		if math.Abs(float64(r.Metrics.HumHz)-c.hz) > 0.1 {
			t.Errorf("%v Hz reads %v", c.hz, r.Metrics.HumHz)
		}
		near(t, "hum level", r.Metrics.HumLevel, c.level, 0.7)
		if f, _ := find(report(t, rate, headset.TapWire, throughOpus(t, x)), headset.Hum); c.level > -50 && f.Severity == "" {
			t.Errorf("%v Hz at %v dBov is not heard behind Opus", c.hz, c.level)
		}
	}
}

func TestRadioIsBuzzAndNoHum(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 16000
	for _, radio := range []dsptest.Radio{dsptest.GSM(), dsptest.DECT()} {
		x := speech(t, "agent-2", rate)
		x = dsptest.Quantize(dsptest.Mix(x, dsptest.Buzz(len(x), rate, radio, 0.6, -44, 5), dsptest.Pink(len(x), -66, 1)))
		for tap, y := range map[headset.Tap][]float32{headset.TapMic: x, headset.TapWire: throughOpus(t, x)} {
			r := report(t, rate, tap, y)
			f, _ := find(r, headset.Buzz)
			if _, hum := find(r, headset.Hum); hum || f.Severity == "" || tap == headset.TapMic && f.Severity != headset.Bad {
				t.Errorf("%v Hz at the %s tap: %q, %+v", radio.FrameHz, tap, summary(r), r.Metrics)
			}
		}
	}
}

func TestBuzzIsAnEvent(t *testing.T) {
	t.Parallel()
	const rate = 16000
	a := analyzer(t, rate, headset.TapMic)
	x := dsptest.Noise(10*rate, -66, 1)
	for i, v := range dsptest.Buzz(3*rate, rate, dsptest.GSM(), 1, -40, 1) {
		x[4*rate+i] += v
	}
	a.Process(x, 0)
	heard := 0.0
	for e, ok := a.Event(); ok; e, ok = a.Event() {
		if e.Kind == headset.Buzz {
			heard += e.Length
			if e.At < 3 || e.At+e.Length > 9 {
				t.Errorf("%+v", e)
			}
		}
	}
	if heard < 1 || heard > 4 {
		t.Errorf("%.1f s", heard)
	}
}
