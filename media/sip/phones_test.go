package sip_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"

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
