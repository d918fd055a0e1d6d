package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

// echoing judges how much of the far end comes back. The echo loss alone decides: the far
// end hears it in its own pauses, however loud the near voice is. It reads true to
// 0.9 dB (standard deviation on real voices) and only where an echo stands out of chance,
// so that the limits need no margin. The echo is the headset's on both taps.
func (a *Analyzer) echoing(r *Report) (Finding, bool) {
	m := r.Metrics
	s, limit, ok := a.cfg.Limits.Echo.under(m.EchoLoss)
	if !ok {
		return Finding{}, false
	}
	f := Finding{Kind: Echo, Severity: s, Value: m.EchoLoss, Limit: dsp.Value(limit)}
	f.Text = fmt.Sprintf("The other party hears an echo: it comes back %.0f dB softer, %.0f ms late", m.EchoLoss, max(0, m.EchoDelay))
	if m.SpeechToEcho.Valid() {
		f.Text += fmt.Sprintf(", %.0f dB under the voice", m.SpeechToEcho)
	}
	f.Text += ". Lower the headset's playback volume and check that the ear cushion sits close; replace the headset if it stays."
	return f, true
}

// echoMetrics fills in what comes back of the far end.
func (a *Analyzer) echoMetrics(m *Metrics) {
	e := a.far.echo.Result()
	m.EchoLoss, m.EchoLossLeast, m.EchoDelay = e.LossDB, e.AtLeastDB, e.DelayMS
	m.SpeechToEcho, m.FarOnly = e.SpeechToEchoDB, e.FarOnlySeconds
}
