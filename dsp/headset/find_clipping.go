package headset

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// Samples near full scale on the wire are clipping only where the speech also crowds at
// the top. A loud clean voice has such samples too.
const (
	hotTopShare   = 0.13
	hotPeakFactor = 17.5 // dB
)

// Blunt peaks at the microphone are saturation only where speech crowds below a ceiling.
// Where nearly all of it does, there is little left to compare the blunt ones with; where
// less than half does, a limiter is out of the question and less is enough to be sure. [M]
const (
	bendTopShare = 0.25
	bendDense    = 0.5
	bendSurer    = 0.25 // of Limits.PeakBend.Bad
)

// Speech that has lost its peaks needs less to be sure of: a free voice has an active peak
// factor of 13.4 dB and more. A limiter takes the peaks away too, and blunts them a little as
// it works harder: pushed 14 to 24 dB into one, six voices had a bend of -0.07 and more at 11
// to 13 dB, -0.11 at 10 to 11, -0.21 at 9.5, -0.5 at 8. [M]
const (
	squashedDB      = 13.0 // active peak factor from which down ...
	squashedBend    = -0.15
	flattenedDB     = 11.0 // ... and from which down it is bad
	flattenedTop    = 0.35 // with this share of speech at the top
	flattenedBend   = -0.25
	flattenedFromDB = 10.0
	flattenedPerDB  = 0.2 // further down for each decibel below that
)

// fullScaleFrom is the level in dBov from which a ceiling is that of the converter or of a
// driver's gain: nothing can stand higher, however good the capsule.
const fullScaleFrom = -0.1

// clipMetrics fills in what is known of clipping.
func (a *Analyzer) clipMetrics(m *Metrics) {
	c, p := a.meters.clip.Result(), a.meters.peaks.Result()
	m.ClippedShare, m.ClipEvents, m.ClipLongest, m.ClipCeiling = c.Share(), c.Events, c.Longest, c.Ceiling
	m.ClipFullScale = c.Ceiling >= fullScaleFrom
	m.PeakCrowding, m.PeakBend = p.Crowding, p.Bend
	if a.cfg.Tap == TapWire && a.scored > 0 {
		m.ClippedShare = dsp.Value(float64(p.Hot) / float64(a.scored))
	}
}

// clipping takes the best evidence there is. At the microphone samples that stand at a
// ceiling, else peaks that bend towards one. On the wire a codec has rounded both: there
// samples near full scale, else how speech crowds below a ceiling.
func (a *Analyzer) clipping(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActive {
		return Finding{}, false
	}
	share, limit, clipped := l.Clipping.over(m.ClippedShare)
	f := Finding{Kind: Clipping, Severity: share, Value: m.ClippedShare, Limit: dsp.Value(limit)}
	second := a.bending
	if a.cfg.Tap == TapWire {
		second = a.crowding
		clipped = clipped && m.PeakCrowding >= hotTopShare && m.PeakFactor < hotPeakFactor
		f.Text = fmt.Sprintf("%.2f %% of the samples stand within half a decibel of full scale in speech, and it crowds there: lower the microphone gain; replace the headset if it stays.", 100*m.ClippedShare)
	} else {
		f.Text = a.ceilingText(m)
	}
	other, found := second(r)
	if clipped && (share == Bad || !found || other.Severity == Watch) {
		return f, true
	}
	return other, found
}

// ceilingText tells a gain that is set too high from a capsule at its end.
func (a *Analyzer) ceilingText(m Metrics) string {
	const what = "%.2f %% of the samples stand at a ceiling of %.1f dBov"
	switch {
	case !m.ClipFullScale:
		return fmt.Sprintf(what+", below full scale: the capsule or its amplifier saturates. Move the boom away from the mouth and lower a gain on the headset or its adapter; replace the headset if it stays.", 100*m.ClippedShare, m.ClipCeiling)
	case float64(m.ActiveLevelHP) > a.cfg.Limits.Loud.Watch:
		return fmt.Sprintf(what+", full scale, and speech is loud: the microphone gain is too high. Lower it; replace the headset only if it stays at a lower level.", 100*m.ClippedShare, m.ClipCeiling)
	default:
		return fmt.Sprintf(what+", full scale: the microphone gain is too high. Lower the microphone gain; replace the headset if it stays.", 100*m.ClippedShare, m.ClipCeiling)
	}
}

// bending judges how blunt peaks become below a ceiling at the microphone.
func (a *Analyzer) bending(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActivePeak || !m.ActiveValid || !(m.PeakCrowding >= bendTopShare) {
		return Finding{}, false
	}
	limits := l.PeakBend
	if m.PeakCrowding < bendDense {
		limits.Bad = min(limits.Watch, limits.Bad+bendSurer)
	}
	if factor := float64(m.PeakFactor); factor < squashedDB {
		limits.Watch = max(limits.Watch, squashedBend)
		if factor < flattenedDB && m.PeakCrowding >= flattenedTop {
			limits.Bad = max(limits.Bad, flattenedBend-flattenedPerDB*max(0, flattenedFromDB-factor))
		}
	}
	s, limit, ok := limits.under(m.PeakBend)
	if !ok {
		return Finding{}, false
	}
	f := Finding{Kind: Clipping, Severity: s, Value: m.PeakBend, Limit: dsp.Value(limit)}
	f.Text = fmt.Sprintf("Speech saturates softly: its highest peaks are %.1f times blunter than lower ones and %.0f %% of it lies within 3 dB of the top. The capsule or its amplifier is at its end: move the boom away from the mouth and lower the microphone gain; replace the headset if it stays.", math.Exp(-float64(m.PeakBend)), 100*m.PeakCrowding)
	return f, true
}

// crowding judges the active peak factor together with the share of frames at the top, on
// the wire.
func (a *Analyzer) crowding(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	top, _, topOK := l.TopShare.over(m.PeakCrowding)
	factor, _, factorOK := l.PeakFactor.under(m.PeakFactor)
	if r.ActiveSpeech < l.MinActivePeak || !m.ActiveValid || !topOK || !factorOK {
		return Finding{}, false
	}
	f := Finding{Kind: Clipping, Severity: Watch, Value: m.PeakFactor}
	if top == Bad && factor == Bad {
		f.Severity = Bad
	}
	f.Limit = dsp.Value(l.PeakFactor.of(f.Severity))
	f.Text = fmt.Sprintf("Speech runs into a ceiling: its peaks stand only %.1f dB over its level and %.0f %% of it lies within 3 dB of the top. The codec has rounded the tops, so it may be a limiter as well as clipping: look at the microphone's own report, and lower the microphone gain.", m.PeakFactor, 100*m.PeakCrowding)
	return f, true
}
