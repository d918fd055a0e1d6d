package sip_test

import (
	"net/netip"
	"testing"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

var nobody = digest.Login{Username: "nobody", Password: "made up"}

// misleads sends wrong REGISTERs, more than are borne and more than a ban takes.
func misleads(t *testing.T, network string, s *site) {
	t.Helper()
	for i := range 15 {
		status := "401"
		if i >= 5 {
			status = "403"
		}
		newPhone(t, network, s.addr(network)).registers(nobody, status, "Contact: <sip:x@192.0.2.1>")
	}
}

func TestAWrongPhoneKeepsNoneOutThatStandsBesideIt(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		s := start(t, make(desk, 1), withPhones())
		p := newPhone(t, network, s.addr(network))
		p.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>")
		misleads(t, network, s)
		p.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>")
		q := newPhone(t, network, s.addr(network)) // and so does one that is new there
		q.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.2>")
		if bans := s.Bans(); len(bans) != 0 {
			t.Errorf("%+v", bans)
		}
		if n := s.Stats().Bans["password"]; n != 0 {
			t.Errorf("%d bans", n)
		}
	})
}

func TestAWrongPhoneKeepsOutNoTrunkAtItsAddress(t *testing.T) {
	t.Parallel()
	carrier := sip.Trunk{ID: "carrier", Sources: []netip.Prefix{here}, Digest: sip.Digest{Login: digest.Login{Username: "c", Password: "c c"}}}
	overBoth(t, func(t *testing.T, network string) {
		d := make(desk, 1)
		s := start(t, d, withPhones(carrier))
		misleads(t, network, s)
		guess := digest.Login{Username: "c", Password: "guessed"}
		for range 6 { // at the trunk's own account, too
			newPhone(t, network, s.addr(network)).registers(guess, "403", "Contact: <sip:x@192.0.2.1>")
		}
		p := newPhone(t, network, s.addr(network))
		p.send("INVITE", p.offer("0"), answerTo(p.asked("INVITE")[0], carrier.Digest.Login, "INVITE", 1))
		call := d.next(t)
		if call.Trunk() != "carrier" {
			t.Errorf("trunk %q", call.Trunk())
		}
		_ = call.Reject(486, 0)
		p.expect("SIP/2.0 486")
		p.send("ACK", "")
	})
}

func TestAGuesserIsBannedWhereNoPhoneRegistered(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withPhones())
	for range 11 {
		newPhone(t, "UDP", s.udp).registers(nobody, "40", "Contact: <sip:x@192.0.2.1>")
	}
	if bans := s.Bans(); len(bans) != 1 || bans[0].Cause != "password" {
		t.Errorf("%+v", bans)
	}
}
