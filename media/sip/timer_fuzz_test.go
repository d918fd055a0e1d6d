package sip

import (
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
)

// What a message says of sessions and reliability is within bounds, and an interval reads
// back the same from how we would write it.
func FuzzDialogHeaders(f *testing.F) {
	for _, s := range []string{"5", "Signal=5\r\nDuration=160\r\n", "signal = #", "1800;refresher=uac", "90 ; Refresher = UAS;x=y", "0", "99999999999999999999", "-1", "7 1 INVITE", "4294967295 2 INVITE", "90"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		req := sip.NewRequest(sip.PRACK, sip.Uri{Scheme: "sip", Host: "h"})
		req.SetBody([]byte(s))
		for _, kind := range []string{infoRelay, infoPlain, s} {
			info := sip.NewRequest(sip.INFO, sip.Uri{Scheme: "sip", Host: "h"})
			info.AppendHeader(sip.NewHeader("Content-Type", kind))
			info.SetBody([]byte(s))
			if digit, ok := infoDigit(info); digit != 0 && (!ok || !strings.ContainsRune("0123456789*#ABCD", digit)) {
				t.Errorf("%q in %q is the key %q, %v", s, kind, digit, ok)
			}
		}
		for _, name := range []string{"Session-Expires", "Min-SE", "RAck"} {
			req.AppendHeader(sip.NewHeader(name, s))
		}
		if interval, refresher, ok := sessionExpires(req); ok {
			if interval < time.Second || interval > 1<<31*time.Second || refresher != "" && refresher != "uac" && refresher != "uas" {
				t.Errorf("%q is %v by %q", s, interval, refresher)
			}
			back := sip.NewRequest(sip.UPDATE, sip.Uri{Scheme: "sip", Host: "h"})
			var timer sessionTimer
			back.AppendHeader(timer.expires(interval, refresher))
			if i, r, ok := sessionExpires(back); !ok || i != interval || r != refresher {
				t.Errorf("%q is %v by %q, then %v by %q", s, interval, refresher, i, r)
			}
		}
		timer := sessionTimer{timer: stoppedTimer()}
		timer.heed(req)
		if timer.minSE < 0 || timer.minSE > 1<<31*time.Second {
			t.Errorf("%q gives a least interval of %v", s, timer.minSE)
		}
		if rack, ok := parseRAck(req); ok && rack.rseq == 0 {
			t.Errorf("%q acknowledges nothing", s)
		}
	})
}
