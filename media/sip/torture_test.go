package sip_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/torture"
)

// tortures is whence the messages come: an address of loopback where nobody has their ports,
// not even another run of this test.
var tortures = net.IPv4(127, 77, byte(rand.IntN(256)), byte(1+rand.IntN(254)))

// tortured sends a message as it is and gives what comes of it: statuses, "" for nothing and
// "closed" for the end of a stream. That nothing comes is known when a call and an OPTIONS
// that were sent behind it are answered.
func tortured(t *testing.T, s *site, m torture.Message) []string {
	t.Helper()
	transport, port := m.Transport()
	var local net.Addr = &net.UDPAddr{IP: tortures, Port: port}
	if transport == "TCP" {
		local = &net.TCPAddr{IP: tortures}
	}
	dial := func() (net.Conn, error) {
		return (&net.Dialer{LocalAddr: local}).DialContext(t.Context(), strings.ToLower(transport), s.addr(transport).String())
	}
	conn, err := dial()
	for late := time.Now().Add(patience); errors.Is(err, syscall.EADDRINUSE) && time.Now().Before(late); conn, err = dial() {
		time.Sleep(20 * time.Millisecond) // a SIP phone that another test starts has 5060 on every address for a moment
	}
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	p := &phone{t: t, network: transport, conn: conn, in: make(chan string, 64), cseq: 1, rtpPort: 9, id: fmt.Sprintf("after-%s-%d", m.Name, time.Now().UnixNano())}
	go p.read()
	p.raw(string(m.Bytes()))
	closes := slices.Contains(m.Wanted(), "closed")
	if !closes {
		p.send("OPTIONS", "")
	}
	var got []string
	for limit := patience; ; {
		select {
		case text, open := <-p.in:
			if !open {
				return append(got, "closed")
			}
			status := strings.Fields(text)[1]
			switch {
			case strings.Contains(text, "Call-ID: "+p.id+"\r\n"):
				limit = 200 * time.Millisecond // what else there is was begun before, on another goroutine
			case status >= "2" && !slices.Contains(got, status):
				got = append(got, status)
				if strings.Contains(text, " INVITE\r\n") { // stop its repetition
					p.raw(ackOf(text))
				}
			}
		case <-time.After(limit):
			switch {
			case limit == patience:
				return append(got, "dead")
			case got == nil:
				return []string{""}
			}
			return got
		}
	}
}

// ackOf is the ACK to a refused INVITE.
func ackOf(response string) string {
	var kept []string
	for line := range strings.SplitSeq(response, "\r\n") {
		for _, name := range []string{"Via:", "From:", "To:", "Call-ID:"} {
			if strings.HasPrefix(line, name) && (name != "Via:" || !strings.Contains(strings.Join(kept, ""), "Via:")) {
				kept = append(kept, line)
			}
		}
		if number, ok := strings.CutPrefix(line, "CSeq: "); ok {
			kept = append(kept, "CSeq: "+strings.Fields(number)[0]+" ACK")
		}
	}
	return "ACK sip:a@b SIP/2.0\r\n" + strings.Join(kept, "\r\n") + "\r\nContent-Length: 0\r\n\r\n"
}

// The messages of RFC 4475 and RFC 5118, from a trunk's address and from a stranger's.
func TestTheTortureMessagesOfTheRFCs(t *testing.T) {
	t.Parallel()
	s := start(t, handlerFunc(func(c *sip.Call) { _ = c.Reject(404, 0) }), withTrunks(sip.Trunk{ID: "carrier", Sources: []netip.Prefix{here, netip.MustParsePrefix("127.77.0.0/16")}}), func(c *sip.Config) { c.Refusals = 1000 })
	if n := len(torture.Messages()); n != 49+12 {
		t.Fatalf("%d messages", n)
	}
	for _, m := range torture.Messages() {
		t.Run(fmt.Sprintf("trunk/rfc%d/%s", m.RFC, m.Name), func(t *testing.T) {
			if got := tortured(t, s, m); len(got) != 1 || !slices.Contains(m.Wanted(), got[0]) {
				t.Errorf("%s (section %s): %q, want one of %q", m.What, m.Section, got, m.Wanted())
			}
		})
	}
	for _, m := range torture.Messages() {
		t.Run(fmt.Sprintf("stranger/rfc%d/%s", m.RFC, m.Name), func(t *testing.T) {
			s.Lift(netip.MustParseAddr(elsewhere.String()))
			p := newPhoneAt(t, elsewhere, "UDP", s.udp)
			p.raw(string(m.Bytes()))
			p.send("OPTIONS", "")
			p.expect("SIP/2.0 403") // to the one or the other
			for len(p.in) > 0 {
				if text := <-p.in; !strings.HasPrefix(text, "SIP/2.0 403 ") {
					t.Errorf("a stranger is told\n%s", text)
				}
			}
		})
	}
	eventually(t, "nothing is left", func() bool { return s.Stats().Dialogs == 0 })
	talksTo404(t, s)
}

// talksTo404 is a call after all this.
func talksTo404(t *testing.T, s *site) {
	t.Helper()
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", p.offer("0"))
	p.expect("SIP/2.0 404")
	p.send("ACK", "")
}
