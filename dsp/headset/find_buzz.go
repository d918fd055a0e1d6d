package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp/buzz"
)

func (a *Analyzer) buzzing(*Report) (Finding, bool) {
	l, b := a.cfg.Limits, a.meters.buzz.Result()
	if b.Seconds < l.BuzzSeconds {
		return Finding{}, false
	}
	f, ok := tonal(b.Prominence, b.Level, l.Buzz, l.BuzzLevel)
	if !ok {
		return Finding{}, false
	}
	f.Kind = Buzz
	source := "a mobile phone"
	if b.Radio == buzz.DECT {
		source = "a cordless phone or its base"
	}
	f.Text = fmt.Sprintf("The radio of %s buzzes in the microphone, %d times, %.0f s in all, %.0f dBov: move it a metre away and check the plug; replace the headset if it buzzes with any phone near.",
		source, b.Bursts, b.Seconds, b.Level)
	return f, true
}
