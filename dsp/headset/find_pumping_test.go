package headset_test

import (
	"math"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// shape talks for 80 s with the gain that at gives, in dB, of the second.
func shape(t *testing.T, at func(second int) float64) []float32 {
	t.Helper()
	const rate = 8000
	voice := metertest.Speech(t, "agent-1", rate, 0)
	x := make([]float32, 80*rate)
	for i := range x {
		x[i] = voice[i%len(voice)] * float32(math.Pow(10, at(i/rate)/20))
	}
	return x
}

func TestSwingingLevelIsPumping(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	swing := func(dB float64) func(int) float64 {
		return func(s int) float64 { return dB * math.Cos(math.Pi*math.Floor(float64(s)/20)) }
	}
	aside := func(s int) float64 {
		if s >= 30 && s < 40 {
			return -15
		}
		return 0
	}
	for name, c := range map[string]struct {
		gain func(int) float64
		want headset.Severity
	}{
		"steady": {swing(0), ""}, "a sentence aside": {aside, ""},
		"3 dB up and down": {swing(2.8), headset.Watch}, "6 dB up and down": {swing(6), headset.Bad},
	} {
		r := report(t, 8000, headset.TapMic, shape(t, c.gain))
		if f, _ := find(r, headset.Pumping); f.Severity != c.want {
			t.Errorf("%s: %+v, %v dB, steady %v", name, f, r.Metrics.Pumping, r.Metrics.PumpingSteady)
		}
	}
}

func TestShortCallsDoNotPump(t *testing.T) {
	t.Parallel()
	x := shape(t, func(s int) float64 { return 8 * math.Cos(math.Pi*math.Floor(float64(s)/10)) })
	if f, found := find(report(t, 8000, headset.TapMic, x[:50*8000]), headset.Pumping); found {
		t.Errorf("%+v", f)
	}
}

// An agent and a caller take turns of 8 s, so that stretches of 10 s hold more of the one or of
// the other. The echo is 12 dB under the voice.
func TestAnEchoBetweenTheWordsIsNoPumping(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 8000
	far, voice := metertest.Speech(t, "caller-1", rate, 0), metertest.Speech(t, "agent-1", rate, 0)
	near, other := dsptest.Noise(160*rate, -70, 1), make([]float32, 160*rate)
	swinging := slices.Clone(near)
	for i := range near {
		if i/rate%16 < 8 {
			other[i] = far[i%len(far)]
			continue
		}
		v := voice[i%len(voice)]
		near[i] += v
		swinging[i] += v * float32(math.Pow(10, 6*math.Cos(math.Pi*float64(i/rate/40))/20))
	}
	for name, c := range map[string]struct {
		near []float32
		want headset.Severity
	}{"steady": {near, ""}, "swinging": {swinging, headset.Bad}} {
		r := call(t, headset.TapMic, rate, dsptest.Mix(c.near, leak(other, rate, 60, 12)), other)
		if f, _ := find(r, headset.Pumping); f.Severity != c.want || !r.Metrics.EchoLoss.Valid() {
			t.Errorf("%s: %+v, %v dB, steady %v", name, f, r.Metrics.Pumping, r.Metrics.PumpingSteady)
		}
	}
}
