package pump_test

import (
	"math"
	"testing"

	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/level"
	"github.com/headroom-voice/headroom/dsp/pump"
)

const rate = 8000

// measure goes second by second, as an analyzer does.
func measure(t testing.TB, x []float32) pump.Result {
	t.Helper()
	l, err := level.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	m, err := pump.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	for ; len(x) >= rate; x = x[rate:] {
		l.Process(x[:rate])
		m.Process(l.Counts(), 0)
	}
	return m.Result()
}

func talk(t testing.TB, seconds int) []float32 {
	t.Helper()
	voice := metertest.Speech(t, "agent-1", rate, 0)
	var x []float32
	for len(x) < seconds*rate {
		x = append(x, voice...)
	}
	return x[:seconds*rate]
}

// swing moves the gain of x between plus and minus dB every so many seconds.
func swing(x []float32, dB, seconds float64) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		sign := 1.0
		if int(float64(i)/rate/seconds)%2 == 1 {
			sign = -1
		}
		y[i] = v * float32(math.Pow(10, sign*dB/20))
	}
	return y
}

func TestSteadyTalkDoesNotPump(t *testing.T) {
	t.Parallel()
	r := measure(t, talk(t, 120))
	if r.Windows != 12 || r.SD > 1.5 || r.Steady > r.SD {
		t.Errorf("%+v", r)
	}
}

func TestSwingsAreMeasured(t *testing.T) {
	t.Parallel()
	x := talk(t, 120)
	natural := float64(measure(t, x).SD)
	for _, dB := range []float64{2, 4.5} {
		r := measure(t, swing(x, dB, 20))
		want := math.Hypot(dB*math.Sqrt(12.0/11), natural)
		if math.Abs(float64(r.SD)-want) > 0.8 || float64(r.Steady) < 0.7*dB {
			t.Errorf("swing of %v dB: %+v, want %.1f", dB, r, want)
		}
	}
}

func TestOneSentenceAsideIsNotSteady(t *testing.T) {
	t.Parallel()
	x := talk(t, 100)
	for i := range x[30*rate : 40*rate] {
		x[30*rate+i] *= 0.15
	}
	if r := measure(t, x); r.SD < 4 || r.Steady > 1.3 {
		t.Errorf("%+v", r)
	}
}

func TestPausesAreNotLevels(t *testing.T) {
	t.Parallel()
	x := append(talk(t, 60), make([]float32, 60*rate)...)
	x = append(x, talk(t, 30)...)
	if r := measure(t, dsptest.AddNoise(x, -75, 1)); r.Windows != 9 || r.SD > 1.5 {
		t.Errorf("%+v", r)
	}
}

func TestNothingHeardIsNothingMeasured(t *testing.T) {
	t.Parallel()
	if r := measure(t, make([]float32, 60*rate)); r.SD.Valid() || r.Steady.Valid() || r.Windows != 0 {
		t.Errorf("%+v", r)
	}
	if r := measure(t, talk(t, 19)); r.SD.Valid() || r.Windows != 1 {
		t.Errorf("%+v", r)
	}
}

func TestLeavingOutTheFurthestAddsNothing(t *testing.T) {
	t.Parallel()
	const slow = 4000
	ten := dsptest.Tone(10*slow, slow, 500, -20)
	for _, gains := range [][]float64{{0, 0, 0, 0, 0, 0}, {-20, 6, -20, 6, -20, 6}, {1, 2, 3, 4, 5, 6, -6, 0}, {0, 0, 0, 0, 0, -18}} {
		m, _ := pump.New(slow)
		l, _ := level.New(slow)
		for _, g := range gains {
			l.Process(dsptest.Gain(ten, g))
			m.Process(l.Counts(), 0)
		}
		r := m.Result()
		if r.Windows != len(gains) || !(r.SD >= 0) || float64(r.Steady) > float64(r.SD)*1.2+0.2 {
			t.Errorf("%+v of %v", r, gains)
		}
	}
}

func TestResetEqualsNew(t *testing.T) {
	t.Parallel()
	m, _ := pump.New(rate)
	l, _ := level.New(rate)
	l.Process(talk(t, 30))
	m.Process(l.Counts(), 0)
	m.Reset()
	if n, _ := pump.New(rate); *m != *n {
		t.Error("something is left")
	}
}

func TestProcessDoesNotAllocate(t *testing.T) {
	m, _ := pump.New(rate)
	l, _ := level.New(rate)
	l.Process(talk(t, 11))
	c := l.Counts()
	if n := testing.AllocsPerRun(100, func() { m.Process(c, 0); m.Result(); m.Reset() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRefusesImpossibleRates(t *testing.T) {
	for _, r := range []int{0, -1, 3999, 1 << 20} {
		if _, err := pump.New(r); err == nil {
			t.Errorf("took %d Hz", r)
		}
	}
}
