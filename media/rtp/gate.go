package rtp

import (
	"net/netip"
	"time"

	pionrtp "github.com/pion/rtp"
)

// How a source is trusted.
const (
	probation     = 5                      // packets in sequence from an address nobody announced: of the host that signals, or if the announced one is private
	strangers     = 50                     // the same from any other host: a second of voice
	probationNear = 2                      // from the announced host, another port (NAT)
	rebindSilence = 300 * time.Millisecond // silence of the locked source before its host may move ports
	reluctance    = 50                     // packets in sequence from where the party was before it announced another place
)

var carrierNAT = netip.MustParsePrefix("100.64.0.0/10")

// gate decides whose packets are the party's (symmetric RTP, RFC 4961). The announced
// address is heard at once; any other only after a probation, and only as long as no
// source is locked; and however much a stranger sends meanwhile, it does not keep the
// party's own host from passing its probation. From then on nobody else is heard, but the announced address if it
// speaks up after all. A NAT that gives the same host a new port in mid-call is followed
// when the old port has fallen silent and the same stream goes on from the new one; so is
// a new stream once the party has described itself anew. Owned by the reader goroutine.
type gate struct {
	announced netip.AddrPort
	host      netip.Addr     // where its signalling comes from; not valid if unknown
	former    netip.AddrPort // locked before announced was; its last packets are heard, not followed
	locked    bool
	renewed   bool           // described anew since it was locked: its next stream may be another
	left      bool           // was locked on announced, and has moved away
	addr      netip.AddrPort // once locked
	ssrc      uint32
	seq       uint16
	heard     time.Time

	near, far candidate // of the party's own hosts, and any other
}

// candidate is an address on probation.
type candidate struct {
	addr netip.AddrPort
	ssrc uint32
	seq  uint16
	run  int // packets in sequence from it
}

// follow takes a packet and gives the length of the run that it belongs to.
func (c *candidate) follow(from netip.AddrPort, h *pionrtp.Header) int {
	step := h.SequenceNumber - c.seq
	switch same := from == c.addr && h.SSRC == c.ssrc; {
	case same && c.run > 0 && step == 0: // twice
	case same && step >= 1 && step <= 3:
		c.run++
	default:
		c.addr, c.ssrc, c.run = from, h.SSRC, 1
	}
	c.seq = h.SequenceNumber
	return c.run
}

// announce takes what the party said of itself, again or for the first time.
func (g *gate) announce(addr netip.AddrPort) {
	if addr == g.announced {
		g.renewed, g.left = g.locked, false
		return
	}
	former := g.former
	if g.locked {
		former = g.addr
	}
	*g = gate{announced: addr, former: former, host: g.host}
}

// admit reports whether a packet is the party's.
func (g *gate) admit(from netip.AddrPort, h *pionrtp.Header, now time.Time) bool {
	if g.locked && from == g.addr {
		g.note(h, now)
		return true
	}
	need, c := probation, &g.near
	switch {
	case from == g.announced && !g.left:
		if !g.locked {
			need = 1
		}
	case g.locked:
		if !g.mayMove(from, h, now) {
			return false
		}
	case from == g.former:
		need = reluctance
	case from.Addr() == g.announced.Addr():
		need = probationNear
	case from.Addr() == g.host:
	default:
		c = &g.far
		if !local(g.announced.Addr()) {
			need = strangers
		}
	}
	if c.follow(from, h) < need {
		return !g.locked && from == g.former
	}
	g.left = g.left || g.locked && g.addr == g.announced
	g.locked, g.renewed, g.addr = true, false, from
	g.near, g.far = candidate{}, candidate{}
	g.note(h, now)
	return true
}

// local says that an address means nothing outside the party's own network, so that its
// packets must come from another: private (RFC 1918, RFC 4193), shared by a carrier's NAT
// (RFC 6598), link-local, or none.
func local(a netip.Addr) bool {
	return !a.IsValid() || a.IsUnspecified() || a.IsPrivate() || a.IsLinkLocalUnicast() || carrierNAT.Contains(a)
}

// strange says that nothing from there can be the party's, whatever is in it.
func (g *gate) strange(from netip.AddrPort) bool {
	return g.locked && from.Addr() != g.addr.Addr() && from != g.announced && from != g.former
}

func (g *gate) note(h *pionrtp.Header, now time.Time) {
	g.ssrc, g.seq, g.heard = h.SSRC, h.SequenceNumber, now
}

func (g *gate) mayMove(from netip.AddrPort, h *pionrtp.Header, now time.Time) bool {
	if from.Addr() != g.addr.Addr() || now.Sub(g.heard) < rebindSilence {
		return false
	}
	step := int16(h.SequenceNumber - g.seq)
	return g.renewed || h.SSRC == g.ssrc && step > 0 && step <= maxDropout
}
