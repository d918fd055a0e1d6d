package headset

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/glitch"
)

// minGlitch is the judged time in seconds that glitches are counted over at least: one in
// ten seconds says nothing of five minutes.
const minGlitch = 60.0

// fewest is how many of a kind there must be where one may be a mouth's or a codec's.
const fewest = 2

// fewestOnWire is the same for drop-outs behind a codec: two keys of a keypad left two dips,
// and three consonants of a synthetic voice three. [M]
const fewestOnWire = 4

// sureOnWire is how many are sure: in 15 hours of clear speech behind Opus and G.711 there were
// never more than 5 in a call, and those were a synthetic voice's. [M]
const sureOnWire = 6

// glitches notes where the last block, up to end, showed something.
func (a *Analyzer) glitches(end float64) {
	r := a.meters.glitch.Result()
	for e, ok := a.meters.glitch.Event(); ok; e, ok = a.meters.glitch.Event() {
		kind := Dropout
		switch {
		case e.Kind == glitch.Crackle:
			kind = Crackle
		case e.Kind == glitch.Dip && a.cfg.Tap == TapMic:
			continue
		case e.Kind == glitch.Doubt && !r.Doubted():
			continue
		}
		since := r.Seconds - e.At
		a.event(kind, end-since+e.Length, e.Length)
	}
}

// lost counts what the tap's own evidence calls lost: behind a codec also what it has made
// of a hole.
func (a *Analyzer) lost() int {
	g := a.meters.glitch.Result()
	if a.cfg.Tap == TapWire {
		return g.Lost() + g.Dips
	}
	return g.Lost()
}

func (a *Analyzer) glitchMetrics(m *Metrics) {
	g := a.meters.glitch.Result()
	m.DropoutRate, m.DropoutLongest, m.CrackleRate = dsp.None(), dsp.None(), dsp.None()
	if g.Judged > 0 {
		m.DropoutRate = dsp.Value(5 * 60 * float64(a.lost()) / math.Max(minGlitch, g.Judged))
	}
	if g.ClicksJudged > 0 {
		m.CrackleRate = dsp.Value(60 * float64(g.Clicking()) / math.Max(minGlitch, g.ClicksJudged))
	}
	if g.Longest > 0 {
		m.DropoutLongest = dsp.Value(1000 * g.Longest)
	}
	m.Repeats, m.Slips = g.Repeats, g.Slips
}

func (a *Analyzer) dropping(r *Report) (Finding, bool) {
	n := a.lost()
	s, limit, ok := a.cfg.Limits.Dropouts.from(r.Metrics.DropoutRate)
	if !ok || n == 0 || a.cfg.Tap == TapWire && n < fewestOnWire {
		return Finding{}, false
	}
	if a.cfg.Tap == TapWire && n < sureOnWire {
		s, limit = Watch, a.cfg.Limits.Dropouts.Watch
	}
	where := "check the plug and the adapter, try another port, look at the computer's load; replace the headset if it stays."
	if a.cfg.Tap == TapWire {
		where = "look whether the microphone itself has them; if it has not, it is the computer or a codec on the way."
	}
	return Finding{
		Kind: Dropout, Severity: s, Value: r.Metrics.DropoutRate, Limit: dsp.Value(limit),
		Text: fmt.Sprintf("Sound goes missing %s (%.0f in five minutes): %s", times(n), r.Metrics.DropoutRate, where),
	}, true
}

// from grades a count of which more is worse: to reach watch is to be watched.
func (l Limit) from(v dsp.Value) (Severity, float64, bool) {
	if s, limit, ok := l.over(v); ok {
		return s, limit, ok
	}
	return Watch, l.Watch, float64(v) >= l.Watch
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
