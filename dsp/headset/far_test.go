package headset_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// turnsOfTwo gives two voices in turns and an echo of the far one after 60 ms.
func turnsOfTwo(t *testing.T, rate, seconds int) (near, far []float32) {
	t.Helper()
	for len(near) < rate*seconds {
		near = append(near, metertest.Speech(t, "agent-1", rate, 20)...)
		far = append(far, metertest.Speech(t, "agent-2", rate, 20)...)
	}
	for i := range near {
		if i/(4*rate)%2 == 0 {
			near[i] = 0
		} else {
			far[i] = 0
		}
	}
	for i := len(near) - 1; i >= rate*6/100; i-- {
		near[i] += 0.05 * far[i-rate*6/100]
	}
	return dsptest.Quantize(dsptest.AddNoise(near, -70, 1)), far
}

// TestHowTheEndsTakeTurnsChangesNothing hands both ends over in pieces of any length, either
// up to 200 ms before the other, with losses and holds.
func TestHowTheEndsTakeTurnsChangesNothing(t *testing.T) {
	t.Parallel()
	for _, rate := range []int{8000, 16000, 44100} {
		near, far := turnsOfTwo(t, rate, 20)
		tick := rate / 100
		markOf := func(i int) dsp.Mark {
			switch at := i / tick; {
			case at >= 1000 && at < 1090:
				return dsp.Held
			case at%130 < 3:
				return dsp.Lost
			}
			return 0
		}
		var want headset.Report
		for seed := range uint64(8) {
			a, rng := analyzer(t, rate, headset.TapMic), rand.New(rand.NewPCG(seed, 1))
			n, f, slack := 0, 0, rate/5
			if seed == 0 {
				slack = rate / 50
			}
			for n < len(near) || f < len(far) {
				if (seed == 0 || rng.IntN(2) == 0) && f < len(far) && f < n+slack {
					to := min(f+1+rng.IntN(n+slack-f), len(far))
					a.ProcessFar(far[f:to])
					f = to
				}
				if n >= len(near) || n >= f+slack {
					continue
				}
				upTo, mark := min(n+1+rng.IntN(f+slack-n), len(near)), markOf(n)
				to := min((n/tick+1)*tick, upTo)
				for to < upTo && markOf(to) == mark {
					to = min(to+tick, upTo)
				}
				a.Process(near[n:to], mark)
				n = to
			}
			got := a.Report()
			if seed == 0 {
				want = got
				if !want.Metrics.EchoLoss.Valid() || want.Conversation.Far.Talk < 3 || want.Conversation.Near.Talk < 3 {
					t.Fatalf("%d Hz: there is nothing to compare: %+v", rate, want)
				}
			} else if !same(got, want) {
				t.Errorf("%d Hz, way %d: %+v\nwant %+v", rate, seed, got, want)
			}
		}
	}
}

// echoDelay hands both ends over as deliver says and gives the echo's delay, which is 60 ms.
// deliver is called every 20 ms and says how many blocks of the far end come then.
func echoDelay(t *testing.T, near, far []float32, deliver func(block int) int) float64 {
	t.Helper()
	const rate, size = 16000, 320
	a := analyzer(t, rate, headset.TapMic)
	for b := range len(near) / size {
		n := min(deliver(b)*size, len(far))
		a.ProcessFar(far[:n])
		far = far[n:]
		a.Process(near[b*size:][:size], 0)
	}
	return float64(a.Report().Metrics.EchoDelay)
}

func TestAFarEndThatPausesStaysInStep(t *testing.T) {
	t.Parallel()
	near, far := turnsOfTwo(t, 16000, 40)
	got := echoDelay(t, near, far, func(b int) int {
		switch b %= 400; {
		case b >= 350 && b < 390:
			return 0
		case b == 390:
			return 41
		}
		return 1
	})
	if !(math.Abs(got-60) <= 25) {
		t.Errorf("what was held up comes at once: the echo comes after %.0f ms, want 60", got)
	}
	lost := make([]float32, 0, len(far)) // 3 s of every 8 never come, and are silent at the microphone
	for b := range len(far) / 320 {
		if b%400 < 250 {
			lost = append(lost, far[b*320:][:320]...)
		} else {
			clear(near[b*320:][:320])
		}
	}
	got = echoDelay(t, dsptest.AddNoise(near, -70, 2), lost, func(b int) int {
		if b%400 < 250 {
			return 1
		}
		return 0
	})
	if !(math.Abs(got-60) <= 25) {
		t.Errorf("what was not sent never comes: the echo comes after %.0f ms, want 60", got)
	}
}

// TestClocksThatDriftApartAreHeldTogether has a far end whose clock is 0.1 % fast: after
// 160 s it would be 160 ms ahead.
func TestClocksThatDriftApartAreHeldTogether(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	near, far := turnsOfTwo(t, 16000, 160)
	fast := make([]float32, 0, len(far)+len(far)/1000) // one block in 1000 too many
	for b := range len(far) / 320 {
		fast = append(fast, far[b*320:][:320]...)
		if b%1000 == 999 {
			fast = append(fast, make([]float32, 320)...)
		}
	}
	got := echoDelay(t, near, fast, func(b int) int {
		if b%1000 == 999 {
			return 2
		}
		return 1
	})
	if !(math.Abs(got-60) <= 45) {
		t.Errorf("the echo comes after %.0f ms, want 60", got)
	}
}

// TestTheFirstWordsOfACallAreAnAnswer: who speaks before the other party has is not its echo.
func TestTheFirstWordsOfACallAreAnAnswer(t *testing.T) {
	t.Parallel()
	const rate = 16000
	near, far := make([]float32, 50*rate), metertest.Speech(t, "agent-2", rate, 20)
	said := metertest.Speech(t, "agent-1", rate, 3)
	start := 0
	for said[start] < 0.02 {
		start++
	}
	copy(near, said[start:start+rate*45/100]) // 0.45 s, from the first sample on
	said, far = near, append(make([]float32, rate), append(far, append(far, far...)...)...)[:len(near)]
	for i := rate * 6 / 100; i < len(near); i++ {
		said[i] += 0.05 * far[i-rate*6/100]
	}
	said = dsptest.AddNoise(said, -70, 1)
	a := analyzer(t, rate, headset.TapMic)
	for b := range len(said) / 320 {
		a.ProcessFar(far[b*320:][:320])
		a.Process(said[b*320:][:320], 0)
	}
	if !a.Report().Metrics.EchoLoss.Valid() {
		t.Fatal("there is no echo to take the words for")
	}
	if f, _ := find(a.Report(), headset.Dead); f.Severity == headset.Bad {
		t.Errorf("%+v", f)
	}
}
