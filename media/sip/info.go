package sip

import (
	"mime"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Keys that come by INFO, in the two bodies that phones and gateways send them in.
const (
	infoRelay = "application/dtmf-relay" // lines of Signal=5 and Duration=160
	infoPlain = "application/dtmf"       // the key alone
)

// answerInfo accepts a key, and an INFO with nothing in it, which some send as a keep-alive.
func (c *Call) answerInfo(ev event) string {
	if len(ev.req.Body()) == 0 {
		_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusOK))
		return ""
	}
	digit, ok := infoDigit(ev.req)
	if !ok {
		_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusUnsupportedMediaType, sip.NewHeader("Accept", infoRelay+", "+infoPlain)))
		return ""
	}
	c.informs.hinted.Store(true) // who sends them takes them
	if digit != 0 && c.presses.counts(digit, byInfo, time.Now()) {
		c.press(digit)
	}
	_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusOK))
	return ""
}

// press hands a key to whoever waits for one, or loses it.
func (c *Call) press(digit rune) {
	select {
	case c.digits <- digit:
	default:
	}
}

// infoDigit reads the key of an INFO: 0 for a flash of the hook or another signal that is no
// key. ok is false for a body of another kind.
func infoDigit(m sip.Message) (digit rune, ok bool) {
	var contentType string
	for _, name := range []string{"Content-Type", "c"} {
		if h := m.GetHeaders(name); len(h) > 0 {
			contentType = h[0].Value()
		}
	}
	kind, _, _ := mime.ParseMediaType(contentType)
	text := string(m.Body()[:min(len(m.Body()), 256)])
	switch kind {
	case infoPlain:
	case infoRelay:
		signal, found := "", false
		for line := range strings.SplitSeq(text, "\n") {
			if k, v, _ := strings.Cut(line, "="); strings.EqualFold(strings.TrimSpace(k), "Signal") && !found {
				signal, found = v, true
			}
		}
		if !found {
			return 0, false
		}
		text = signal
	default:
		return 0, false
	}
	switch text = strings.ToUpper(strings.TrimSpace(text)); {
	case text == "10":
		return '*', true
	case text == "11":
		return '#', true
	case len(text) == 1 && strings.Contains("0123456789*#ABCD", text):
		return rune(text[0]), true
	}
	return 0, true
}
