package level_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/level"
)

func TestPairMeasuresAsTwoMetersDo(t *testing.T) {
	x := formulaNoise(8000, 0.3)[:9000]
	for i := 3000; i < 6000; i++ {
		x[i] *= 0.001
	}
	x[4000], x[4001], x[4002] = float32(math.NaN()), float32(math.Inf(1)), -9
	y := make([]float32, len(x))
	filter.NewHighPass(8000, 100).Process(y, x)
	a, b := meter.Make(t, 8000), meter.Make(t, 8000)
	p, err := level.NewPair(8000)
	if err != nil {
		t.Fatal(err)
	}
	a.Process(x)
	b.Process(y)
	rapid.Check(t, func(t *rapid.T) {
		p.Reset()
		for from := 0; from < len(x); {
			to := from + rapid.IntRange(1, len(x)-from).Draw(t, "chunk")
			p.Process(x[from:to], y[from:to])
			from = to
		}
		if ca, cb := p.Counts(); ca != a.Counts() || cb != b.Counts() {
			t.Fatalf("%+v and %+v, alone %+v and %+v", ca, cb, a.Counts(), b.Counts())
		}
	})
}

func TestPairDoesNotAllocateAndRefusesImpossibleRates(t *testing.T) {
	p, _ := level.NewPair(16000)
	x := formulaNoise(16000, 0.3)[:320]
	if n := testing.AllocsPerRun(200, func() { p.Process(x, x); p.Counts() }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
	if _, err := level.NewPair(3999); err == nil {
		t.Error("took 3999 Hz")
	}
}

func BenchmarkPair(b *testing.B) {
	p, _ := level.NewPair(16000)
	x := formulaNoise(16000, 0.3)
	y := make([]float32, len(x))
	filter.NewHighPass(16000, 100).Process(y, x)
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 320) % (len(x) - 320) {
		p.Process(x[i:i+320], y[i:i+320])
	}
}

func BenchmarkPairInSilence(b *testing.B) {
	p, _ := level.NewPair(16000)
	x := dsptest.Noise(320, -30, 1)
	p.Process(x, x)
	zeros := make([]float32, 320)
	b.ReportAllocs()
	for b.Loop() {
		p.Process(zeros, zeros)
	}
}
