package rtp

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/pion/rtcp"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// Sender numbers an outgoing stream whatever its sources are: music, an agent, music
// again. Within a source, gaps and order are kept as they are; where a new source
// starts, the sequence goes on without a gap and the timestamp by the time that passed.
// No sequence number is ever given twice, which SRTP depends on. All methods may be
// called from any goroutine, but what Next gives must be sent in that order: hold the
// leg's own lock around both.
type Sender struct {
	mu   sync.Mutex
	ssrc uint32

	began     bool
	resumed   bool // the next packet starts anew whatever its source
	keyed     bool // key presses were sent since the last packet
	source    uint32
	codec     media.Codec
	seqOffset uint64 // outgoing = source's + offset, all modulo 2^64
	tsOffset  uint64
	highest   uint64    // highest outgoing sequence number, extended
	sent      uint64    // bit i: highest-i was sent
	floor     uint64    // first outgoing number of this source
	lastTS    uint64    // timestamp of highest
	lastTicks uint64    // its duration
	lastAt    time.Time // when it was sent

	packets, octets uint64 // of this SSRC
	past, pastBytes uint64 // of those before it
	reported        uint64 // packets at the last report
	roundTrip       time.Duration
}

// NewSender starts at a random sequence number and timestamp (RFC 3550 section 5.1).
func NewSender(ssrc uint32) *Sender {
	return &Sender{ssrc: ssrc, highest: firstSeq(), lastTS: 1<<40 | uint64(rand.Uint32())}
}

// firstSeq is well below a wrap, which an SRTP receiver that missed our first packets would
// not know of.
func firstSeq() uint64 { return 1<<32 | uint64(rand.Uint32()&0x7fff) }

// SSRC is the stream's identity on the network.
func (s *Sender) SSRC() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ssrc
}

// Rename goes on as another stream (RFC 3550 section 8), its sequence number far from a wrap.
func (s *Sender) Rename(ssrc uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ssrc, s.highest, s.sent, s.resumed = ssrc, firstSeq(), 0, true
	s.past, s.pastBytes = s.past+s.packets, s.pastBytes+s.octets
	s.packets, s.octets, s.reported = 0, 0, 0
}

// Next numbers one packet about to be sent now. It is not ok for a packet whose place
// has passed: sent before, or from before the first of its source.
func (s *Sender) Next(p *media.Packet) (seq uint16, ts uint32, marker, ok bool) {
	return s.NextAt(p, time.Now())
}

// NextAt is Next at a given time.
func (s *Sender) NextAt(p *media.Packet, now time.Time) (seq uint16, ts uint32, marker, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	marker = p.Marker
	if s.startsAnew(p) {
		s.splice(p, now)
		marker = true
	} else if s.keyed {
		s.afterKeys(p, now)
		marker = true
	}
	out, outTS := p.Seq+s.seqOffset, p.Timestamp+s.tsOffset
	switch step := int64(out - s.highest); {
	case step > 0:
		s.sent = s.sent<<uint(step) | 1
		s.highest, s.lastTS, s.lastAt = out, outTS, now
		s.lastTicks = uint64(codec.Samples(p.Codec, p.Payload))
	case out < s.floor || step <= -64 || s.sent>>uint(-step)&1 != 0:
		return 0, 0, false, false
	default:
		s.sent |= 1 << uint(-step)
	}
	s.packets++
	s.octets += uint64(len(p.Payload))
	return uint16(out), uint32(outTS), marker, true
}

func (s *Sender) startsAnew(p *media.Packet) bool {
	if !s.began || s.resumed || p.Source != s.source || p.Codec.ClockRate() != s.codec.ClockRate() {
		return true
	}
	step := int64(p.Seq + s.seqOffset - s.highest)
	return step > maxDropout || step < -maxDropout
}

// splice sets the offsets so that p follows the last packet sent: the next sequence
// number, and the timestamp as much later as time has passed, in p's own clock. A gap
// shorter than half a packet is none.
func (s *Sender) splice(p *media.Packet, now time.Time) {
	next, ts := s.highest+1, s.lastTS
	if s.began {
		rate := uint64(p.Codec.ClockRate())
		last := s.lastTicks * rate / uint64(max(s.codec.ClockRate(), 1))
		elapsed := uint64(max(now.Sub(s.lastAt), 0)) * rate / uint64(time.Second)
		if elapsed < last+last/2 {
			elapsed = max(last, 1)
		}
		ts += elapsed
	}
	s.began, s.resumed, s.keyed, s.source, s.codec = true, false, false, p.Source, p.Codec
	s.seqOffset, s.tsOffset = next-p.Seq, ts-p.Timestamp
	s.floor = next
}

// Resume is for a sender that was kept from sending for a while (hold): the sequence goes on
// without a gap although its source's did, for a gap would be counted as loss.
func (s *Sender) Resume() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resumed = true
}

// Counters tell how many packets and payload bytes were sent.
func (s *Sender) Counters() (packets, octets uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.past + s.packets, s.pastBytes + s.octets
}

// RoundTrip is the latest measured by a reception report; zero before one came.
func (s *Sender) RoundTrip() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.roundTrip
}

// Report is the sender report for RTCP (RFC 3550 section 6.4.1) without its reception
// blocks; false when nothing was sent since the last one.
func (s *Sender) Report(now time.Time) (rtcp.SenderReport, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.packets == s.reported {
		return rtcp.SenderReport{}, false
	}
	s.reported = s.packets
	since := uint64(max(now.Sub(s.lastAt), 0)) * uint64(s.codec.ClockRate()) / uint64(time.Second)
	return rtcp.SenderReport{
		SSRC: s.ssrc, NTPTime: ntpTime(now), RTPTime: uint32(s.lastTS + since),
		PacketCount: uint32(s.packets), OctetCount: uint32(s.octets),
	}, true
}

// SawReceptionReport measures the round trip from what the far side says of our stream.
func (s *Sender) SawReceptionReport(r *rtcp.ReceptionReport, arrival time.Time) {
	if r.LastSenderReport == 0 {
		return
	}
	// In units of 1/65536 s, modulo 2^32 (RFC 3550 section 6.4.1, figure 2).
	units := uint32(ntpTime(arrival)>>16) - r.LastSenderReport - r.Delay
	if int32(units) < 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.SSRC != s.ssrc {
		return
	}
	s.roundTrip = time.Duration(units) * time.Second / 65536
}

// ntpTime is the 64-bit NTP time stamp: seconds since 1900 and their fraction.
func ntpTime(t time.Time) uint64 {
	const from1900To1970 = 2208988800
	return uint64(t.Unix()+from1900To1970)<<32 | uint64(t.Nanosecond())<<32/uint64(time.Second)
}
