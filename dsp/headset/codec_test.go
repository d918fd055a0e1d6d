package headset_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// behind gives the report on x at the wire, whatever the codec is said to be.
func behind(t *testing.T, rate int, x []float32, codec headset.Codec) headset.Report {
	t.Helper()
	a, err := headset.New(headset.Config{SampleRate: rate, Tap: headset.TapWire, Codec: codec})
	if err != nil {
		t.Fatal(err)
	}
	a.Process(x, 0)
	return a.Report()
}

// TestOnlyOpusIsGivenBackWhatItTook reads the same samples as of each codec: nothing is
// taken by the others, and the distance from noise to speech goes with both.
func TestOnlyOpusIsGivenBackWhatItTook(t *testing.T) {
	t.Parallel()
	x := dsptest.Quantize(dsptest.AddNoise(metertest.Speech(t, "agent-1", 16000, 20), -55, 1))
	mic := report(t, 16000, headset.TapMic, x).Metrics
	for _, c := range []headset.Codec{headset.CodecG711, headset.CodecG722} {
		m := behind(t, 16000, x, c).Metrics
		if m.NoiseFloor != mic.NoiseFloor || m.ActiveLevelHP != mic.ActiveLevelHP || m.SNR != mic.SNR {
			t.Errorf("%s: noise %.2f, level %.2f, SNR %.2f differ from the microphone's %.2f, %.2f, %.2f",
				c, m.NoiseFloor, m.ActiveLevelHP, m.SNR, mic.NoiseFloor, mic.ActiveLevelHP, mic.SNR)
		}
	}
	opus, usual := behind(t, 16000, x, headset.CodecOpus).Metrics, behind(t, 16000, x, headset.CodecUnknown).Metrics
	if opus.NoiseFloor != usual.NoiseFloor || opus.SNR != usual.SNR {
		t.Errorf("over 8 kHz a wire is not taken for Opus: %.2f, %.2f", opus.NoiseFloor, usual.NoiseFloor)
	}
	level, noise, snr := opus.ActiveLevelHP-mic.ActiveLevelHP, opus.NoiseFloor-mic.NoiseFloor, opus.SNR-mic.SNR
	if !(level > 0.5 && noise > 1) || math.Abs(float64(snr-(level-noise))) > 1e-9 {
		t.Errorf("Opus gets back level %.2f, noise %.2f, SNR %.2f dB, which do not agree", level, noise, snr)
	}
	if opus.ActiveValid != mic.ActiveValid || opus.Pumping != mic.Pumping {
		t.Error("what P.56 and the swings say depends on what is given back")
	}
}

func TestNarrowBandOnTheWireIsG711(t *testing.T) {
	t.Parallel()
	x := metertest.Speech(t, "agent-1", 8000, 10)
	if a, b := behind(t, 8000, x, headset.CodecUnknown).Metrics, behind(t, 8000, x, headset.CodecG711).Metrics; a.ActiveLevel != b.ActiveLevel {
		t.Errorf("%.2f dBov, as G.711 %.2f", a.ActiveLevel, b.ActiveLevel)
	}
	if a, b := behind(t, 8000, x, headset.CodecOpus).Metrics, behind(t, 8000, x, headset.CodecG711).Metrics; !(a.ActiveLevel > b.ActiveLevel) {
		t.Errorf("Opus at 8 kHz is not known: %.2f dBov, as G.711 %.2f", a.ActiveLevel, b.ActiveLevel)
	}
}

func TestReadingsFollowACodecThatChanges(t *testing.T) {
	t.Parallel()
	a, err := headset.New(headset.Config{SampleRate: 16000, Tap: headset.TapWire, Codec: headset.CodecG711})
	if err != nil {
		t.Fatal(err)
	}
	tone := dsptest.Tone(16000, 16000, 1000, -20)
	var levels []dsp.Value
	for second := range 40 {
		if second == 20 {
			a.SetCodec(headset.CodecOpus)
		}
		a.Process(tone, 0)
		r, _ := a.Reading()
		levels = append(levels, r.ActiveLevel)
	}
	rise := levels[39] - levels[19]
	if !(rise > 0.5) || math.Abs(float64(levels[24]-levels[19]-rise/2)) > 0.01 {
		t.Errorf("before %.2f, five seconds after %.2f, at the end %.2f dBov", levels[19], levels[24], levels[39])
	}
}

func TestUnknownCodecsAreRefused(t *testing.T) {
	t.Parallel()
	if _, err := headset.New(headset.Config{SampleRate: 16000, Tap: headset.TapWire, Codec: "mp3"}); err == nil {
		t.Error("an analyzer behind MP3 was made")
	}
}
