package rtp

import (
	"net/netip"
	"time"

	pionrtp "github.com/pion/rtp"
)

// How a source is trusted.
const (
	probation     = 5                      // packets in sequence from an address nobody announced
	probationNear = 2                      // from the announced host, another port (NAT)
	rebindSilence = 300 * time.Millisecond // silence of the locked source before its host may move ports
	reluctance    = 50                     // packets in sequence from where the party was before it announced another place
)

// gate decides whose packets are the party's (symmetric RTP, RFC 4961). The announced
// address is heard at once; any other only after a probation, and only as long as no
// source is locked. From then on nobody else is heard, but the announced address if it
// speaks up after all. A NAT that gives the same host a new port in mid-call is followed
// when the old port has fallen silent and the same stream goes on from the new one; so is
// a new stream once the party has described itself anew. Owned by the reader goroutine.
type gate struct {
	announced netip.AddrPort
	former    netip.AddrPort // locked before announced was; its last packets are heard, not followed
	locked    bool
	renewed   bool           // described anew since it was locked: its next stream may be another
	left      bool           // was locked on announced, and has moved away
	addr      netip.AddrPort // once locked
	ssrc      uint32
	seq       uint16
	heard     time.Time

	candidate     netip.AddrPort
	candidateSSRC uint32
	candidateSeq  uint16
	run           int // packets in sequence from the candidate
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
	*g = gate{announced: addr, former: former}
}

// admit reports whether a packet is the party's.
func (g *gate) admit(from netip.AddrPort, h *pionrtp.Header, now time.Time) bool {
	if g.locked && from == g.addr {
		g.note(h, now)
		return true
	}
	need := probation
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
	}
	step := h.SequenceNumber - g.candidateSeq
	switch follows := from == g.candidate && h.SSRC == g.candidateSSRC; {
	case follows && g.run > 0 && step == 0: // twice
	case follows && step >= 1 && step <= 3:
		g.run++
	default:
		g.candidate, g.candidateSSRC, g.run = from, h.SSRC, 1
	}
	g.candidateSeq = h.SequenceNumber
	if g.run < need {
		return !g.locked && from == g.former
	}
	g.left = g.left || g.locked && g.addr == g.announced
	g.locked, g.renewed, g.addr, g.run = true, false, from, 0
	g.note(h, now)
	return true
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
