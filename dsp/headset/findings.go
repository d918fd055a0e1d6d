package headset

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// The active level of one clean talker spreads by 1.5 dB from window to window at 5 s
// of speech and less with more; beyond the limit by less than that is no bad level. [M]
const (
	levelSpread      = 1.5 // dB ...
	levelSpreadAt    = 5.0 // ... at this many seconds
	levelSpreadLeast = 1.0 // dB, however long: a codec takes some tenths too
)

// Samples near full scale on the wire are clipping only where the speech also crowds at
// the top. A loud clean voice has such samples too.
const (
	hotTopShare   = 0.13
	hotPeakFactor = 17.5 // dB
)

// deadBadSeconds is how long a microphone that has spoken must be stuck to be bad: a
// shorter stretch may be a mute key that nobody told us of.
const deadBadSeconds = 30.0

// minScored is the scored time in seconds below which an offset is not judged.
const minScored = 5.0

// findings lists the faults of a report whose metrics are complete, the worst kind of
// evidence first.
func (a *Analyzer) findings(r *Report) []Finding {
	found := []Finding{}
	for _, judge := range []func(*Report) (Finding, bool){a.dead, a.level, a.clipping, a.noisy, a.offset} {
		if f, ok := judge(r); ok {
			found = append(found, f)
		}
	}
	return found
}

// over grades a value of which more is worse.
func (l Limit) over(v dsp.Value) (Severity, float64, bool) {
	switch {
	case float64(v) > l.Bad:
		return Bad, l.Bad, true
	case float64(v) > l.Watch:
		return Watch, l.Watch, true
	}
	return "", 0, false // and where v is None
}

// under grades a value of which less is worse.
func (l Limit) under(v dsp.Value) (Severity, float64, bool) {
	s, limit, ok := Limit{Watch: -l.Watch, Bad: -l.Bad}.over(-v)
	return s, -limit, ok
}

func (a *Analyzer) dead(r *Report) (Finding, bool) {
	rate := float64(a.cfg.SampleRate)
	stuck := float64(a.stuck.longest) / rate
	if limit := a.cfg.Limits.DeadSeconds; stuck >= limit {
		f := Finding{Kind: Dead, Severity: Watch, Value: dsp.Value(stuck), Limit: dsp.Value(limit)}
		if r.ActiveSpeech < 1 || stuck >= deadBadSeconds {
			f.Severity = Bad
		}
		what := "stuck at one value"
		if a.stuck.silent {
			what = "digital silence"
		}
		f.Text = fmt.Sprintf("The microphone gave %s for %.0f s without being muted: check the plug, the mute switch and the chosen device; replace the headset if it stays.", what, stuck)
		return f, true
	}
	waited := float64(a.far.unanswered) / framesPerSecond
	if limit := a.cfg.Limits.UnansweredSeconds; !a.far.answered && waited >= limit {
		return Finding{
			Kind: Dead, Severity: Bad, Value: dsp.Value(waited), Limit: dsp.Value(limit),
			Text: fmt.Sprintf("The other party spoke and no word was heard from this microphone for %.0f s: check the mute switch and whether the right microphone is chosen.", waited),
		}, true
	}
	return Finding{}, false
}

func (a *Analyzer) level(r *Report) (Finding, bool) {
	if r.ActiveSpeech < a.cfg.Limits.MinActive {
		return Finding{}, false
	}
	v := r.Metrics.ActiveLevelHP
	if !r.Metrics.ActiveValid && r.Metrics.SNR.Valid() { // P.56 took noise for speech
		v = r.Metrics.SNR + r.Metrics.NoiseFloor
	}
	spread := math.Max(levelSpreadLeast, levelSpread*levelSpreadAt/r.ActiveSpeech)
	quiet, loud := a.cfg.Limits.Quiet, a.cfg.Limits.Loud
	quiet.Bad -= spread
	loud.Bad += spread
	if s, _, ok := quiet.under(v); ok {
		f := Finding{Kind: Quiet, Severity: s, Value: v, Limit: dsp.Value(a.cfg.Limits.Quiet.of(s))}
		f.Text = fmt.Sprintf("Speech arrives at %.1f dBov, softer than %.0f: move the boom closer to the mouth or raise the microphone gain.", v, f.Limit)
		return f, true
	}
	if s, _, ok := loud.over(v); ok {
		f := Finding{Kind: Loud, Severity: s, Value: v, Limit: dsp.Value(a.cfg.Limits.Loud.of(s))}
		f.Text = fmt.Sprintf("Speech arrives at %.1f dBov, louder than %.0f: lower the microphone gain or move the boom away from the mouth.", v, f.Limit)
		return f, true
	}
	return Finding{}, false
}

// of gives the limit of a severity.
func (l Limit) of(s Severity) float64 {
	if s == Bad {
		return l.Bad
	}
	return l.Watch
}

// clipping takes the best evidence there is: samples at a ceiling at the microphone,
// samples near full scale on the wire, else how speech crowds below a ceiling that a
// codec has rounded off.
func (a *Analyzer) clipping(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActive {
		return Finding{}, false
	}
	share, limit, clipped := l.Clipping.over(m.ClippedShare)
	if a.cfg.Tap == TapWire && (a.tops.pile() < hotTopShare || !(m.PeakFactor < hotPeakFactor)) {
		clipped = false
	}
	crowded, crowdedOK := a.crowding(r)
	if clipped && (share == Bad || !crowdedOK || crowded.Severity == Watch) {
		f := Finding{Kind: Clipping, Severity: share, Value: m.ClippedShare, Limit: dsp.Value(limit)}
		if a.cfg.Tap == TapWire {
			f.Text = fmt.Sprintf("%.2f %% of the samples stand within half a decibel of full scale in speech: lower the microphone gain; replace the headset if it stays.", 100*m.ClippedShare)
		} else {
			f.Text = fmt.Sprintf("%.2f %% of the samples stand at a ceiling of %.1f dBov: lower the microphone gain; replace the headset if it stays.", 100*m.ClippedShare, m.ClipCeiling)
		}
		return f, true
	}
	return crowded, crowdedOK
}

// crowding judges the active peak factor together with the share of frames at the top.
func (a *Analyzer) crowding(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	pile := dsp.Value(a.tops.pile())
	top, _, topOK := l.TopShare.over(pile)
	factor, _, factorOK := l.PeakFactor.under(m.PeakFactor)
	if r.ActiveSpeech < l.MinActivePeak || !m.ActiveValid || !topOK || !factorOK {
		return Finding{}, false
	}
	f := Finding{Kind: Clipping, Severity: Watch, Value: m.PeakFactor}
	if top == Bad && factor == Bad {
		f.Severity = Bad
	}
	f.Limit = dsp.Value(l.PeakFactor.of(f.Severity))
	why := "no sample stands at a fixed ceiling, so it saturates softly or was changed afterwards"
	if a.cfg.Tap == TapWire {
		why = "the codec has rounded the tops, so their share cannot be counted here"
	}
	f.Text = fmt.Sprintf("Speech runs into a ceiling: its peaks stand only %.1f dB over its level and %.0f %% of it lies within 3 dB of the top (%s). Lower the microphone gain; replace the headset if it stays.", m.PeakFactor, 100*pile, why)
	return f, true
}

func (a *Analyzer) noisy(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActive {
		return Finding{}, false
	}
	s, limit, ok := l.Noise.over(m.NoiseFloor)
	if !ok {
		return Finding{}, false
	}
	f := Finding{Kind: Noise, Severity: s, Value: m.NoiseFloor, Limit: dsp.Value(limit)}
	f.Text = fmt.Sprintf("Noise lies at %.1f dBov under the speech", m.NoiseFloor)
	if m.SNR.Valid() {
		f.Text += fmt.Sprintf(", %.0f dB below it", m.SNR)
		if below, snrLimit, low := l.SNR.under(m.SNR); low && below == Bad && s == Watch {
			f.Severity, f.Value, f.Limit = Bad, m.SNR, dsp.Value(snrLimit)
		}
	}
	f.Text += ": listen whether the room is loud; if it is not, check the plug, lower the gain, then replace the headset."
	return f, true
}

func (a *Analyzer) offset(r *Report) (Finding, bool) {
	if a.cfg.Tap != TapMic || float64(a.scored) < minScored*float64(a.cfg.SampleRate) {
		return Finding{}, false // a codec takes the offset away
	}
	v := dsp.Value(math.Abs(float64(r.Metrics.DC)))
	s, limit, ok := a.cfg.Limits.DC.over(v)
	if !ok {
		return Finding{}, false
	}
	return Finding{
		Kind: DCOffset, Severity: s, Value: v, Limit: dsp.Value(limit),
		Text: fmt.Sprintf("The microphone's signal stands %.1f %% of full scale off zero: try another port or adapter; replace the headset if it stays.", 100*v),
	}, true
}
