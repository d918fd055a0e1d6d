package sip_test

import (
	"net"
	"strings"
	"testing"
	"time"
)

func TestKeysThatComeByInfo(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	voice, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = voice.Close() }()
	p := newPhone(t, "UDP", s.udp)
	p.rtpPort = voice.LocalAddr().(*net.UDPAddr).Port
	call, ok := taken(t, p, d, p.offer("0 101", "a=rtpmap:101 telephone-event/8000"))
	info := func(kind, body, want string) string {
		t.Helper()
		p.cseq++
		p.raw(strings.Replace(p.request("INFO", body), "application/sdp", kind, 1))
		return p.expect("SIP/2.0 " + want)
	}
	for _, c := range []struct{ kind, body, want, key string }{
		{"application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", "200", "5"},
		{"application/dtmf-relay", "Duration= 100\nSignal= #", "200", "#"},
		{"Application/DTMF-Relay; x=y", "signal = 10\r\n", "200", "*"},
		{"application/dtmf", "d", "200", "D"},
		{"application/dtmf", " 11 \r\n", "200", "#"},
		{"application/dtmf-relay", "Signal=16\r\n", "200", ""}, // the hook
		{"application/dtmf-relay", "hello", "415", ""},
		{"text/plain", "5", "415", ""},
	} {
		m := info(c.kind, c.body, c.want)
		if c.want == "415" {
			mustContain(t, m, "Accept: application/dtmf-relay, application/dtmf\r\n")
		}
		if c.key == "" {
			continue
		}
		select {
		case got := <-call.Digits():
			if string(got) != c.key {
				t.Errorf("%s %q: %q, want %s", c.kind, c.body, got, c.key)
			}
		case <-time.After(patience):
			t.Errorf("%s %q: no key", c.kind, c.body)
		}
	}
	// One who sends keys in RTP as well is heard there alone.
	press := []byte{0x80, 0x80 | 101, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 7, 0x80 | 10, 3, 32}
	if _, err := voice.WriteToUDP(press, &net.UDPAddr{IP: loopback.AsSlice(), Port: portOf(t, ok)}); err != nil {
		t.Fatal(err)
	}
	select {
	case got := <-call.Digits():
		if got != '7' {
			t.Errorf("%q in RTP", got)
		}
	case <-time.After(patience):
		t.Error("no key in RTP")
	}
	info("application/dtmf-relay", "Signal=7\r\n", "200")
	if len(call.Digits()) != 0 {
		t.Error("one press, two keys")
	}
	p.hangup(call)
}
