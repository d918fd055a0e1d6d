package headset

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// minScored is the scored time in seconds below which an offset is not judged.
const minScored = 5.0

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
