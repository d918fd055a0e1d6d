package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/buzz"
)

// Mains hum all the time, or for long in one piece. What hums here and there is a note, an
// announcement, chance. [A]
const (
	watchHumShare, watchHumRun = 0.5, 12.0 // of the time; or seconds in one piece
	badHumShare, badHumRun     = 0.7, 20.0

	rectifiedOdd = 0.1 // share of odd harmonics below which 50 Hz hum may be a DECT radio's 100 Hz
)

func (a *Analyzer) humming(r *Report) (Finding, bool) {
	l, h := a.cfg.Limits, a.meters.hum.Result()
	steady := func(share, run float64) bool { return h.Seconds >= share*h.Heard || h.Longest >= run }
	if h.Seconds < l.HumSeconds || !steady(watchHumShare, watchHumRun) {
		return Finding{}, false
	}
	if float64(h.OddShare) < rectifiedOdd && a.meters.buzz.Result().Radio == buzz.DECT {
		return Finding{}, false // it is the radio
	}
	level := r.Metrics.HumLevel
	f, ok := tonal(h.Prominence, level, l.Hum, l.HumLevel)
	if !ok {
		return Finding{}, false
	}
	if f.Severity == Bad && !steady(badHumShare, badHumRun) {
		f.Severity, f.Limit = Watch, dsp.Value(l.Hum.Watch)
	}
	f.Kind = Hum
	f.Text = fmt.Sprintf("The mains hum at %.1f Hz: %.0f dBov, %.0f dB over what is around it: check for power supplies and cables near the headset, try another port; replace the headset if it hums there too.",
		h.Hz, level, h.Prominence)
	return f, true
}

// tonal grades what must both stand out and be loud. The prominence is the value, unless
// the level is what keeps it from being bad.
func tonal(prominence, level dsp.Value, out, loud Limit) (Finding, bool) {
	s, limit, ok := out.over(prominence)
	t, loudLimit, isLoud := loud.over(level)
	if !ok || !isLoud {
		return Finding{}, false
	}
	if s == Bad && t == Watch {
		return Finding{Severity: Watch, Value: level, Limit: dsp.Value(loudLimit)}, true
	}
	return Finding{Severity: s, Value: prominence, Limit: dsp.Value(limit)}, true
}
