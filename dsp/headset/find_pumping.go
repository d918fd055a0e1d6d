package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/pump"
)

// steadyShare is how much of a limit the deviation must keep without the quarter of the
// stretches furthest from the median: what comes and goes is someone turning away.
const steadyShare = 0.6

// swing is how the level swings: where there is an echo, without what may be that.
func (a *Analyzer) swing() pump.Result {
	if a.far.echo.Result().LossDB.Valid() {
		return a.far.alone.pump.Result()
	}
	return a.meters.pump.Result()
}

func (a *Analyzer) pumping(*Report) (Finding, bool) {
	l, p := a.cfg.Limits.Pumping, a.swing()
	if float64(p.Windows) < a.cfg.Limits.MinPumping {
		return Finding{}, false
	}
	s, limit, ok := l.over(min(p.SD, p.Steady/steadyShare))
	if !ok {
		return Finding{}, false
	}
	return Finding{
		Kind: Pumping, Severity: s, Value: p.SD, Limit: dsp.Value(limit),
		Text: fmt.Sprintf("The level swings by %.1f dB from one ten seconds to the next: switch automatic gain off, check that the boom and the plug sit firmly; replace the headset if it stays.", p.SD),
	}, true
}
