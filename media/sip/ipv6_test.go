package sip_test

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
)

// six is a side that speaks IPv6 only, with its certificate.
func six(t *testing.T, a *authority, name string) func(*sip.Config) {
	t.Helper()
	if conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "[::1]:0"); err != nil {
		t.Skipf("no IPv6 here: %v", err)
	} else {
		_ = conn.Close()
	}
	low := 20000 + int(nextPorts.Add(32)-32)%12000
	ports, err := rtp.NewPorts(netip.IPv6Loopback(), low, low+31, 0)
	if err != nil {
		t.Fatal(err)
	}
	secure := a.secure(name, "[::1]:0", "::1")
	return func(c *sip.Config) {
		secure(c)
		c.UDP, c.TCP, c.Ports = "[::1]:0", "[::1]:0", ports
		c.Trunks = []sip.Trunk{{ID: "six", Sources: []netip.Prefix{netip.MustParsePrefix("::1/128")}}}
	}
}

func TestCallsOverIPv6(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := make(desk, 1)
	s := start(t, d, six(t, a, "server"))
	client := newClient(t, six(t, a, "client"))
	for transport, at := range map[string]netip.AddrPort{"udp": s.udp, "tcp": s.tcp, "tls": s.TLSAddr()} {
		out := dial(within(t), client, sip.Outgoing{Target: "sip:100@" + at.String() + ";transport=" + transport})
		call := d.next(t)
		if number, _ := call.From(); number != "headroom" {
			t.Errorf("%s: from %q", transport, number)
		}
		if _, err := call.Answer(within(t)); err != nil {
			t.Fatalf("%s: %v", transport, err)
		}
		placed := <-out
		if placed.err != nil {
			t.Fatalf("%s: %v", transport, placed.err)
		}
		if err := call.Hangup(within(t)); err != nil { // needs the Contact to be right
			t.Errorf("%s: %v", transport, err)
		}
		ended(t, placed.call, sip.CauseRemoteBye)
	}
}

func TestIPv6AddressesStandInBracketsWhereTheyMust(t *testing.T) {
	t.Parallel()
	d := make(desk, 1)
	s := start(t, d, six(t, newAuthority(t), "server"))
	p := newPhone(t, "UDP", s.udp)
	p.send("INVITE", "v=0\r\no=- 1 1 IN IP6 ::1\r\ns=-\r\nc=IN IP6 ::1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n")
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	mustContain(t, p.expect("SIP/2.0 200"), "Contact: <sip:headroom@"+s.udp.String()+">", "c=IN IP6 ::1\r\n", "IN IP6 ::1\r\ns=")
	p.send("ACK", "")
	go func() { _ = call.Hangup(within(t)) }()
	bye := p.expect("BYE ")
	mustContain(t, header(bye, "Via"), "SIP/2.0/UDP [::1]:")
	p.respond(bye, "200 OK")
	ended(t, call, sip.CauseLocal)
}

// Behind NAT a trunk is told the outer address of the family that is listened in.
func TestEachFamilyIsToldItsAdvertisedAddress(t *testing.T) {
	t.Parallel()
	outer4, outer6 := netip.MustParseAddr("192.0.2.33"), netip.MustParseAddr("2001:db8::33")
	both := func(c *sip.Config) { c.Advertise, c.AdvertiseAlso = outer6, outer4 }
	client := newClient(t, both)
	far := newCallee(t)
	out := dial(within(t), client, sip.Outgoing{Target: far.target(), Patience: time.Second})
	invite := far.expectRequest("INVITE")
	mustContain(t, invite, "c=IN IP4 192.0.2.33", "o=headroom", "@192.0.2.33:", "SIP/2.0/UDP 192.0.2.33:")
	far.reply(invite, "486 Busy Here", "a", "")
	<-out
	if _, err := sip.New(sip.Config{UDP: "127.0.0.1:0", Ports: newPorts(t, 2), Advertise: outer4, AdvertiseAlso: outer4}, make(desk), nil); err == nil {
		t.Error("two addresses of one family are taken")
	}
}
