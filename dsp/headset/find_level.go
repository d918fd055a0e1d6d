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
		f.Text = fmt.Sprintf("Speech arrives at %.1f dBov, softer than %.0f%s: move the boom closer to the mouth or raise the microphone gain.", v, f.Limit, nearlyBad(s, a.cfg.Limits.Quiet.under, v, a.cfg.Limits.Quiet.Bad, spread))
		return f, true
	}
	if s, _, ok := loud.over(v); ok {
		f := Finding{Kind: Loud, Severity: s, Value: v, Limit: dsp.Value(a.cfg.Limits.Loud.of(s))}
		f.Text = fmt.Sprintf("Speech arrives at %.1f dBov, louder than %.0f%s: lower the microphone gain or move the boom away from the mouth.", v, f.Limit, nearlyBad(s, a.cfg.Limits.Loud.over, v, a.cfg.Limits.Loud.Bad, spread))
		return f, true
	}
	return Finding{}, false
}

// nearlyBad says why a level beyond the limit of what is bad is only watched.
func nearlyBad(s Severity, grade func(dsp.Value) (Severity, float64, bool), v dsp.Value, bad, spread float64) string {
	if plain, _, _ := grade(v); s == Bad || plain != Bad {
		return ""
	}
	return fmt.Sprintf(" (and than %.0f, but by less than the %.1f dB that the level of one voice spreads)", bad, spread)
}
