package store

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// drawReadings gives what a meter can say, and a little of what it cannot.
func drawReadings(t *rapid.T) []headset.Reading {
	value := func(low, high float64) dsp.Value {
		switch rapid.IntRange(0, 9).Draw(t, "which") {
		case 0:
			return dsp.None()
		case 1:
			return dsp.Value(rapid.Float64().Draw(t, "any"))
		}
		return dsp.Value(rapid.Float64Range(low, high).Draw(t, "value"))
	}
	at := rapid.Float64Range(0, 1e6).Draw(t, "start")
	out := make([]headset.Reading, rapid.IntRange(1, 40).Draw(t, "n"))
	for i := range out {
		out[i] = headset.Reading{
			At: at, Level: value(-120, 3), ActiveLevel: value(-120, 3), NoiseFloor: value(-120, 3), Peak: value(-120, 3), Clipped: value(0, 1),
			Speech: rapid.Float64Range(0, 1).Draw(t, "speech"), Scored: rapid.Float64Range(0, 1).Draw(t, "scored"),
		}
		at += rapid.SampledFrom([]float64{1, 1, 1, 0.98, 7}).Draw(t, "step")
	}
	return out
}

func TestReadingsComeBackWithinHalfAStep(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawReadings(t)
		blob, err := encodeReadings(in)
		if err != nil {
			t.Fatal(err)
		}
		out, err := decodeReadings(blob)
		if err != nil || len(out) != len(in) {
			t.Fatalf("%d of %d, %v", len(out), len(in), err)
		}
		near := func(what string, got, want, scale float64) {
			if what == "value" { // cut to what is kept
				want = min(max(want, math.MinInt16/scale), math.MaxInt16/scale)
			}
			if math.Abs(got-want) > 0.5/scale+1e-9 {
				t.Fatalf("%s: %g came back as %g", what, want, got)
			}
		}
		for i, r := range in {
			o := out[i]
			near("time", o.At, r.At, 1000)
			near("speech", o.Speech, r.Speech, shareScale)
			near("scored", o.Scored, r.Scored, shareScale)
			for f, pair := range [][2]dsp.Value{{o.Level, r.Level}, {o.ActiveLevel, r.ActiveLevel}, {o.NoiseFloor, r.NoiseFloor}, {o.Peak, r.Peak}, {o.Clipped, r.Clipped}} {
				if pair[0].Valid() != pair[1].Valid() {
					t.Fatalf("field %d: %v came back as %v", f, pair[1], pair[0])
				}
				if pair[1].Valid() {
					near("value", float64(pair[0]), float64(pair[1]), fieldScale(f))
				}
			}
		}
	})
}

func TestOneClippedSampleIsNotForgotten(t *testing.T) {
	blob, err := encodeReadings([]headset.Reading{{At: 1, Clipped: 1.0 / 48000}})
	must(t, err)
	out, err := decodeReadings(blob)
	must(t, err)
	if out[0].Clipped <= 0 {
		t.Errorf("one sample of 48,000 came back as %v", out[0].Clipped)
	}
}

func TestTenSecondsOfTalkTakeNoMoreThan16BytesASecond(t *testing.T) {
	const n = 10
	worst := make([]headset.Reading, n)
	for i := range worst {
		// Every level jumps by tens of decibels each second, in speech that starts and stops.
		jump := dsp.Value(float64(i%2) * 60)
		worst[i] = headset.Reading{At: float64(i + 1), Level: -80 + jump, ActiveLevel: -90 + jump, NoiseFloor: -110 + jump, Peak: -62 + jump,
			Clipped: dsp.Value(float64(i%2) * 0.002), Speech: float64(i % 2), Scored: 1 - float64(i%2)*0.9}
	}
	blob, err := encodeReadings(worst)
	must(t, err)
	if got := float64(len(blob)) / n; got > 16 {
		t.Errorf("%.1f bytes a second", got)
	}
}

func TestReadingsThatAreNoneAreRefused(t *testing.T) {
	for name, in := range map[string][]headset.Reading{
		"none":     {},
		"too many": make([]headset.Reading, maxReadings+1),
		"past":     {{At: -1}},
		"NaN":      {{At: math.NaN()}},
		"infinite": {{At: math.Inf(1)}},
	} {
		if _, err := encodeReadings(in); err == nil {
			t.Errorf("%s was stored", name)
		}
	}
	for name, blob := range map[string][]byte{
		"nothing": {}, "version": {2, 1, 0, 0, 0, 0}, "no count": {1}, "count 0": {1, 0}, "huge count": {1, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0},
		"short": {1, 2, 0, 0, 0, 0}, "long": {1, 1, 0, 0, 0, 0, 0}, "unknown field": {1, 1, 0x20, 0, 0, 0}, "below zero": {1, 1, 0, 1, 0, 0},
		"too loud": {1, 1, 1, 0, 0x80, 0x80, 0x04, 0, 0},
	} {
		if got, err := decodeReadings(blob); err == nil {
			t.Errorf("%s was read as %+v", name, got)
		}
	}
}

// Whatever is read: no panic, and what is accepted is stored again as the same bytes' worth.
func FuzzDecodeReadings(f *testing.F) {
	blob, err := encodeReadings([]headset.Reading{{At: 1, Level: -20, Clipped: dsp.None(), Speech: 0.5, Scored: 1}, {At: 2, Peak: -3}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(blob)
	f.Add([]byte{1, 1, 0x1f, 2, 2, 2, 2, 2, 2, 2, 2})
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := decodeReadings(b)
		if err != nil {
			return
		}
		again, err := encodeReadings(got)
		if err != nil {
			t.Fatalf("%+v cannot be stored: %v", got, err)
		}
		if len(again) > len(b) {
			t.Errorf("%d bytes became %d", len(b), len(again))
		}
		back, err := decodeReadings(again)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "readings", back, got)
	})
}
