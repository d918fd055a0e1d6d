package talk_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/headroom-voice/headroom/dsp/talk"
)

// line is who speaks from when to when, in seconds.
type line struct {
	who      byte // 'n' or 'f'
	from, to float64
}

// play makes flags of lines, with the pauses of 100 ms between words that a detector hears.
func play(m *talk.Meter, seconds float64, lines ...line) talk.Result {
	for b := range int(math.Round(seconds * 50)) {
		m.Process(speaking(lines, b, 'n'), speaking(lines, b, 'f'))
	}
	return m.Result()
}

func speaking(lines []line, b int, who byte) bool {
	for _, l := range lines {
		from, to := int(math.Round(l.from*50)), int(math.Round(l.to*50))
		if l.who == who && b >= from && b < to && ((b-from)%40 < 35 || to-b < 10) {
			return true
		}
	}
	return false
}

func about(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 0.041) { // two blocks
		t.Errorf("%s: %.2f, want %.2f", what, got, want)
	}
}

func TestAnOrderlyCall(t *testing.T) {
	t.Parallel()
	r := play(talk.New(), 40,
		line{'n', 1, 4}, line{'f', 4.5, 9}, line{'n', 10.2, 12}, line{'f', 12.3, 20}, line{'n', 25, 30}, line{'f', 30.1, 31})
	about(t, "the caller's longest", r.Far.LongestSeconds, 7.7)
	about(t, "the agent's longest", r.Near.LongestSeconds, 5)
	about(t, "longest silence", r.SilenceLongest, 9) // at the end
	about(t, "silence beyond 2 s", r.SilenceBeyond, 3+7)
	about(t, "the agent's median answer", float64(r.Near.GapMedian), 1.2)
	about(t, "the agent's slow answer", float64(r.Near.GapP90), 5)
	about(t, "the caller's median answer", float64(r.Far.GapMedian), 0.3)
	about(t, "the caller's slow answer", float64(r.Far.GapP90), 0.5)
	if r.OvertalkSeconds != 0 || r.Near.Interruptions != 0 || r.Far.Interruptions != 0 {
		t.Errorf("%+v", r)
	}
	about(t, "length", r.Seconds, 40)
	if s := r.Near.TalkShare; math.Abs(s-9.8/(9.8+13.1)) > 0.02 || math.Abs(s+r.Far.TalkShare-1) > 1e-9 {
		t.Errorf("share %.2f", s)
	}
}

func TestInterruptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines     []line
		near, far int
	}{
		"the agent cuts the caller off":       {[]line{{'f', 1, 5}, {'n', 4.5, 8}}, 1, 0},
		"the caller cuts the agent off":       {[]line{{'n', 1, 5}, {'f', 4, 8}}, 0, 1},
		"mhm":                                 {[]line{{'f', 1, 8}, {'n', 4, 4.4}, {'n', 6, 6.5}}, 0, 0},
		"one who tries and gives up":          {[]line{{'f', 1, 10}, {'n', 4, 6}}, 0, 0},
		"an answer that comes a little early": {[]line{{'f', 1, 5}, {'n', 4.9, 8}}, 0, 0},
		"both begin at once":                  {[]line{{'f', 1, 1.9}, {'n', 1.2, 6}}, 0, 0},
		"back and forth":                      {[]line{{'f', 1, 4}, {'n', 3.5, 8}, {'f', 7, 12}}, 1, 1},
		"a short word that stops the other":   {[]line{{'f', 1, 5}, {'n', 4.6, 5.2}}, 0, 0},
	} {
		r := play(talk.New(), 15, c.lines...)
		if r.Near.Interruptions != c.near || r.Far.Interruptions != c.far {
			t.Errorf("%s: %d and %d, want %d and %d", name, r.Near.Interruptions, r.Far.Interruptions, c.near, c.far)
		}
	}
}

func TestOvertalk(t *testing.T) {
	t.Parallel()
	m := talk.New()
	for b := range 500 {
		m.Process(b < 300, b >= 200)
	}
	r := m.Result()
	about(t, "overtalk", r.OvertalkSeconds, 2)
	if math.Abs(r.OvertalkShare-0.2) > 0.001 {
		t.Errorf("%.3f of the talk", r.OvertalkShare)
	}
}

func TestMonologueGoesOnOverMhmAndEndsWithAnAnswer(t *testing.T) {
	t.Parallel()
	r := play(talk.New(), 40, line{'f', 1, 10}, line{'n', 5, 5.4}, line{'f', 11, 20}, line{'n', 20.5, 23}, line{'f', 23.5, 30})
	about(t, "over a pause and a mhm", r.Far.LongestSeconds, 19)
	r = play(talk.New(), 40, line{'f', 1, 10}, line{'f', 13, 20})
	about(t, "until a silence", r.Far.LongestSeconds, 9)
}

func TestHoldIsNoSilenceAndNoAnswer(t *testing.T) {
	t.Parallel()
	m := talk.New()
	play(m, 5, line{'f', 1, 5})
	m.Gap()
	r := play(m, 10, line{'n', 5, 8})
	about(t, "silence", r.SilenceLongest, 2)
	if r.Near.GapMedian.Valid() {
		t.Errorf("answered after %.2f s", r.Near.GapMedian)
	}
}

func TestNoisesAnswerNothing(t *testing.T) {
	t.Parallel()
	r := play(talk.New(), 20, line{'f', 1, 5}, line{'n', 6, 6.06}, line{'n', 8, 10})
	about(t, "answer", float64(r.Near.GapMedian), 3)
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	r := play(talk.New(), 20)
	if r.Near.GapMedian.Valid() || r.SilenceLongest != 0 || r.Near.TalkShare != 0 {
		t.Errorf("%+v", r)
	}
}

func TestResetEqualsNewAndSharesAreShares(t *testing.T) {
	t.Parallel()
	m := talk.New()
	for seed := range uint64(50) {
		fresh := talk.New()
		m.Reset()
		rng := rand.New(rand.NewPCG(seed, 1))
		near, far := false, false
		for range 5000 {
			if rng.IntN(40) == 0 {
				near = !near
			}
			if rng.IntN(60) == 0 {
				far = !far
			}
			m.Process(near, far)
			fresh.Process(near, far)
		}
		r := m.Result()
		if fmt.Sprint(r) != fmt.Sprint(fresh.Result()) {
			t.Fatal("reset differs from new")
		}
		for _, p := range []talk.Party{r.Near, r.Far} {
			if p.TalkShare < 0 || p.TalkShare > 1 || p.LongestSeconds > r.Seconds || p.GapP90 < p.GapMedian {
				t.Fatalf("%+v", p)
			}
		}
		if r.OvertalkShare > 1 || r.OvertalkSeconds > min(r.Near.TalkSeconds, r.Far.TalkSeconds) || r.SilenceBeyond > r.Seconds {
			t.Fatalf("%+v", r)
		}
	}
}

func TestNothingIsAllocated(t *testing.T) {
	m := talk.New()
	i := 0
	if n := testing.AllocsPerRun(1000, func() { m.Process(i%90 < 40, i%130 > 70); i++; m.Result() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkProcess(b *testing.B) {
	m := talk.New()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		m.Process(i%300 < 140, i%330 > 170)
		i++
	}
}

func Example() {
	m := talk.New()
	for block := range 500 { // 10 s
		m.Process(block < 200, block >= 225)
	}
	r := m.Result()
	fmt.Printf("the far end answered after %.1f s\n", float64(r.Far.GapMedian))
	fmt.Printf("longest monologue %.1f s, longest silence %.1f s\n", r.Far.LongestSeconds, r.SilenceLongest)
	// Output:
	// the far end answered after 0.5 s
	// longest monologue 5.5 s, longest silence 0.5 s
}
