package headset_test

import (
	"math"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/dsptest"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/internal/metertest"
)

// call gives a report on two ends of a call, fed in turn.
func call(t testing.TB, tap headset.Tap, rate int, near, far []float32) headset.Report {
	t.Helper()
	a := analyzer(t, rate, tap)
	n := rate / 50
	for ; len(near) >= n && len(far) >= n; near, far = near[n:], far[n:] {
		a.ProcessFar(far[:n])
		a.Process(near[:n], 0)
	}
	return a.Report()
}

// leak is what comes back of x, some milliseconds later and some dB softer.
func leak(x []float32, rate int, ms, db float64) []float32 {
	d := int(ms * float64(rate) / 1000)
	return append(make([]float32, d), dsptest.Gain(x[:len(x)-d], -db)...)
}

// dialogue is an agent who answers a caller twice.
func dialogue(t testing.TB, rate int) (near, far []float32) {
	t.Helper()
	far = metertest.Speech(t, "agent-3", rate, 20)
	far = append(far, far...)
	near = dsptest.Noise(len(far), -66, 4)
	agent := metertest.Speech(t, "agent-1", rate, 16)
	for i, from := range []int{12, 32} {
		clear(far[from*rate : (from+8)*rate])
		for k, v := range agent[i*8*rate : (i+1)*8*rate] {
			near[from*rate+k] += v
		}
	}
	return near, far
}

func TestEchoIsJudgedByItsLoss(t *testing.T) {
	metertest.Long(t)
	t.Parallel()
	const rate = 16000
	near, far := dialogue(t, rate)
	for _, c := range []struct {
		loss float64
		want string
	}{{18, "echo bad"}, {26, "echo bad"}, {37, "echo watch"}, {54, ""}, {math.Inf(1), ""}} {
		x := near
		if !math.IsInf(c.loss, 1) {
			x = dsptest.Mix(near, leak(far, rate, 90, c.loss))
		}
		r := call(t, headset.TapMic, rate, dsptest.Quantize(x), far)
		if got := summary(r); got != c.want {
			t.Errorf("loss %v at the mic: %q, want %q: %+v", c.loss, got, c.want, r.Metrics)
		}
		if f, ok := find(r, headset.Echo); ok && (!strings.Contains(f.Text, "playback volume") || math.Abs(float64(f.Value)-c.loss) > 4) {
			t.Errorf("loss %v: %+v", c.loss, f)
		}
		if c.loss == 26 {
			if got := summary(call(t, headset.TapWire, rate, throughOpus(t, x), far)); got != c.want {
				t.Errorf("loss %v on the wire: %q, want %q", c.loss, got, c.want)
			}
		}
	}
}

func TestConversationIsToldOfBothEnds(t *testing.T) {
	t.Parallel()
	near, far := dialogue(t, 8000)
	c := call(t, headset.TapMic, 8000, near, far).Conversation
	if c == nil || c.Duration < 39.9 || c.Near.Share < 0.3 || c.Near.Share > 0.55 || c.Far.Monologue < 8 || c.Overtalk > 1.5 {
		t.Errorf("%+v", c)
	}
	r := report(t, 8000, headset.TapMic, near)
	if r.Conversation != nil || r.Metrics.EchoLoss.Valid() || r.Metrics.FarOnly != 0 {
		t.Errorf("without a far end: %+v", r.Conversation)
	}
	if p := r.Metrics.Pace; !(p > 2) || !(p < 8) {
		t.Errorf("%.1f syllables a second", p)
	}
}

func TestHeldAndMutedTimeInAConversation(t *testing.T) {
	t.Parallel()
	near, far := dialogue(t, 8000)
	for mark, want := range map[dsp.Mark]float64{dsp.Held: 20, dsp.Muted: 40, dsp.ComfortNoise: 40} {
		a := analyzer(t, 8000, headset.TapMic)
		for i := 0; i+160 <= len(near); i += 160 {
			m := dsp.Mark(0)
			if i >= len(near)/2 {
				m = mark
			}
			a.ProcessFar(far[i : i+160])
			a.Process(near[i:i+160], m)
		}
		if c := a.Report().Conversation; math.Abs(c.Duration-want) > 0.1 {
			t.Errorf("mark %d: %.1f s, want %.1f", mark, c.Duration, want)
		}
	}
}
