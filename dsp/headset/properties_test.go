package headset_test

import (
	"math"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp/internal/metertest"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// A gain moves levels by itself, and no fault but those of level and clipping. (Noise has
// an absolute limit; a recording far below it stays there.)
func TestGainMovesLevelsAndNoOtherFault(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	faults := map[string][]float32{
		"clean":  speech(t, "agent-2", 16000),
		"hiss":   dsptest.AddNoise(speech(t, "agent-2", 16000), -37, 1),
		"hum":    dsptest.Mix(speech(t, "agent-3", 16000), dsptest.Hum(16*16000, 16000, 60, -38, 1)),
		"dull":   dsptest.Muffle(speech(t, "agent-1", 16000), 16000, 1200, 4),
		"pieces": dsptest.DropOut(speech(t, "agent-1", 16000), dsptest.Spoken(speech(t, "agent-1", 16000), 16000, 6, 1, 3), 480, dsptest.Zeros),
	}
	for name, x := range faults {
		before := report(t, 16000, headset.TapMic, x)
		for _, gain := range []float64{-3, 3} {
			after := report(t, 16000, headset.TapMic, dsptest.Gain(x, gain))
			m, was := after.Metrics, before.Metrics
			// P.56 has its thresholds 6 dB apart: under noise the level wavers between them.
			tolerance := 0.7
			if name == "clean" {
				tolerance = 0.05
			}
			near(t, name+": active level", m.ActiveLevel, float64(was.ActiveLevel)+gain, tolerance)
			near(t, name+": level over 100 Hz", m.ActiveLevelHP, float64(was.ActiveLevelHP)+gain, tolerance)
			near(t, name+": peak", m.Peak, float64(was.Peak)+gain, 0.02)
			near(t, name+": noise floor", m.NoiseFloor, float64(was.NoiseFloor)+gain, 0.3)
			near(t, name+": speech over noise", m.SNR, float64(was.SNR), 0.3)
			near(t, name+": peak factor", m.PeakFactor, float64(was.PeakFactor), tolerance)
			if got, want := others(after), others(before); !slices.Equal(got, want) {
				t.Errorf("%s: %+g dB turn %v into %v", name, gain, want, got)
			}
		}
	}
}

// others are the kinds of fault that have nothing to do with level.
func others(r headset.Report) []headset.Kind {
	kinds := []headset.Kind{}
	for _, f := range r.Findings {
		if f.Kind != headset.Quiet && f.Kind != headset.Loud && f.Kind != headset.Clipping {
			kinds = append(kinds, f.Kind)
		}
	}
	return kinds
}

// More of a fault never reads as less.
func TestMoreOfAFaultNeverReadsAsLess(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 16000
	x := speech(t, "agent-3", rate)
	for _, c := range []struct {
		name   string
		doses  []float64
		slack  float64
		give   func(dose float64) []float32
		metric func(headset.Metrics) dsp.Value
	}{
		{"hiss", []float64{-70, -60, -50, -40, -30}, 0, func(d float64) []float32 { return dsptest.AddNoise(x, d, 1) },
			func(m headset.Metrics) dsp.Value { return m.NoiseFloor }},
		{"clipping", []float64{0, 6, 12, 18, 24}, 0, func(d float64) []float32 { return dsptest.Overdrive(x, d, 0.5) },
			func(m headset.Metrics) dsp.Value { return m.ClippedShare }},
		{"offset", []float64{0, 0.005, 0.02, 0.1}, 0, func(d float64) []float32 { return dsptest.Offset(x, d) },
			func(m headset.Metrics) dsp.Value { return m.DC }},
		{"hum", []float64{-55, -45, -35, -25}, 0.1, func(d float64) []float32 { return dsptest.Mix(x, dsptest.Hum(len(x), rate, 50, d, 2)) },
			func(m headset.Metrics) dsp.Value { return m.HumLevel }},
		{"buzz", []float64{-50, -40, -30}, 0.1, func(d float64) []float32 {
			return dsptest.Mix(x, dsptest.Buzz(len(x), rate, dsptest.GSM(), 0.6, d, 3))
		}, func(m headset.Metrics) dsp.Value { return m.BuzzLevel }},
		{"muffling", []float64{-7000, -4000, -2500, -1500}, 0.1, func(d float64) []float32 { return dsptest.Muffle(x, rate, -d, 4) },
			func(m headset.Metrics) dsp.Value { return -m.HighLow }},
	} {
		last := dsp.Value(math.Inf(-1))
		for _, dose := range c.doses {
			got := c.metric(report(t, rate, headset.TapMic, c.give(dose)).Metrics)
			if !got.Valid() {
				t.Errorf("%s of %g: not measured", c.name, dose)
				continue
			}
			if float64(got) < float64(last)-c.slack {
				t.Errorf("%s of %g reads %.3f, less of it %.3f", c.name, dose, got, last)
			}
			last = got
		}
	}
}
