package dsptest_test

import (
	"math"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
)

func rms(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return 10 * math.Log10(sum/float64(len(x)))
}

func TestFaultsHaveTheSizeAsked(t *testing.T) {
	tone := dsptest.Tone(16000, 16000, 500, -20)
	before := slices.Clone(tone)
	if got := rms(tone); math.Abs(got+20) > 0.01 {
		t.Errorf("tone at %.2f dBov", got)
	}
	if got := rms(dsptest.Gain(tone, -7)); math.Abs(got+27) > 0.01 {
		t.Errorf("gain of -7 dB gives %.2f dBov", got)
	}
	noise := dsptest.AddNoise(tone, -40, 3)
	for i := range noise {
		noise[i] -= tone[i]
	}
	if got := rms(noise); math.Abs(got+40) > 0.1 {
		t.Errorf("noise at %.2f dBov", got)
	}
	driven := dsptest.Overdrive(tone, 12, 0.25)
	if lo, hi := slices.Min(driven), slices.Max(driven); lo != -0.25 || hi != 0.25 {
		t.Errorf("ceiling at %v and %v", lo, hi)
	}
	if !slices.Equal(tone, before) {
		t.Error("the input was changed")
	}
}

func TestSameSeedSameNoise(t *testing.T) {
	a, b, c := dsptest.Noise(100, -30, 1), dsptest.Noise(100, -30, 1), dsptest.Noise(100, -30, 2)
	if !slices.Equal(a, b) || slices.Equal(a, c) {
		t.Error("noise does not follow its seed")
	}
}

func TestQuantizeStaysInSixteenBits(t *testing.T) {
	got := dsptest.Quantize([]float32{2, -2, 0.00001, 0.5})
	if want := []float32{32767.0 / 32768, -1, 0, 0.5}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestMixIsAsLongAsTheLongest(t *testing.T) {
	if got := dsptest.Mix([]float32{1, 2}, []float32{3}); !slices.Equal(got, []float32{4, 2}) {
		t.Errorf("%v", got)
	}
}
