package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

// deadBadSeconds is how long a microphone that has spoken must be stuck to be bad: a
// shorter stretch may be a mute key that nobody told us of.
const deadBadSeconds = 30.0

func (a *Analyzer) dead(r *Report) (Finding, bool) {
	rate := float64(a.cfg.SampleRate)
	stuck := float64(a.meters.stuck.longest) / rate
	if limit := a.cfg.Limits.DeadSeconds; stuck >= limit {
		f := Finding{Kind: Dead, Severity: Watch, Value: dsp.Value(stuck), Limit: dsp.Value(limit)}
		if r.ActiveSpeech < 1 || stuck >= deadBadSeconds {
			f.Severity = Bad
		}
		what := "stuck at one value"
		if a.meters.stuck.silent {
			what = "digital silence"
		}
		f.Text = fmt.Sprintf("The microphone gave %s for %.0f s without being muted: check the plug, the mute switch and the chosen device; replace the headset if it stays.", what, stuck)
		return f, true
	}
	waited := float64(a.far.unanswered) / blocksPerSecond
	if limit := a.cfg.Limits.UnansweredSeconds; !a.far.answered && waited >= limit {
		return Finding{
			Kind: Dead, Severity: Bad, Value: dsp.Value(waited), Limit: dsp.Value(limit),
			Text: fmt.Sprintf("The other party spoke and no word was heard from this microphone for %.0f s: check the mute switch and whether the right microphone is chosen.", waited),
		}, true
	}
	return Finding{}, false
}
