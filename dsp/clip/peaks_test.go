package clip_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/clip"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// peaks measures x, every 20 ms of which that is not silence counts as speech.
func peaks(t *testing.T, rate int, x []float32) clip.PeaksResult {
	t.Helper()
	p, err := clip.NewPeaks(rate)
	if err != nil {
		t.Fatal(err)
	}
	for n := rate / 50; len(x) >= n; x = x[n:] {
		p.Process(x[:n], dsptest.RMS(x[:n]) > -40)
	}
	return p.Result()
}

func TestPeaksBendTowardsASoftCeilingAndNotUnderALimiter(t *testing.T) {
	metertest.Long(t)
	for _, name := range []string{"agent-1", "agent-3"} {
		for _, rate := range []int{8000, 16000, 48000} {
			seconds := 16
			if rate == 8000 { // a peak is often on the edge of a block
				seconds = 0
			}
			x := metertest.Speech(t, name, rate, seconds)
			clean := peaks(t, rate, dsptest.Quantize(x))
			if !(clean.Bend > -0.4) || clean.Crowding > 0.2 {
				t.Errorf("%s at %d Hz: clean %+v", name, rate, clean)
			}
			if louder := peaks(t, rate, dsptest.Gain(x, -9)); math.Abs(float64(louder.Bend-clean.Bend)) > 0.2 {
				t.Errorf("%s at %d Hz: %.2f, 9 dB softer %.2f", name, rate, clean.Bend, louder.Bend)
			}
			soft := peaks(t, rate, dsptest.Quantize(dsptest.SoftClip(x, 12, 0.5)))
			want := dsp.Value(-1)
			if rate == 8000 { // every other sample is missing at a peak
				want = -0.5
			}
			if !(soft.Bend < want) || soft.Crowding < 0.3 {
				t.Errorf("%s at %d Hz: soft %+v", name, rate, soft)
			}
			limited := peaks(t, rate, dsptest.Quantize(dsptest.Limit(dsptest.Gain(x, 9), rate, -3)))
			if !(limited.Bend > -0.9) || limited.Crowding < 0.3 {
				t.Errorf("%s at %d Hz: limited %+v", name, rate, limited)
			}
		}
	}
}

func TestPeaksOfOneSideAreSeenOnBoth(t *testing.T) {
	x := dsptest.SoftClip(metertest.Speech(t, "agent-2", 16000, 10), 12, 0.5)
	flipped := dsptest.Gain(x, 0)
	for i := range flipped {
		flipped[i] = -flipped[i]
	}
	if a, b := peaks(t, 16000, x), peaks(t, 16000, flipped); a != b {
		t.Errorf("%+v, upside down %+v", a, b)
	}
}

func TestPeaksOfSilenceAndBrokenSamples(t *testing.T) {
	p, _ := clip.NewPeaks(16000)
	if r := p.Result(); r.Crowding.Valid() || r.Bend.Valid() || r.Blocks != 0 {
		t.Errorf("of nothing: %+v", r)
	}
	x := make([]float32, 320)
	for i := range x {
		x[i] = []float32{float32(math.NaN()), float32(math.Inf(1)), -9, 0.5}[i%4]
	}
	for range 100 {
		p.Process(x, true)
	}
	if r := p.Result(); math.IsInf(float64(r.Bend), 0) || r.Hot != 0 || p.Peak() != 0.5 {
		t.Errorf("%+v, peak %v", r, p.Peak())
	}
	p.Process(nil, true)
	p.Reset()
	if fresh, _ := clip.NewPeaks(16000); *p != *fresh {
		t.Error("Reset is not new")
	}
}

func TestPeaksDoNotAllocateAndRefuseImpossibleRates(t *testing.T) {
	p, _ := clip.NewPeaks(16000)
	x := metertest.Speech(t, "agent-1", 16000, 1)[8000:8320]
	if n := testing.AllocsPerRun(200, func() { p.Process(x, true); p.Result() }); n != 0 {
		t.Errorf("%v allocations a block", n)
	}
	if _, err := clip.NewPeaks(1000); err == nil {
		t.Error("took 1000 Hz")
	}
}

func BenchmarkPeaks(b *testing.B) {
	x := metertest.Speech(b, "agent-1", 16000, 0)
	p, _ := clip.NewPeaks(16000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 320) % (len(x) - 320) {
		p.Process(x[i:i+320], true)
	}
}
