package sip_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// Whoever listens at the port of a phone's Contact on its public address, such as a PBX behind
// the same NAT, is never sent what was meant for the phone.
func TestAPhoneThatHungUpItsConnectionIsSoughtNowhereElse(t *testing.T) {
	t.Parallel()
	r, _ := registrar.New(registrar.Config{})
	s := start(t, make(desk, 1), func(c *sip.Config) { c.Trunks, c.Phones, c.Registrar, c.PhonesSHA256 = nil, []sip.Phone{bob}, r, true })
	pbx, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pbx.Close() })
	rang := make(chan struct{}, 8)
	go func() {
		for {
			c, err := pbx.Accept()
			if err != nil {
				return
			}
			c.Close()
			rang <- struct{}{}
		}
	}()
	p := newPhone(t, "TCP", s.tcp)
	p.registers(bob.Login, "200", "Contact: <sip:009005550@"+pbx.Addr().String()+";transport=tcp>")
	b := r.Bindings("bob")[0]
	if to := s.Client().Reach(b); to.Addr != b.Source {
		t.Fatalf("while it is connected: %v", to)
	}
	p.conn.Close()
	eventually(t, "the connection is gone", func() bool { return s.Client().Reach(b).Addr != b.Source })
	if _, err := s.Client().Dial(within(t), sip.Outgoing{Target: b.Contact, Via: s.Client().Reach(b), Phone: "bob"}); !errors.Is(err, sip.ErrUnreachable) {
		t.Errorf("a call: %v", err)
	}
	if _, err := s.Client().Ask(within(t), sip.Request{Method: "OPTIONS", URI: b.Contact, Via: s.Client().Reach(b)}); !errors.Is(err, sip.ErrUnreachable) {
		t.Errorf("a question: %v", err)
	}
	select {
	case <-rang:
		t.Error("the other machine was connected to")
	default:
	}
}

func TestAPhoneBesideAPBXDoesNotSpeakForIt(t *testing.T) {
	t.Parallel()
	pbx := sip.Trunk{ID: "pbx", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24")}}
	overBoth(t, func(t *testing.T, network string) {
		s := start(t, make(desk, 1), withPhones(pbx))
		beside := map[string]string{"UDP": "403", "TCP": "200"}[network] // over a connection nothing is sent to a port
		for _, c := range []struct{ contact, status string }{
			{"<sip:00900@192.0.2.9>", "403"},
			{"<sip:00900@127.0.0.2:5060>", "403"},
			{"<sip:00900@127.0.0.1:9>", beside},
			{"<sip:bob@SOURCE>", "200"},
			{"<sip:bob@10.0.0.7:5060>", "200"}, // as it knows itself, behind a NAT
			{"<sip:bob@desk.example>", "200"},
		} {
			p := newPhone(t, network, s.addr(network))
			contact := strings.Replace(c.contact, "SOURCE", p.conn.LocalAddr().String(), 1)
			p.registers(bob.Login, c.status, "Contact: "+contact)
		}
		if n := s.Stats().Refused["contact_trunk"]; (network == "UDP") != (n == 3) {
			t.Errorf("%d refused as such", n)
		}
	})
}

// Whoever has a phone's password does not have all of the service's audio ports.
func TestAPhonePlacesNoMoreCallsThanAPersonDoes(t *testing.T) {
	t.Parallel()
	d := make(desk, 16)
	s := start(t, d, withPhones())
	p := newPhone(t, "UDP", s.udp)
	p.registers(bob.Login, "200", "Contact: <sip:bob@"+p.conn.LocalAddr().String()+">")
	began, full, hasty := time.Now(), false, 0
	id := p.id
	for i := 0; !full && i < 1000; i++ {
		p.id, p.toTag, p.cseq = fmt.Sprintf("%s-%d", id, i), "", 10
		p.send("INVITE", p.offer("0"), answerTo(p.asked("INVITE")[0], bob.Login, "INVITE", 1))
		switch m := p.expectAny("SIP/2.0 100", "SIP/2.0 486", "SIP/2.0 503"); m[:11] {
		case "SIP/2.0 100":
			_ = d.next(t)
			if len(d) > 0 {
				t.Fatal("more than one call came of it")
			}
		case "SIP/2.0 486":
			mustContain(t, m, "Retry-After: 10")
			full = true
		default:
			mustContain(t, m, "Retry-After: 1\r\n")
			hasty++
			time.Sleep(50 * time.Millisecond) // as a phone waits, if not for as long
		}
	}
	st := s.Trunks()
	if !full || st[sip.PhonesTrunk].Calls != 4 || st[sip.PhonesTrunk].In != 4 {
		t.Errorf("%+v", st)
	}
	if hasty == 0 && time.Since(began) < time.Second {
		t.Error("no limit to how fast they come")
	}
	if len(st) != 1 {
		t.Errorf("users stand among the trunks: %+v", st)
	}

	// The service rings each phone of the user's nevertheless.
	out := dial(within(t), s.Client(), sip.Outgoing{Target: "sip:bob@" + p.conn.LocalAddr().String(), Phone: "bob"})
	p.respond(p.expect("INVITE "), "486 Busy Here")
	p.expect("ACK ")
	var refused *sip.RejectedError
	if got := <-out; !errors.As(got.err, &refused) {
		t.Errorf("%v", got.err)
	}
	if got := s.Trunks()[sip.PhonesTrunk]; got.Out != 1 {
		t.Errorf("%+v", got)
	}
}

// expectAny is expect for the first message that starts in one of some ways.
func (p *phone) expectAny(starts ...string) string {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m := <-p.in:
			for _, start := range starts {
				if strings.HasPrefix(m, start) {
					return m
				}
			}
		case <-deadline:
			p.t.Fatalf("none of %q", starts)
		}
	}
}
