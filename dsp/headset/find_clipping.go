package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

// Samples near full scale on the wire are clipping only where the speech also crowds at
// the top. A loud clean voice has such samples too.
const (
	hotTopShare   = 0.13
	hotPeakFactor = 17.5 // dB
)

// clipping takes the best evidence there is: samples at a ceiling at the microphone,
// samples near full scale on the wire, else how speech crowds below a ceiling that a
// codec has rounded off.
func (a *Analyzer) clipping(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActive {
		return Finding{}, false
	}
	share, limit, clipped := l.Clipping.over(m.ClippedShare)
	if a.cfg.Tap == TapWire && (a.meters.tops.pile() < hotTopShare || !(m.PeakFactor < hotPeakFactor)) {
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
	pile := dsp.Value(a.meters.tops.pile())
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
