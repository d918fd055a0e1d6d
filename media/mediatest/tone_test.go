package mediatest_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media/mediatest"
)

func TestToneIsFoundWithItsFrequencyAndLevel(t *testing.T) {
	for _, rate := range []int{8000, 16000, 48000} {
		for _, hz := range []float64{101.3, 1000, 3333.3} {
			for _, level := range []float64{-3.01, -60} {
				gotHz, got := mediatest.FindTone(mediatest.Tone(rate, hz, level, rate/8), rate)
				if math.Abs(gotHz-hz) > 0.2 || math.Abs(got-level) > 0.02 {
					t.Errorf("%d Hz: %.1f Hz at %.2f dBov found as %.3f Hz at %.3f dBov", rate, hz, level, gotHz, got)
				}
			}
		}
	}
}

func TestStrongestOfTwoTonesIsFound(t *testing.T) {
	pcm := mediatest.Tone(8000, 1000, -20, 4000)
	for i, x := range mediatest.Tone(8000, 2000, -30, 4000) {
		pcm[i] += x
	}
	hz, level := mediatest.FindTone(pcm, 8000)
	if math.Abs(hz-1000) > 0.1 || math.Abs(level+20) > 0.05 {
		t.Errorf("found %.2f Hz at %.2f dBov, want 1000 Hz at -20", hz, level)
	}
	if got := mediatest.ToneDBov(pcm, 8000, 2000); math.Abs(got+30) > 0.05 {
		t.Errorf("the weaker tone reads %.2f dBov, want -30", got)
	}
	if tone, rest := mediatest.ToneAndRest(pcm, 8000, 1000); math.Abs(tone+20) > 0.05 || math.Abs(rest+30) > 0.05 {
		t.Errorf("the stronger reads %.2f dBov beside %.2f dBov, want -20 and -30", tone, rest)
	}
}

func TestNoToneInSilence(t *testing.T) {
	if hz, level := mediatest.FindTone(make([]float32, 1000), 8000); hz != 0 || level != dsp.SilenceDBov {
		t.Errorf("silence reads %v Hz at %v dBov", hz, level)
	}
}
