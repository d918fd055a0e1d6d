package headset_test

import (
	"testing"

	"gopkg.in/hraban/opus.v2"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

func TestACoveredMicrophoneIsMuffledAtBothTaps(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, name := range agents {
		x := dsptest.AddNoise(dsptest.LowPass(speech(t, name, 16000), 16000, 1500, 4), -72, 1)
		for _, r := range []headset.Report{
			report(t, 16000, headset.TapMic, dsptest.Quantize(x)),
			report(t, 16000, headset.TapWire, throughOpus(t, x)),
		} {
			if f, ok := find(r, headset.Muffled); !ok || f.Severity != headset.Bad {
				t.Errorf("%s at the %s: %q, %+v", name, r.Tap, summary(r), r.Metrics)
			}
		}
	}
	x := dsptest.LowPass(speech(t, "caller-1", 8000), 8000, 1500, 4)
	if f, ok := find(report(t, 8000, headset.TapWire, x), headset.Muffled); !ok || f.Severity != headset.Bad {
		t.Errorf("at 8 kHz: %+v", f)
	}
}

func TestANarrowBandIsNotMuffled(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	if got := summary(report(t, 16000, headset.TapMic, speech(t, "caller-1", 16000))); got != "" {
		t.Errorf("a source of 8 kHz: %s", got)
	}
	x := speech(t, "agent-2", 16000)
	for _, width := range []opus.Bandwidth{opus.Narrowband, opus.Mediumband} {
		enc, err := opus.NewEncoder(16000, 1, opus.AppVoIP)
		if err != nil {
			t.Fatal(err)
		}
		dec, err := opus.NewDecoder(16000, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.SetMaxBandwidth(width); err != nil {
			t.Fatal(err)
		}
		if err := enc.SetBitrate(12000); err != nil {
			t.Fatal(err)
		}
		var y []float32
		packet, pcm := make([]byte, 1500), make([]float32, 320)
		for rest := x; len(rest) >= 320; rest = rest[320:] {
			n, err := enc.EncodeFloat32(rest[:320], packet)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := dec.DecodeFloat32(packet[:n], pcm); err != nil {
				t.Fatal(err)
			}
			y = append(y, pcm...)
		}
		r := report(t, 16000, headset.TapWire, y)
		if f, ok := find(r, headset.Muffled); ok || !r.Metrics.NarrowBand {
			t.Errorf("Opus at bandwidth %v: %+v %+v", width, f, r.Metrics)
		}
	}
}

func TestHighsAreComparedWithWhatIsUsual(t *testing.T) {
	t.Parallel()
	x := metertest.Speech(t, "agent-3", 16000, 0)
	usual := float64(report(t, 16000, headset.TapMic, x).Metrics.HighLow)
	for hz, want := range map[float64]headset.Severity{7000: "", 4000: headset.Watch, 2800: headset.Bad} {
		a, err := headset.New(headset.Config{SampleRate: 16000, Tap: headset.TapMic, HighLowBaseline: usual})
		if err != nil {
			t.Fatal(err)
		}
		a.Process(dsptest.LowPass(x, 16000, hz, 2), 0)
		r := a.Report()
		if f, _ := find(r, headset.Muffled); f.Severity != want {
			t.Errorf("low-pass at %v Hz: %q, %.1f dB, usual %.1f", hz, f.Severity, r.Metrics.HighLow, usual)
		}
	}
}

// The hiss keeps a capsule's own noise above its low-pass, as an amplifier behind it does.
func TestASteepLowPassIsTheCapsulesAndASteeperOneTheSources(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	for _, name := range agents {
		clear := dsptest.AddNoise(speech(t, name, 16000), -70, 3)
		muffled := dsptest.LowPass(clear, 16000, 3400, 6)
		narrow := dsptest.LowPass(dsptest.LowPass(clear, 16000, 3500, 8), 16000, 3500, 8)
		for _, tap := range []headset.Tap{headset.TapMic, headset.TapWire} {
			heard := func(x []float32) headset.Report {
				if tap == headset.TapWire {
					return report(t, 16000, tap, throughOpus(t, x))
				}
				return report(t, 16000, tap, dsptest.Quantize(x))
			}
			r := heard(muffled)
			// Behind Opus a synthetic voice's is as steep as a source's.
			if f, _ := find(r, headset.Muffled); tap == headset.TapMic && (f.Severity != headset.Bad || r.Metrics.NarrowBand) {
				t.Errorf("%s muffled, at the %s: %q, %+v", name, tap, summary(r), r.Metrics)
			}
			r = heard(narrow)
			if f, _ := find(r, headset.Muffled); f.Severity != "" {
				t.Errorf("%s narrow, at the %s: %q, %+v", name, tap, summary(r), r.Metrics)
			}
		}
	}
}

func TestNoiseOverTheHighsDoesNotHideThatTheyAreGone(t *testing.T) {
	t.Parallel()
	x := metertest.Speech(t, "agent-3", 16000, 0)
	usual := float64(report(t, 16000, headset.TapMic, x).Metrics.HighLow)
	for noise, want := range map[float64]headset.Severity{-66: headset.Bad, -42: ""} {
		a, err := headset.New(headset.Config{SampleRate: 16000, Tap: headset.TapMic, HighLowBaseline: usual})
		if err != nil {
			t.Fatal(err)
		}
		a.Process(dsptest.AddNoise(dsptest.LowPass(x, 16000, 2000, 4), noise, 1), 0)
		r := a.Report()
		if f, _ := find(r, headset.Muffled); f.Severity != want || !r.Metrics.HighsMasked {
			t.Errorf("under noise of %v dBov: %q, %+v", noise, f.Severity, r.Metrics)
		}
	}
}
