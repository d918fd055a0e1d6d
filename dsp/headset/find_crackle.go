package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

func (a *Analyzer) crackling(r *Report) (Finding, bool) {
	n := a.meters.glitch.Result().Clicking()
	s, limit, ok := a.cfg.Limits.Crackle.from(r.Metrics.CrackleRate)
	if !ok || n < fewest {
		return Finding{}, false
	}
	return Finding{
		Kind: Crackle, Severity: s, Value: r.Metrics.CrackleRate, Limit: dsp.Value(limit),
		Text: fmt.Sprintf("The microphone crackles %s (%.1f in a minute): clean the contacts, press the plug home, move the cable while you listen; replace the headset or its cable if it stays.", times(n), r.Metrics.CrackleRate),
	}, true
}
