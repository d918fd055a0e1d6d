package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp/buzz"
)

const pulseRestDB = 0.7 // of a radio's pulses above the lines that are measured [M]

func (a *Analyzer) buzzing(r *Report) (Finding, bool) {
	l, b := a.cfg.Limits, a.meters.buzz.Result()
	if b.Seconds < l.BuzzSeconds {
		return Finding{}, false
	}
	level := r.Metrics.BuzzLevel + pulseRestDB
	f, ok := tonal(b.Prominence, level, l.Buzz, l.BuzzLevel)
	if !ok {
		return Finding{}, false
	}
	f.Kind = Buzz
	source := "a mobile phone"
	if b.Radio == buzz.DECT {
		source = "a cordless phone or its base"
	}
	f.Text = fmt.Sprintf("The radio of %s buzzes in the microphone, %d times, %s in all, %.0f dBov: move it a metre away and check the plug; replace the headset if it buzzes with any phone near.",
		source, b.Bursts, span(b.Seconds), r.Metrics.BuzzLevel)
	return f, true
}
