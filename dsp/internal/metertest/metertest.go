package metertest

import (
	"errors"
	"io/fs"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

// Long skips a test of much arithmetic where tests are asked to be short, as they are under
// the race detector: it makes them ten times slower, and meters have no goroutines.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("much arithmetic: runs without -short")
	}
}

// Speech gives the first seconds of one of the project's recordings at a rate in Hz; 0
// seconds are all of it. It is about -22 dBov, its floor -78.
func Speech(t testing.TB, name string, rate, seconds int) []float32 {
	t.Helper()
	x, from, err := testdata.Samples(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := resample.New(from, rate)
	if err != nil {
		t.Fatal(err)
	}
	if seconds > 0 {
		x = x[:seconds*from]
	}
	return r.Process(nil, x)
}

// Recording gives the first channel of an installed recording and its rate in Hz, or
// skips the test where its package is not installed.
func Recording(t testing.TB, path string) ([]float32, int) {
	t.Helper()
	c, err := wavfile.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("not installed: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return wavfile.AppendFirst(nil, c.Samples, c.Channels), c.Rate
}

// HighPass filters as the analyzer does before it looks for noise and speech.
func HighPass(rate int, x []float32) []float32 {
	y := make([]float32, len(x))
	filter.NewHighPass(rate, 100).Process(y, x)
	return y
}

// Meter says how to make, feed and read one kind of meter.
type Meter[M interface{ Reset() }, R comparable] struct {
	New     func(rate int) (M, error)
	Process func(M, []float32)
	Result  func(M) R
}

// Make gives a new one at a rate in Hz.
func (k Meter[M, R]) Make(t rapid.TB, rate int) M {
	t.Helper()
	m, err := k.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Measure gives a new one's result of x.
func (k Meter[M, R]) Measure(t rapid.TB, rate int, x []float32) R {
	t.Helper()
	m := k.Make(t, rate)
	k.Process(m, x)
	return k.Result(m)
}

// ChunkingChangesNothingAndResetEqualsNew checks both: one that heard something and was
// reset then measures x, in any chunks and asked in between, as a new one does at once.
func (k Meter[M, R]) ChunkingChangesNothingAndResetEqualsNew(t *testing.T, rate int, x []float32) {
	t.Helper()
	want := k.Measure(t, rate, x)
	rapid.Check(t, func(t *rapid.T) {
		m := k.Make(t, rate)
		k.Process(m, x[:rapid.IntRange(0, len(x)).Draw(t, "before reset")])
		if m, ok := any(m).(interface{ Gap() }); ok {
			m.Gap()
		}
		m.Reset()
		for rest := x; len(rest) > 0; {
			n := rapid.IntRange(1, len(rest)).Draw(t, "chunk")
			k.Process(m, rest[:n])
			k.Result(m)
			rest = rest[n:]
		}
		if got := k.Result(m); got != want {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// DoesNotAllocate checks that frames like x, measured and asked about, cost no memory.
func (k Meter[M, R]) DoesNotAllocate(t *testing.T, rate int, x []float32) {
	t.Helper()
	m := k.Make(t, rate)
	if n := testing.AllocsPerRun(200, func() { k.Process(m, x); k.Result(m) }); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// RefusesImpossibleRates checks that none is made at a rate nobody records at.
func (k Meter[M, R]) RefusesImpossibleRates(t *testing.T) {
	t.Helper()
	for _, rate := range []int{0, -8000, 3999, 1 << 20, 1 << 30} {
		if _, err := k.New(rate); err == nil {
			t.Errorf("took %d Hz", rate)
		}
	}
}

// Benchmark times frames like x.
func (k Meter[M, R]) Benchmark(b *testing.B, rate int, x []float32) {
	b.Helper()
	m := k.Make(b, rate)
	b.ReportAllocs()
	for b.Loop() {
		k.Process(m, x)
	}
}
