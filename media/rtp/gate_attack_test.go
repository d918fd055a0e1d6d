package rtp

import (
	"net"
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
)

func TestAStrangersHostIsHardlyEverBelieved(t *testing.T) {
	v := newVisitor()
	if got := v.send("198.51.100.9:4000", 2, 10, strangers-1); got != 0 || v.g.locked {
		t.Errorf("%d packets of a stranger heard, locked %v", got, v.g.locked)
	}
	if got := v.send("192.0.2.1:4000", 1, 10, 3); got != 3 {
		t.Errorf("%d of 3 packets of the party heard after that", got)
	}
	// Where the announced address is private, any other is as likely.
	v = newVisitor()
	v.g.announce(netip.MustParseAddrPort("192.168.1.7:4000"))
	if got := v.send("198.51.100.9:4000", 2, 10, 10); got != 10-(probation-1) {
		t.Errorf("%d of 10 packets from behind a NAT heard", got)
	}
}

func TestAStrangerCannotKeepThePartyFromBeingHeard(t *testing.T) {
	for _, party := range []string{"192.0.2.1:62000", "10.0.0.7:9999"} {
		v := newVisitor()
		heard := 0
		for i := range uint16(20) {
			if v.send("198.51.100.9:4000", 2, 100+i, 1) != 0 {
				t.Fatal("the stranger was heard")
			}
			heard += v.send(party, 1, 10+i, 1)
		}
		if heard < 20-probation {
			t.Errorf("%d of 20 packets from %s heard among a stranger's", heard, party)
		}
	}
}

// TestAnIntruderIsNeverHeard has a stranger on another host of its own send to the party's
// port before, while and after the party speaks, with its numbers copied.
func TestAnIntruderIsNeverHeard(t *testing.T) {
	s := runSession(t, 22600, 22699)
	party := newPhone(t, s)
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 2)})
	if err != nil {
		t.Skipf("no second address on the loopback interface: %v", err)
	}
	defer func() { _ = conn.Close() }()
	intruder := &phone{conn, t, party.to}
	s.configure(Params{Remote: netip.AddrPortFrom(loopback, 9), Host: loopback}) // a NAT gives it another port
	attack := func(from, n uint16) {
		for i := range n {
			intruder.say(pionrtp.Header{SequenceNumber: from + i, Timestamp: 160 * uint32(from+i), SSRC: 5}, []byte("intruder"))
		}
	}
	refused := func(n uint64) {
		t.Helper()
		for deadline := time.Now().Add(5 * time.Second); s.Stats().Stranger < n; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d of %d packets of the intruder were refused", s.Stats().Stranger, n)
			}
		}
	}
	attack(1, 40)
	refused(40)
	for i := range uint16(10) {
		attack(100+i, 1)
		party.say(pionrtp.Header{SequenceNumber: 1 + i, Timestamp: 160 * uint32(i), SSRC: 5}, []byte("party"))
	}
	attack(11, 100)
	party.say(pionrtp.Header{SequenceNumber: 11, Timestamp: 1760, SSRC: 5}, []byte("the end"))
	for {
		got := s.hear()
		if string(got.Payload) == "the end" {
			break
		}
		if string(got.Payload) != "party" {
			t.Fatalf("heard %q", got.Payload)
		}
	}
	refused(150)
	s.Send(&media.Packet{Codec: media.PCMU, Payload: []byte("reply")})
	if got := party.hear(); string(got.Payload) != "reply" {
		t.Errorf("the party heard %q", got.Payload)
	}
}

// FuzzGate: whatever comes from where, nobody is heard who was not announced or did not pass
// a probation, and once a source is locked only the announced address and ports of the same
// host are.
func FuzzGate(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 0, 2, 0x10, 1, 0x10, 2, 0xf1, 0, 0x10, 3})
	f.Add([]byte{0x20, 1, 0x20, 2, 0x20, 3, 0x20, 4, 0x20, 5, 0x20, 6, 0x30, 1, 0x30, 2})
	places := []netip.AddrPort{
		netip.MustParseAddrPort("192.0.2.1:4000"), netip.MustParseAddrPort("192.0.2.1:4002"),
		netip.MustParseAddrPort("10.0.0.7:9999"), netip.MustParseAddrPort("198.51.100.9:4000"),
		netip.MustParseAddrPort("198.51.100.8:4000"), netip.MustParseAddrPort("192.168.1.7:4000"),
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		g := gate{announced: places[0], host: places[2].Addr()}
		now := time.Unix(0, 0)
		sent := map[netip.AddrPort]int{}
		for ; len(data) >= 2; data = data[2:] {
			from := places[int(data[0]>>4)%len(places)]
			if data[0] >= 0xf0 {
				if at := places[int(data[1])%len(places)]; at != g.announced {
					clear(sent)
				}
				g.announce(places[int(data[1])%len(places)])
				continue
			}
			now = now.Add(time.Duration(data[0]&15) * 50 * time.Millisecond)
			before := g
			sent[from]++
			h := pionrtp.Header{SSRC: uint32(data[1] >> 6), SequenceNumber: uint16(data[1] & 63)}
			ok := g.admit(from, &h, now)
			known := from == before.announced || from == before.former
			switch {
			case g.locked && g.addr != from && ok:
				t.Fatalf("%v was heard while %v is locked", from, g.addr)
			case before.locked && !known && from.Addr() != before.addr.Addr() && ok:
				t.Fatalf("%v was heard while %v was locked", from, before.addr)
			case ok && !known && !before.locked && sent[from] < probationNear:
				t.Fatalf("%v was heard at once", from)
			case ok && !known && !before.locked && from.Addr() != before.announced.Addr() && sent[from] < probation:
				t.Fatalf("%v was heard after %d packets", from, sent[from])
			case ok && !known && !before.locked && from.Addr() != before.announced.Addr() && from.Addr() != before.host &&
				!before.announced.Addr().IsPrivate() && sent[from] < strangers:
				t.Fatalf("a stranger, %v, was heard after %d packets", from, sent[from])
			case g.strange(from) && ok:
				t.Fatalf("%v was heard and is strange", from)
			case g.locked != before.locked && g.addr != from:
				t.Fatalf("%v was locked by a packet from %v", g.addr, from)
			}
		}
	})
}
