package sip

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/e164"
)

// Whatever a caller's headers hold, what is kept of them is short text that can be shown, and
// of one who wants to stay unknown nothing.
func FuzzIdentity(f *testing.F) {
	f.Add(`"Grace" <sip:030999999@carrier.example>, <tel:+49-30-888888>`, `<sip:1@x>;reason=no-answer`, `<sip:1@x>;index=1, <sip:2@x;cause=486>;index=1.1`, "id", true)
	f.Add(`<tel:+49;phone-context=x>`, `"a,b" <tel:1>, <`, `<sip:1@x?Privacy=history>;index=1,x,<>`, "none;user", false)
	f.Fuzz(func(t *testing.T, party, diversion, history, privacy string, believed bool) {
		raw := "INVITE sip:100@h SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: \"Ada\" <sip:030123456@h>;tag=a\r\nTo: <sip:100@h>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n" +
			"P-Asserted-Identity: " + party + "\r\nRemote-Party-ID: " + party + "\r\nDiversion: " + diversion + "\r\nHistory-Info: " + history + "\r\nPrivacy: " + privacy + "\r\nContent-Length: 0\r\n\r\n"
		msg, err := sip.ParseMessage([]byte(raw))
		if err != nil {
			return
		}
		req, ok := msg.(*sip.Request)
		if !ok || req.From() == nil {
			return
		}
		id := identity(req, believed)
		id.normal(e164.Plan{Country: "49", National: "0"})
		if id.Private && id.Number+id.Name != "" {
			t.Errorf("one who wants to stay unknown is %+v", id)
		}
		if !believed && (id.Asserted || len(id.Diverted) > 0 || id.Number != "" && id.Number != "+4930123456") {
			t.Errorf("a trunk that is doubted says %+v", id)
		}
		if len(id.Diverted) > maxDiversions {
			t.Errorf("%d diversions", len(id.Diverted))
		}
		texts := []string{id.Number, id.Name, calledNumber(req, "100")}
		for _, d := range id.Diverted {
			texts = append(texts, d.Number, d.Reason)
		}
		for _, s := range texts {
			if len(s) > maxName+1 || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
				t.Errorf("%q of %+v", s, id)
			}
		}
	})
}
