package headset_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

const glitchRate = 16000

// minutes gives a voice for some minutes.
func minutes(t *testing.T, n int) []float32 {
	t.Helper()
	voice := metertest.Speech(t, "agent-1", glitchRate, 20)
	x := make([]float32, 0, n*60*glitchRate)
	for range n * 3 {
		x = append(x, voice...)
	}
	return x
}

func TestDropOutsAreGradedByHowOftenTheyCome(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	x := minutes(t, 2)
	for n, want := range map[int]headset.Severity{0: "", 1: headset.Watch, 8: headset.Bad} {
		places := dsptest.Spoken(x, glitchRate, n, 2, 5)
		r := report(t, glitchRate, headset.TapMic, dsptest.Quantize(dsptest.DropOut(x, places, 480, dsptest.Zeros)))
		f, found := find(r, headset.Dropout)
		if f.Severity != want {
			t.Errorf("%d drop-outs: %+v (%v in five minutes)", n, f, r.Metrics.DropoutRate)
		}
		if found && !strings.Contains(f.Text, "replace the headset") {
			t.Errorf("no word of what to do: %s", f.Text)
		}
		if n == 1 && math.Abs(float64(r.Metrics.DropoutLongest)-30) > 0.5 {
			t.Errorf("longest is %.1f ms", r.Metrics.DropoutLongest)
		}
	}
}

func TestRepeatedBuffersAreDropOuts(t *testing.T) {
	t.Parallel()
	x := minutes(t, 1)
	r := report(t, glitchRate, headset.TapMic, dsptest.Quantize(dsptest.Repeat(x, dsptest.Spoken(x, glitchRate, 8, 2, 5), 160, 1)))
	if f, _ := find(r, headset.Dropout); f.Severity != headset.Bad || r.Metrics.Repeats < 6 {
		t.Errorf("%+v, %d repeats", f, r.Metrics.Repeats)
	}
}

func TestLostPacketsAreNoDropOuts(t *testing.T) {
	t.Parallel()
	x := minutes(t, 1)
	a, err := headset.New(headset.Config{SampleRate: glitchRate, Tap: headset.TapWire})
	if err != nil {
		t.Fatal(err)
	}
	frame := 0
	for c := range slices.Chunk(x, glitchRate/50) {
		var mark dsp.Mark
		if frame++; frame%17 == 0 {
			clear(c)
			mark = dsp.Lost
		}
		a.Process(c, mark)
	}
	if f := a.Report().Findings; slices.ContainsFunc(f, func(f headset.Finding) bool { return f.Kind == headset.Dropout || f.Kind == headset.Crackle }) {
		t.Errorf("%+v", f)
	}
}

// TestRatesAreOverWhatWasJudged loses a packet every half second: a click is counted only
// in the other half of the time, and comes as often as it is counted there.
func TestRatesAreOverWhatWasJudged(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const frame = glitchRate / 50
	a, err := headset.New(headset.Config{SampleRate: glitchRate, Tap: headset.TapMic})
	if err != nil {
		t.Fatal(err)
	}
	const clicks = 40
	x := dsptest.Noise(4*60*glitchRate, -60, 1)
	for i := range clicks {
		at := (i*250 + 11) * frame // 220 ms after a loss
		x[at], x[at+1] = 0.5, -0.5
	}
	n := 0
	for c := range slices.Chunk(x, frame) {
		var mark dsp.Mark
		if n++; n%25 == 0 {
			mark = dsp.Lost
		}
		a.Process(c, mark)
	}
	want := clicks / (4 * (0.480 - 0.269) / 0.5)
	if got := float64(a.Report().Metrics.CrackleRate); math.Abs(got-want) > 2 {
		t.Errorf("%.1f in a minute of what was judged, want %.1f", got, want)
	}
}
