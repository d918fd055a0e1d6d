package rtp

import (
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"
)

type visitor struct {
	g   *gate
	now time.Time
}

// send offers n packets in sequence, 20 ms apart, and counts those admitted.
func (v *visitor) send(from string, ssrc uint32, seq uint16, n int) (admitted int) {
	for i := range n {
		v.now = v.now.Add(20 * time.Millisecond)
		h := pionrtp.Header{SSRC: ssrc, SequenceNumber: seq + uint16(i)}
		if v.g.admit(netip.MustParseAddrPort(from), &h, v.now) {
			admitted++
		}
	}
	return admitted
}

func newVisitor() *visitor {
	return &visitor{&gate{announced: netip.MustParseAddrPort("192.0.2.1:4000"), host: netip.MustParseAddr("10.0.0.7")}, time.Unix(0, 0)}
}

func TestTheAnnouncedAddressIsHeardAtOnceAndNobodyElseAfter(t *testing.T) {
	v := newVisitor()
	if got := v.send("192.0.2.1:4000", 1, 10, 3); got != 3 {
		t.Errorf("%d of 3 packets heard", got)
	}
	if got := v.send("198.51.100.9:4000", 2, 10, 200); got != 0 {
		t.Errorf("%d packets of a stranger heard after the source was locked", got)
	}
	if got := v.send("198.51.100.9:4000", 1, 13, 200); got != 0 {
		t.Errorf("%d packets of a stranger who copies the SSRC heard", got)
	}
}

func TestAnotherAddressIsFollowedAfterAProbation(t *testing.T) {
	v := newVisitor()
	if got := v.send("10.0.0.7:9999", 1, 65533, 10); got != 10-(probation-1) {
		t.Errorf("%d of 10 packets heard from another host", got)
	}
	v = newVisitor()
	if got := v.send("192.0.2.1:62000", 1, 10, 10); got != 10-(probationNear-1) {
		t.Errorf("%d of 10 packets heard from another port of the host", got)
	}
}

func TestSprayedPacketsNeverPassTheProbation(t *testing.T) {
	v := newVisitor()
	for i := range 100 {
		if v.send("10.0.0.7:9999", 1, uint16(i*100), 2) != 0 || v.send("10.0.0.8:9999", 1, uint16(i*100), 2) != 0 {
			t.Fatal("packets out of sequence were heard")
		}
	}
	if got := v.send("192.0.2.1:4000", 1, 10, 1); got != 1 {
		t.Error("the party was not heard any more")
	}
}

func TestPortReboundByANATIsFollowedOnceTheOldOneIsSilent(t *testing.T) {
	v := newVisitor()
	v.send("192.0.2.1:4000", 1, 10, 5)
	if got := v.send("192.0.2.1:4002", 1, 15, 10); got != 0 {
		t.Errorf("%d packets from a new port heard while the old one had just spoken", got)
	}
	v.now = v.now.Add(rebindSilence)
	if got := v.send("192.0.2.1:4002", 9, 25, 20); got != 0 {
		t.Errorf("%d packets of another stream followed to a new port", got)
	}
	if got := v.send("192.0.2.1:4002", 1, 45, 20); got < 20-probation {
		t.Errorf("%d of 20 packets heard from the rebound port", got)
	}
	if got := v.send("192.0.2.1:4000", 1, 70, 5); got != 0 {
		t.Errorf("%d packets from the old port heard", got)
	}
}

func TestAPartyThatMovesIsNotLostToItsLastPacketsFromTheOldPlace(t *testing.T) {
	v := newVisitor()
	v.send("192.0.2.1:4000", 1, 10, 5)
	v.g.announce(netip.MustParseAddrPort("192.0.2.1:5000"))
	if got := v.send("192.0.2.1:4000", 1, 15, 10); got != 10 {
		t.Errorf("%d of the last 10 packets from the old port heard", got)
	}
	if v.g.locked {
		t.Error("the old port was locked again, though the party had announced another")
	}
	if got := v.send("192.0.2.1:5000", 2, 900, 10); got != 10 {
		t.Errorf("%d of 10 packets heard from the announced port", got)
	}
	if got := v.send("192.0.2.1:4000", 1, 25, 10); got != 0 {
		t.Errorf("%d packets from the old port heard after the move", got)
	}
}

func TestAPartyThatAnnouncesAnotherPlaceButStaysIsAnsweredWhereItIs(t *testing.T) {
	v := newVisitor()
	v.send("10.0.0.7:9999", 1, 10, 10)
	v.g.announce(netip.MustParseAddrPort("192.0.2.1:5000"))
	if got := v.send("10.0.0.7:9999", 1, 20, reluctance); got != reluctance || !v.g.locked {
		t.Errorf("%d of %d packets heard, locked %v", got, reluctance, v.g.locked)
	}
	if got := v.send("192.0.2.1:5000", 2, 900, 10); got != 10-(probation-1) {
		t.Errorf("%d of 10 packets heard once the announced address spoke up", got)
	}
}

func TestANewStreamFromAnotherPortIsFollowedAfterANewDescription(t *testing.T) {
	v := newVisitor()
	v.send("192.0.2.1:4000", 1, 10, 5)
	v.g.announce(v.g.announced)
	if got := v.send("192.0.2.1:4002", 9, 800, 10); got != 0 {
		t.Errorf("%d packets from a new port heard while the old one had just spoken", got)
	}
	v.now = v.now.Add(rebindSilence)
	if got := v.send("192.0.2.1:4002", 9, 810, 20); got < 20-probation {
		t.Errorf("%d of 20 packets heard from the new port", got)
	}
	if got := v.send("198.51.100.9:4002", 9, 900, 200); got != 0 {
		t.Errorf("%d packets of a stranger heard", got)
	}
}
