package loudness_test

import (
	"math"
	"slices"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
	"github.com/headroom-voice/headroom/dsp/level"
	"github.com/headroom-voice/headroom/dsp/loudness"
)

var voices = []string{"agent-1", "agent-2", "agent-3", "caller-1"}

func newLeveller(t testing.TB, rate int) *loudness.Leveller {
	t.Helper()
	l, err := loudness.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// levelled gives what comes out at 8 kHz, in frames of 20 ms.
func levelled(t testing.TB, l *loudness.Leveller, x []float32) []float32 {
	t.Helper()
	y := slices.Clone(x)
	for at := 0; at < len(y); at += 160 {
		frame := y[at:min(len(y), at+160)]
		before := slices.Clone(frame)
		if !l.Process(frame) && !slices.Equal(frame, before) {
			t.Fatal("a frame was changed and not said to be")
		}
	}
	return y
}

// active is the active speech level by ITU-T P.56, dBov.
func active(t testing.TB, x []float32, rate int) float64 {
	t.Helper()
	m, err := level.New(rate)
	if err != nil {
		t.Fatal(err)
	}
	m.Process(x)
	return float64(m.Result().Active)
}

func rms(x []float32) float64 {
	sum := 0.0
	for _, v := range x {
		sum += float64(v) * float64(v)
	}
	return dsp.PowerDBov(sum / float64(len(x)))
}

// twice has the talker go on for long enough to be levelled.
func twice(x []float32) []float32 { return append(slices.Clone(x), x...) }

func TestTheLevelIsThatOfP56(t *testing.T) {
	metertest.Long(t)
	for _, rate := range []int{8000, 16000} {
		for _, name := range voices {
			for _, gain := range []float64{-18, -8, 0, 6} {
				for _, noise := range []float64{-90, -64} {
					x := dsptest.AddNoise(dsptest.Gain(metertest.Speech(t, name, rate, 0), gain), noise, 1)
					l := newLeveller(t, rate)
					l.Follower.Process(x)
					if want := active(t, x, rate); math.Abs(l.LevelDBov()-want) > 2.5 || !l.Known() {
						t.Errorf("%s at %d Hz %+.0f dB, noise %.0f: %.1f dBov, P.56 says %.1f", name, rate, gain, noise, l.LevelDBov(), want)
					}
				}
			}
		}
	}
}

func TestANormalCallerPassesToTheLastBit(t *testing.T) {
	metertest.Long(t)
	for _, name := range voices {
		for _, gain := range []float64{-8, -4, 0, 3} { // -30 to -19 dBov
			x := dsptest.AddNoise(dsptest.Gain(metertest.Speech(t, name, 8000, 0), gain), -60, 2)
			l := newLeveller(t, 8000)
			if y := levelled(t, l, x); !slices.Equal(x, y) || l.Samples() != 0 {
				t.Errorf("%s %+.0f dB: levelled by up to %.1f dB", name, gain, l.GainDB())
			}
		}
	}
}

func TestQuietAndLoudCallersAreBroughtToALevel(t *testing.T) {
	metertest.Long(t)
	for _, name := range voices {
		for _, c := range []struct{ gain, low, high float64 }{
			{-16, -30, -26}, // -38 becomes -28
			{-26, -38, -34}, // -48 has 12 dB at the most
			{10, -23, -18},  // -12 becomes -20
		} {
			x := dsptest.Overdrive(twice(metertest.Speech(t, name, 8000, 0)), c.gain, 1)
			l := newLeveller(t, 8000)
			y := levelled(t, l, x)
			half := len(y) / 2
			if got := active(t, y[half:], 8000); got < c.low || got > c.high {
				t.Errorf("%s %+.0f dB: %.1f dBov after %.1f before, want %.0f to %.0f", name, c.gain, got, active(t, x[half:], 8000), c.low, c.high)
			}
			if got := float64(l.Samples()) / 8000; got < 5 {
				t.Errorf("%s %+.0f dB: %.1f s are counted as levelled", name, c.gain, got)
			}
		}
	}
}

func TestTheNoiseOfPausesIsNeverRaised(t *testing.T) {
	const rate = 8000
	speech := dsptest.Gain(metertest.Speech(t, "caller-1", rate, 0), -17)
	x := append(twice(speech), make([]float32, 5*rate)...)
	x = dsptest.AddNoise(x, -62, 4)
	y := levelled(t, newLeveller(t, rate), x)
	if gain := active(t, y[len(speech):2*len(speech)], rate) - active(t, x[len(speech):2*len(speech)], rate); gain < 7 {
		t.Fatalf("speech was raised by %.1f dB only", gain)
	}
	pause := 2*len(speech) + 3*rate/2
	if !slices.Equal(x[pause:], y[pause:]) {
		t.Errorf("a pause of %.1f dBov became %.1f", rms(x[pause:]), rms(y[pause:]))
	}
}

func TestASpeakerInNoiseIsRaisedOnlyAsFarAsTheNoiseAllows(t *testing.T) {
	const rate = 8000
	x := dsptest.AddNoise(dsptest.Gain(twice(metertest.Speech(t, "agent-2", rate, 0)), -17), -50, 5)
	l := newLeveller(t, rate)
	levelled(t, l, x)
	if l.GainDB() > 6.5 {
		t.Errorf("noise of -50 dBov is raised by %.1f dB, which makes it more than %.0f", l.GainDB(), loudness.NoiseStays)
	}
}

func TestALevelMovesSlowly(t *testing.T) {
	const rate = 8000
	x := dsptest.Gain(twice(metertest.Speech(t, "agent-1", rate, 0)), -20)
	l := newLeveller(t, rate)
	last := 0.0
	for at := 0; at+160 <= len(x); at += 160 {
		l.Process(x[at : at+160])
		if d := l.GainDB() - last; d > loudness.RisePerS*0.02+1e-9 || -d > loudness.FallPerS*0.02+1e-9 {
			t.Fatalf("%.2f dB within 20 ms", d)
		}
		last = l.GainDB()
	}
	if last < 8 {
		t.Errorf("only %.1f dB were given", last)
	}
}

func TestABangIsNoLoudTalker(t *testing.T) {
	const rate = 8000
	x := metertest.Speech(t, "caller-1", rate, 12)
	for i, v := range dsptest.Noise(rate*3/10, -3, 1) {
		x[6*rate+i] = max(-1, min(1, v))
	}
	l := newLeveller(t, rate)
	levelled(t, l, x[:6*rate])
	before := l.LevelDBov()
	levelled(t, l, x[6*rate:6*rate+rate/2])
	if got := l.LevelDBov() - before; got > 3 {
		t.Errorf("a bang of 0.3 s raised the level by %.1f dB", got)
	}
}

func TestWhoTakesThePhoneNextIsFollowed(t *testing.T) {
	const rate = 8000
	loud, soft := metertest.Speech(t, "agent-1", rate, 0), dsptest.Gain(metertest.Speech(t, "agent-3", rate, 0), -20)
	l := newLeveller(t, rate)
	l.Follower.Process(loud)
	l.Follower.Process(soft)
	if got := l.LevelDBov(); math.Abs(got+42) > 3 {
		t.Errorf("who speaks at -42 dBov is taken for %.1f", got)
	}
}

func TestResetIsNewAndNothingPoisons(t *testing.T) {
	x := dsptest.Gain(twice(metertest.Speech(t, "agent-2", 8000, 0)), -16)
	l := newLeveller(t, 8000)
	first := levelled(t, l, x)
	l.Reset()
	bad := []float32{float32(math.NaN()), float32(math.Inf(-1))}
	l.Process(bad)
	l.Reset()
	if second := levelled(t, l, x); !slices.Equal(first, second) {
		t.Error("after Reset it does something else")
	}
	if math.IsNaN(l.LevelDBov()) {
		t.Error("poisoned")
	}
	for _, rate := range []int{0, -1, 7999, 96000} {
		if _, err := loudness.New(rate); err == nil {
			t.Errorf("took %d Hz", rate)
		}
	}
}

func TestAFrameAllocatesNothing(t *testing.T) {
	l := newLeveller(t, 8000)
	x := dsptest.Gain(metertest.Speech(t, "agent-2", 8000, 8), -16)
	at := 0
	if n := testing.AllocsPerRun(300, func() { l.Process(x[at : at+160]); at += 160 }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkLeveller(b *testing.B) {
	l, x := newLeveller(b, 8000), metertest.Speech(b, "caller-1", 8000, 8)
	b.ReportAllocs()
	for i := 0; b.Loop(); i = (i + 160) % (len(x) - 160) {
		l.Process(x[i : i+160])
	}
}
