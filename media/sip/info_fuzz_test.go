package sip

import (
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"
)

// FuzzInfoDigit: whatever an INFO holds, only a key of a telephone comes of it; what is refused
// gives none; and the key that this side sends is read as it was meant.
func FuzzInfoDigit(f *testing.F) {
	f.Add("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n")
	f.Add("application/dtmf-relay; charset=utf-8", "Duration= 100\nsignal = 11")
	f.Add("application/dtmf", " # ")
	f.Add("application/dtmf", "16")
	f.Add("application/dtmf-relay", "Signal=Signal=5=5\r\n\r\nSignal=6")
	f.Add("multipart/mixed; boundary=\"", "--\r\n")
	f.Add("text/plain", "5")
	f.Fuzz(func(t *testing.T, kind, body string) {
		if strings.ContainsAny(kind, "\r\n") {
			return
		}
		req := sip.NewRequest(sip.INFO, sip.Uri{Host: "example.com"})
		req.AppendHeader(sip.NewHeader("Content-Type", kind))
		req.SetBody([]byte(body))
		digit, ok := infoDigit(req)
		if digit != 0 && (!ok || !strings.ContainsRune("0123456789*#ABCD", digit)) {
			t.Fatalf("%q %q: %q, %v", kind, body, digit, ok)
		}
		if again, stillOK := infoDigit(req); again != digit || stillOK != ok {
			t.Fatalf("%q %q: read twice it is %q, %v", kind, body, again, stillOK)
		}
		if digit != 0 {
			req.ReplaceHeader(sip.NewHeader("Content-Type", infoRelay))
			req.SetBody([]byte("Signal=" + string(digit) + "\r\nDuration=100\r\n"))
			if back, ok := infoDigit(req); back != digit || !ok {
				t.Fatalf("%q is read as %q", digit, back)
			}
		}
	})
}
