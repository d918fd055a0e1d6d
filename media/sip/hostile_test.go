package sip_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

var (
	here      = netip.MustParsePrefix("127.0.0.1/32")
	onlyHere  = []sip.Trunk{{ID: "carrier", Sources: []netip.Prefix{here}}}
	elsewhere = net.IPv4(127, 0, 0, 3)
)

// newPhoneAt is a phone at another address of loopback.
func newPhoneAt(t *testing.T, at net.IP, network string, server netip.AddrPort) *phone {
	t.Helper()
	var local net.Addr = &net.UDPAddr{IP: at}
	if network != "UDP" {
		local = &net.TCPAddr{IP: at}
	}
	conn, err := (&net.Dialer{LocalAddr: local}).DialContext(t.Context(), strings.ToLower(network), server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &phone{t: t, network: network, conn: conn, in: make(chan string, 4096), cseq: 1, rtpPort: 9,
		id: fmt.Sprintf("%d-%s", time.Now().UnixNano(), conn.LocalAddr())}
	go p.read()
	return p
}

// talks places a call that is answered, and hangs it up.
func talks(t *testing.T, d desk, p *phone) {
	t.Helper()
	p.toTag = ""
	p.id += "x"
	p.send("INVITE", p.offer("0"))
	if _, err := d.next(t).Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	p.expect("SIP/2.0 200")
	p.send("ACK", "")
	p.cseq++
	p.send("BYE", "")
	p.expect("SIP/2.0 200")
	p.cseq++
}

// says that nothing comes back: what is sent after it is answered first.
func (p *phone) hearsNothing(what string) {
	p.t.Helper()
	select {
	case m, open := <-p.in:
		if open {
			p.t.Errorf("%s: heard %q", what, m)
		}
	case <-time.After(300 * time.Millisecond):
	}
}

func TestAFloodOfStrangersIsBannedAndATrunkBesideItIsHeard(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, withTrunks(onlyHere...))
	carrier := newPhone(t, "UDP", s.udp)
	scanner := newPhoneAt(t, elsewhere, "UDP", s.udp)
	stop := make(chan struct{})
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			_, _ = fmt.Fprintf(scanner.conn, "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.3:9;branch=z9hG4bK%d\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: scan%d\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n\r\n", n, n)
		}
	}()
	eventually(t, "the scanner is banned", func() bool { return len(s.Bans()) == 1 })
	for range 5 {
		talks(t, d, carrier)
	}
	close(stop)
	<-flooded
	bans := s.Bans()
	if len(bans) != 1 || bans[0].Source.String() != "127.0.0.3/32" || bans[0].Dropped == 0 || bans[0].Times != 1 || bans[0].Until.Sub(bans[0].Since) != 5*time.Minute {
		t.Fatalf("bans: %+v", bans)
	}
	stats := s.Stats()
	if stats.Banned != 1 || stats.Bans[bans[0].Cause] != 1 {
		t.Errorf("counted: %d, %v", stats.Banned, stats.Bans)
	}
	if !s.Lift(netip.MustParseAddr("127.0.0.3")) || len(s.Bans()) != 0 {
		t.Error("the ban cannot be lifted")
	}
	for len(scanner.in) > 0 {
		<-scanner.in
	}
	eventually(t, "a stranger is told so again", func() bool {
		scanner.send("OPTIONS", "")
		scanner.cseq++
		select {
		case m := <-scanner.in:
			return strings.HasPrefix(m, "SIP/2.0 403")
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
}

func TestATrunkIsNeverBannedWhateverComesFromItsAddress(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, withTrunks(onlyHere...))
	carrier, forger := newPhone(t, "UDP", s.udp), newPhone(t, "UDP", s.udp)
	for range 60 { // what the socket's buffer holds
		forger.raw("INVITE what is this\r\n\r\n")
		forger.raw("REGISTER sip:127.0.0.1 SIP/2.0\r\n\r\n")
	}
	talks(t, d, carrier)
	if bans := s.Bans(); len(bans) != 0 {
		t.Errorf("%+v", bans)
	}
}

func TestABannedAddressThatBecomesATrunksIsHeardAtOnce(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, withTrunks(onlyHere...))
	p := newPhoneAt(t, elsewhere, "UDP", s.udp)
	for range 120 {
		p.raw("what is this")
	}
	eventually(t, "the stranger is banned", func() bool { return len(s.Bans()) == 1 })
	if b := s.Bans()[0]; b.Cause != "garbage" {
		t.Errorf("%+v", b)
	}
	if err := s.SetTrunks(append([]sip.Trunk{{ID: "new", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.3/32")}}}, onlyHere...)); err != nil {
		t.Fatal(err)
	}
	talks(t, d, p)
	if bans := s.Bans(); len(bans) != 0 {
		t.Errorf("%+v", bans)
	}
}

func TestNobodyIsBannedByDatagramsWhereTrunksCallFromAnywhere(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, withTrunks(branch))
	forger, p := newPhone(t, "UDP", s.udp), newPhone(t, "UDP", s.udp)
	for range 500 {
		forger.raw("what is this")
	}
	eventually(t, "the trunk is asked for its password, and let through", func() bool {
		p.send("OPTIONS", "")
		p.cseq++
		select {
		case m := <-p.in:
			if !strings.HasPrefix(m, "SIP/2.0 401") {
				return false
			}
			p.options(answerTo(challenges(t, m)[0], branchLogin, "OPTIONS", 1), "200")
			return true
		case <-time.After(100 * time.Millisecond):
			return false
		}
	})
	if bans := s.Bans(); len(bans) != 0 {
		t.Errorf("%+v", bans)
	}
}

func TestWrongPasswordsThatGoOnAreBanned(t *testing.T) {
	t.Parallel()
	s := start(t, make(desk, 1), withTrunks(branch), func(c *sip.Config) { c.Refusals = 1000 })
	wrong := branchLogin
	wrong.Password = "open says me"
	for range 40 { // the gate shuts after five; connections that show nothing count, too
		if len(s.Bans()) > 0 {
			break
		}
		p := newPhoneAt(t, elsewhere, "TCP", s.tcp)
		p.send("OPTIONS", "")
		m, open := <-p.in
		if open && strings.HasPrefix(m, "SIP/2.0 401") {
			p.cseq++
			p.send("OPTIONS", "", answerTo(challenges(t, m)[0], wrong, "OPTIONS", 1))
			<-p.in
		}
		p.conn.Close()
	}
	eventually(t, "the guesser is banned", func() bool { return len(s.Bans()) == 1 })
	p := newPhoneAt(t, elsewhere, "TCP", s.tcp)
	_, _ = p.conn.Write([]byte("OPTIONS sip:a SIP/2.0\r\n"))
	if m, open := <-p.in; open {
		t.Errorf("a banned source is told %q", m)
	}
	right := newPhone(t, "TCP", s.tcp) // another address
	right.options(answerTo(right.asked("OPTIONS")[0], branchLogin, "OPTIONS", 1), "200")
	if n := s.LiftAll(); n != 1 || len(s.Bans()) != 0 {
		t.Errorf("%d lifted", n)
	}
}

func TestStrangersHearNothingWhereNothingIsToldToThem(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, withTrunks(onlyHere...), func(c *sip.Config) { c.Silent = true })
	p := newPhoneAt(t, elsewhere, "UDP", s.udp)
	for _, method := range []string{"REGISTER", "OPTIONS", "INVITE", "BYE", "FOO"} {
		p.send(method, "")
		p.cseq++
	}
	p.raw("garbage\r\n\r\n")
	p.hearsNothing("over UDP")
	conn, err := (&net.Dialer{LocalAddr: &net.TCPAddr{IP: elsewhere}}).DialContext(t.Context(), "tcp", s.tcp.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(conn); len(b) > 0 || err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("over TCP: %q, %v", b, err)
	}
	talks(t, d, newPhone(t, "UDP", s.udp))
	talks(t, d, newPhone(t, "TCP", s.tcp))
	if n := s.Stats().StrangersRefused; n != 0 {
		t.Errorf("%d were answered", n)
	}
}

func TestStrangersHearTheChallengeAloneWhereTrunksCallFromAnywhere(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, network string) {
		s := start(t, make(desk, 1), withTrunks(branch), func(c *sip.Config) { c.Silent = true })
		for _, message := range []string{
			"REGISTER sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/" + network + " 127.0.0.1:9;branch=z9hG4bK1;rport\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: a\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			"INVITE sip:a@127.0.0.1 SIP/7.0\r\nVia: SIP/2.0/" + network + " 127.0.0.1:9;branch=z9hG4bK2;rport\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: b\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			"CANCEL sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/" + network + " 127.0.0.1:9;branch=z9hG4bK3;rport\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: c\r\nCSeq: 1 CANCEL\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			"FOO sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/" + network + " 127.0.0.1:9;branch=z9hG4bK4;rport\r\nFrom: <sip:1@a>;tag=1\r\nTo: <sip:1@a>\r\nCall-ID: d\r\nCSeq: 1 FOO\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
			"\r\n\r\n",
		} {
			p := newPhone(t, network, s.addr(network))
			p.raw(message)
			p.hearsNothing(message)
		}
		p := newPhone(t, network, s.addr(network))
		p.options(answerTo(p.asked("OPTIONS")[0], branchLogin, "OPTIONS", 1), "200")
	})
}

// What came to nothing before it was a call is remembered of a trunk, and of nobody else.
func TestRefusedCallsOfATrunkLeaveALadder(t *testing.T) {
	t.Parallel()
	guarded := sip.Trunk{ID: "guarded", Sources: []netip.Prefix{here}, Digest: sip.Digest{Login: branchLogin}}
	s := start(t, make(desk, 1), withTrunks(guarded))
	p := newPhone(t, "UDP", s.udp)
	c := p.asked("INVITE")[0] // a 401, as for each call
	wrong := digest.Login{Username: branchLogin.Username, Password: "wrong"}
	p.send("INVITE", p.offer("0"), answerTo(c, wrong, "INVITE", 1))
	p.expect("SIP/2.0 401")
	p.send("ACK", "")
	p.id += "x"
	p.send("INVITE", strings.Replace(p.offer("0"), "RTP/AVP 0", "RTP/AVP 18", 1), answerTo(c, branchLogin, "INVITE", 2))
	p.expect("SIP/2.0 488")
	p.send("ACK", "")
	stranger := newPhoneAt(t, elsewhere, "UDP", s.udp)
	stranger.send("INVITE", stranger.offer("0"))
	stranger.expect("SIP/2.0 403")
	again := func() {
		p.id += "x"
		p.toTag = ""
		p.cseq++
	}
	for range 20 { // the question that each call begins with pushes nothing out
		again()
		p.send("INVITE", p.offer("0"))
		p.expect("SIP/2.0 401")
		p.send("ACK", "")
	}
	list := s.Refusals("guarded")
	if len(list) != 2 || list[0].Reason != "no_codec" || list[0].Status != 488 || list[1].Reason != "password_wanted" || list[1].Status != 401 {
		t.Fatalf("%+v", list)
	}
	if got := list[0].Ladder.Draw(true); !strings.Contains(got, "INVITE") || !strings.Contains(got, "488") || strings.Contains(got, "response=\"") || !strings.Contains(got, "RTP/AVP 18") {
		t.Error(got)
	}
	for i := range uint32(40) {
		again()
		p.send("INVITE", strings.Replace(p.offer("0"), "RTP/AVP 0", "RTP/AVP 18", 1), answerTo(c, branchLogin, "INVITE", i+3))
		p.expect("SIP/2.0 488")
		p.send("ACK", "")
	}
	if n := len(s.Refusals("guarded")); n != 16 {
		t.Errorf("%d are remembered", n)
	}
	if err := s.SetTrunks(onlyHere); err != nil {
		t.Fatal(err)
	}
	p.id += "y"
	p.toTag = ""
	p.send("INVITE", strings.Replace(p.offer("0"), "RTP/AVP 0", "RTP/AVP 18", 1))
	p.expect("SIP/2.0 488")
	p.send("ACK", "")
	if a, b := len(s.Refusals("guarded")), len(s.Refusals("carrier")); a != 0 || b != 1 {
		t.Errorf("%d of a trunk that has gone, %d of the new one", a, b)
	}
}

// A message that cannot be read is refused, and the connection that it came by stays.
func TestAConnectionOutlivesAMessageThatCannotBeRead(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d)
	p := newPhone(t, "TCP", s.tcp)
	call, _, _ := answered(t, p, d, p.offer("0"))
	for range 3 {
		p.raw("OPTIONS  sip:a@b  SIP/2.0\r\nVia: SIP/2.0/TCP a;branch=z9hG4bKy\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: odd\r\nCSeq: 1 OPTIONS\r\nContent-Length: 3\r\n\r\nbad")
		p.expect("SIP/2.0 400")
	}
	p.cseq++
	p.send("BYE", "")
	p.expect("SIP/2.0 200")
	ended(t, call, sip.CauseRemoteBye)
	if n := s.Stats().Unreadable; n != 3 {
		t.Errorf("%d are counted", n)
	}
}
