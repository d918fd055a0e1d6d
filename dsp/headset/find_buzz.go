package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp/buzz"
)

const (
	pulseRestDB    = 0.7 // of a radio's pulses above the lines that are measured [M]
	opusBuzzLossDB = 1.8 // what Opus at 24 kbit/s takes off the lines: 0.8 to 3.3 [M]
)

func (a *Analyzer) buzzing(*Report) (Finding, bool) {
	l, b := a.cfg.Limits, a.meters.buzz.Result()
	if b.Seconds < l.BuzzSeconds {
		return Finding{}, false
	}
	level := b.Level + pulseRestDB
	if a.cfg.Tap == TapWire && a.cfg.SampleRate > g711Rate {
		level += opusBuzzLossDB
	}
	f, ok := tonal(b.Prominence, level, l.Buzz, l.BuzzLevel)
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
