package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/buzz"
)

const (
	minHumShare  = 0.2  // of the time, below which a comb is chance or a note
	rectifiedOdd = 0.05 // share of odd harmonics below which 50 Hz hum may be a DECT radio's 100 Hz
)

func (a *Analyzer) humming(*Report) (Finding, bool) {
	l, h := a.cfg.Limits, a.meters.hum.Result()
	if h.Seconds < l.HumSeconds || h.Seconds < minHumShare*h.Heard {
		return Finding{}, false
	}
	if float64(h.OddShare) < rectifiedOdd && a.meters.buzz.Result().Radio == buzz.DECT {
		return Finding{}, false // it is the radio
	}
	f, ok := tonal(h.Prominence, h.Level, l.Hum, l.HumLevel)
	if !ok {
		return Finding{}, false
	}
	f.Kind = Hum
	f.Text = fmt.Sprintf("The mains hum at %.1f Hz: %.0f dBov, %.0f dB over what is around it: check for power supplies and cables near the headset, try another port; replace the headset if it hums there too.",
		h.Hz, h.Level, h.Prominence)
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
