package sip_test

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

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

// idle connects and says nothing.
func idle(t *testing.T, at net.IP, server netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: at}}).DialContext(t.Context(), "tcp", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// closed waits until the other side has closed a connection, for longer than strangers have.
func closed(t *testing.T, conn net.Conn, what string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(4 * patience))
	if _, err := conn.Read(make([]byte, 1)); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s keeps its connection", what)
	}
}

func TestWhoStandsBesideACallKeepsNoConnectionWithoutSayingWhose(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "UDP", s.udp)
	call, _, _ := answered(t, p, d, p.offer("0"))
	if err := s.SetTrunks(nil); err != nil { // from now on the address is known by its call alone
		t.Fatal(err)
	}
	q := newPhone(t, "TCP", s.tcp) // the call's own, another way
	q.id, q.toTag, q.cseq = p.id, p.toTag, p.cseq+1
	q.send("OPTIONS", "")
	q.expect("SIP/2.0 200")
	var others []net.Conn
	for range 40 {
		others = append(others, idle(t, here.Addr().AsSlice(), s.tcp))
	}
	for _, conn := range others {
		closed(t, conn, "who said nothing")
	}
	q.cseq++
	q.send("BYE", "") // the call has kept its own for longer
	q.expect("SIP/2.0 200")
	ended(t, call, sip.CauseRemoteBye)
}

func TestWhoStandsBesideAPhoneKeepsNoConnectionWithoutAPassword(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withPhones())
	p := newPhone(t, "TCP", s.tcp)
	p.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>")
	closed(t, idle(t, here.Addr().AsSlice(), s.tcp), "who said nothing")
	p.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>") // over the same connection
}

func TestIdleStrangersTakeNoPlaceFromOthers(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withPhones())
	for range 130 { // an office whose phones have all just started
		idle(t, elsewhere, s.tcp)
	}
	eventually(t, "those beyond the bound are turned away", func() bool { return s.Stats().StrangersDropped >= 90 })
	p := newPhone(t, "TCP", s.tcp)
	p.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>")
	if bans := s.Bans(); len(bans) != 0 {
		t.Errorf("%+v", bans)
	}
}

func TestAnOfficeOfPhonesStartsAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withPhones())
	first := newPhone(t, "UDP", s.udp)
	first.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>") // known from before the power went
	var office []*phone
	for range 60 {
		office = append(office, newPhone(t, "TCP", s.tcp))
	}
	for i := 7; i < len(office); i += 8 { // one user may register ten times a second
		p := office[i]
		p.registers(bob.Login, "200", "Contact: <sip:bob@192.0.2.1>")
	}
	if bans := s.Bans(); len(bans) != 0 {
		t.Errorf("%+v", bans)
	}
}

func TestIdleStrangersDoNotHoldUpATrunksHandshake(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := make(desk, 1)
	s := start(t, d, withPhones(onlyHere...), a.secure("server", "127.0.0.1:0", "127.0.0.1"))
	for i := range 96 { // as many as three addresses may have
		idle(t, net.IPv4(127, 0, 0, byte(3+i%3)), s.TLSAddr())
	}
	p := a.phone(s.TLSAddr())
	if n := s.Stats().TLS.Handshakes; n != 0 {
		t.Errorf("it waited for %d others to give up", n)
	}
	talks(t, d, p)
}
