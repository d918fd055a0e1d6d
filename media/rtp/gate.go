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
)

// gate decides whose packets are the party's (symmetric RTP, RFC 4961). The announced
// address is heard at once; any other only after a probation, and only as long as no
// source is locked. From then on nobody else is heard. A NAT that gives the same host a
// new port in mid-call is followed when the old port has fallen silent and the same
// stream goes on from the new one. Owned by the reader goroutine.
type gate struct {
	announced netip.AddrPort
	locked    bool
	addr      netip.AddrPort // once locked
	ssrc      uint32
	seq       uint16
	heard     time.Time

	candidate     netip.AddrPort
	candidateSSRC uint32
	candidateSeq  uint16
	run           int // packets in sequence from the candidate
}

// admit reports whether a packet is the party's.
func (g *gate) admit(from netip.AddrPort, h *pionrtp.Header, now time.Time) bool {
	if g.locked && from == g.addr {
		g.note(h, now)
		return true
	}
	need := probation
	switch {
	case g.locked:
		if !g.mayMove(from, h, now) {
			return false
		}
	case from == g.announced:
		need = 1
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
		return false
	}
	g.locked, g.addr, g.run = true, from, 0
	g.note(h, now)
	return true
}

func (g *gate) note(h *pionrtp.Header, now time.Time) {
	g.ssrc, g.seq, g.heard = h.SSRC, h.SequenceNumber, now
}

func (g *gate) mayMove(from netip.AddrPort, h *pionrtp.Header, now time.Time) bool {
	step := int16(h.SequenceNumber - g.seq)
	return from.Addr() == g.addr.Addr() && h.SSRC == g.ssrc && step > 0 && step <= maxDropout &&
		now.Sub(g.heard) >= rebindSilence
}
