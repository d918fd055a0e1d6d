package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

func (a *Analyzer) noisy(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActive {
		return Finding{}, false
	}
	s, limit, ok := l.Noise.over(m.NoiseFloor)
	if !ok {
		return Finding{}, false
	}
	f := Finding{Kind: Noise, Severity: s, Value: m.NoiseFloor, Limit: dsp.Value(limit)}
	f.Text = fmt.Sprintf("Noise lies at %.1f dBov under the speech", m.NoiseFloor)
	if m.SNR.Valid() {
		f.Text += fmt.Sprintf(", %.0f dB below it", m.SNR)
		if below, snrLimit, low := l.SNR.under(m.SNR); low && below == Bad && s == Watch {
			f.Severity, f.Value, f.Limit = Bad, m.SNR, dsp.Value(snrLimit)
		}
	}
	f.Text += ": listen whether the room is loud; if it is not, check the plug, lower the gain, then replace the headset."
	return f, true
}
