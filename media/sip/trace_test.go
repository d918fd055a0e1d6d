package sip

import "testing"

func TestWhatIsReadOfAMessageThatWasSent(t *testing.T) {
	for text, want := range map[string]struct {
		callID string
		tls    bool
	}{
		"BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/TLS a;branch=x\r\nVia: SIP/2.0/UDP b\r\nCall-ID: 1@a\r\n\r\n": {"1@a", true},
		"SIP/2.0 200 OK\r\nv : SIP/2.0/TCP a\r\nVia: SIP/2.0/TLS b\r\ni:2\r\n\r\nCall-ID: 3\r\n":           {"2", false},
		"SIP/2.0 200 OK\r\nCSeq: 1 BYE\r\n\r\nVia: SIP/2.0/UDP a\r\nCall-ID: 3\r\n":                        {"", false},
		"": {"", false},
	} {
		if id, tls := callIDOf([]byte(text)), overTLS([]byte(text)); id != want.callID || tls != want.tls {
			t.Errorf("%q: %q, %v", text, id, tls)
		}
	}
}
