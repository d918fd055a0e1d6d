package rtp

import (
	"sync"
	"time"

	"github.com/pion/rtcp"
	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
	mediacodec "github.com/headroom-voice/headroom/media/codec"
)

// Limits of RFC 3550 appendix A.1, and our own.
const (
	maxDropout  = 3000                   // a larger step forward is a restart
	maxMisorder = 64                     // older packets are late; also the window that finds duplicates
	ssrcLinger  = 200 * time.Millisecond // how long packets of the SSRC just left are late, not a change back
	skipMemory  = 16                     // packets without audio whose places are remembered
)

// Receiver follows one incoming stream: it extends sequence numbers and timestamps past
// their wraps, notices a change of SSRC or a restart, drops what came twice, and counts
// loss and jitter (RFC 3550 appendices A.1, A.3, A.8). The zero Receiver is ready. All
// methods may be called from any goroutine.
type Receiver struct {
	mu    sync.Mutex
	began bool
	ssrc  uint32
	codec media.Codec // of the last packet with audio

	former     uint32 // the SSRC before this one
	formerLeft time.Time

	source   uint32 // identity handed on in packets
	base     uint64 // extended sequence number of the source's first packet
	highest  uint64 // highest extended sequence number
	seen     uint64 // bit i: highest-i has arrived
	badSeq   uint16 // where a restart would go on (A.1)
	hasBad   bool
	lastTS   uint64 // extended timestamp of the highest packet with audio
	hasTS    bool
	received uint64 // packets of this source

	skips   [skipMemory]uint64 // sequence numbers of packets without audio, a ring
	skipped uint64             // how many there were
	audioHi uint64             // highest sequence number with audio

	epoch   time.Time // arrival times are counted from here
	transit float64   // of the previous packet, in clock units
	jitter  float64   // in clock units
	hasPrev bool

	sr        uint32 // middle 32 bits of the last sender report's NTP time
	srArrival time.Time

	pattern lossPattern   // of the packets that are older than those in seen, of all sources
	packet  time.Duration // how long the last packet with audio plays

	priorExpected, priorReceived uint64 // at the last reception report
	pastExpected, pastReceived   uint64 // of sources that ended
	stats                        media.Stats
}

// Accept takes note of a packet and fills p with it, extended; p.Payload is payload
// itself. It reports false for what must not go on: a duplicate, a packet too old, or
// the first one after a leap (a second that follows it restarts the stream).
//
// Comfort noise (media.CN) is numbered as a voice of its clock is, and dropped beside one of
// another. A packet that carries no audio (a telephone-event, an unknown payload type) is given
// with media.NoCodec: it counts, but leaves no hole in the numbering of the packets that do.
func (r *Receiver) Accept(h *pionrtp.Header, payload []byte, arrival time.Time, codec media.Codec, p *media.Packet) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stats.PacketsIn++
	r.stats.BytesIn += uint64(len(payload))
	r.stats.LastIn = arrival
	seq, ok := r.place(h, arrival)
	if !ok {
		return false
	}
	beside := codec == media.CN && r.codec != media.NoCodec // goes with a voice, and is none
	if beside && r.codec.ClockRate() != codec.ClockRate() {
		r.skip(seq)
		return false
	}
	p.Source, p.Codec, p.Marker, p.Payload = r.source, codec, h.Marker, payload
	if codec == media.NoCodec {
		r.skip(seq)
		p.Seq, p.Timestamp = seq, uint64(h.Timestamp)
		return true
	}
	if r.codec != codec && !beside {
		if r.codec.ClockRate() != codec.ClockRate() && r.hasTS {
			r.newSource() // timestamps of two clocks cannot be compared
			p.Source = r.source
		}
		r.codec, r.stats.Codec = codec, codec
	}
	p.Timestamp = r.extendTimestamp(h.Timestamp, seq)
	p.Seq = seq - r.skipsBefore(seq)
	if seq > r.audioHi {
		r.audioHi = seq
	}
	if !beside {
		r.packet = time.Duration(mediacodec.Samples(codec, payload)) * time.Second / time.Duration(codec.ClockRate())
	}
	r.measureJitter(p.Timestamp, arrival)
	return true
}

// place finds the extended sequence number of a packet and whether it is welcome.
func (r *Receiver) place(h *pionrtp.Header, arrival time.Time) (seq uint64, ok bool) {
	switch {
	case !r.began:
		r.began, r.epoch = true, arrival
		return r.start(h), true
	case h.SSRC != r.ssrc:
		if h.SSRC == r.former && arrival.Sub(r.formerLeft) < ssrcLinger {
			r.stats.Late++
			return 0, false
		}
		r.former, r.formerLeft = r.ssrc, arrival
		return r.start(h), true
	}
	step := int(int16(h.SequenceNumber - uint16(r.highest)))
	switch {
	case step > 0 && step <= maxDropout:
		r.pattern.leave(r.seen, r.highest, r.base, step)
		r.highest += uint64(step)
		r.seen = r.seen<<uint(step) | 1 // a shift of 64 or more gives 0
		r.hasBad = false
	case step <= 0 && -step < maxMisorder:
		bit := uint64(1) << uint(-step)
		if r.seen&bit != 0 {
			r.stats.Duplicate++
			return 0, false
		}
		seq = r.highest - uint64(-step)
		if seq < r.base {
			r.base = seq // reordered at the very start
		}
		r.seen |= bit
		r.received++
		return seq, true
	default:
		if r.hasBad && h.SequenceNumber == r.badSeq {
			return r.start(h), true
		}
		r.hasBad, r.badSeq = true, h.SequenceNumber+1
		r.stats.Late++
		return 0, false
	}
	r.received++
	return r.highest, true
}

// start begins a source at this packet. Extended numbers start one wrap up, so that
// what was sent before the first packet to arrive has a place too.
func (r *Receiver) start(h *pionrtp.Header) uint64 {
	if r.received > 0 {
		r.pattern.leave(r.seen, r.highest, r.base, 64)
		r.pastExpected += r.highest - r.base + 1
		r.pastReceived += r.received
	}
	r.ssrc = h.SSRC
	r.base = 1<<16 | uint64(h.SequenceNumber)
	r.highest, r.seen, r.received, r.hasBad = r.base, 1, 1, false
	r.skipped, r.audioHi = 0, 0
	r.priorExpected, r.priorReceived = 0, 0
	r.jitter, r.sr = 0, 0
	r.newSource()
	return r.base
}

func (r *Receiver) newSource() {
	r.source = media.NewSource()
	r.hasTS, r.hasPrev = false, false
}

func (r *Receiver) extendTimestamp(ts uint32, seq uint64) uint64 {
	if !r.hasTS {
		r.hasTS = true
		r.lastTS = 1<<32 | uint64(ts)
		return r.lastTS
	}
	extended := r.lastTS + uint64(int64(int32(ts-uint32(r.lastTS))))
	if seq >= r.audioHi {
		r.lastTS = extended
	}
	return extended
}

// skip closes up the numbering where a packet has no audio, unless audio that came
// after it has already been numbered.
func (r *Receiver) skip(seq uint64) {
	if seq > r.audioHi {
		r.skips[r.skipped%skipMemory] = seq
		r.skipped++
	}
}

func (r *Receiver) skipsBefore(seq uint64) uint64 {
	n := r.skipped
	if n == 0 || seq > r.audioHi && seq == r.highest {
		return n
	}
	for _, s := range r.skips[:min(r.skipped, skipMemory)] {
		if s > seq {
			n--
		}
	}
	return n
}

// measureJitter is RFC 3550 appendix A.8.
func (r *Receiver) measureJitter(ts uint64, arrival time.Time) {
	transit := arrival.Sub(r.epoch).Seconds()*float64(r.codec.ClockRate()) - float64(ts)
	if r.hasPrev {
		d := transit - r.transit
		if d < 0 {
			d = -d
		}
		r.jitter += (d - r.jitter) / 16
	}
	r.transit, r.hasPrev = transit, true
}

// Stats gives the counters of what arrived; those of what was sent are zero.
func (r *Receiver) Stats() media.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.stats
	s.Lost = int64(r.pastExpected) - int64(r.pastReceived)
	if r.began {
		s.Lost += int64(r.highest-r.base+1) - int64(r.received)
	}
	if rate := r.codec.ClockRate(); rate > 0 {
		s.Jitter = time.Duration(r.jitter / float64(rate) * float64(time.Second))
	}
	s.MOS = r.quality().MOSLQ
	return s
}

// Quality is how the party's voice came, from its first packet on.
func (r *Receiver) Quality() Quality {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.quality()
}

func (r *Receiver) quality() Quality {
	if !r.began {
		return Quality{}
	}
	p := r.pattern
	p.leave(r.seen, r.highest, r.base, 64)
	q := p.quality(r.codec, r.packet)
	q.EndDelay = r.packet
	return q
}

// heardOf says whose voice is heard, and how unevenly; not ok before the first packet.
func (r *Receiver) heardOf() (ssrc uint32, jitter time.Duration, ok bool) {
	jitter = r.Stats().Jitter
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ssrc, jitter, r.began
}

// SawSenderReport takes note of a sender report's NTP time, for the next reception report.
func (r *Receiver) SawSenderReport(sr *rtcp.SenderReport, arrival time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.began && sr.SSRC == r.ssrc {
		r.sr, r.srArrival = uint32(sr.NTPTime>>16), arrival
	}
}

// ReceptionReport is the block for RTCP (RFC 3550 section 6.4.1, appendix A.3); false
// before the first packet. The fraction lost covers the time since the last call.
func (r *Receiver) ReceptionReport(now time.Time) (rtcp.ReceptionReport, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.began {
		return rtcp.ReceptionReport{}, false
	}
	expected := r.highest - r.base + 1
	lost := min(max(int64(expected)-int64(r.received), 0), 0x7fffff)
	report := rtcp.ReceptionReport{
		SSRC: r.ssrc, TotalLost: uint32(lost), LastSequenceNumber: uint32(r.highest - 1<<16),
		Jitter: uint32(r.jitter), LastSenderReport: r.sr,
	}
	expectedNow, receivedNow := expected-r.priorExpected, r.received-r.priorReceived
	if expectedNow > receivedNow {
		report.FractionLost = uint8(min((expectedNow-receivedNow)<<8/expectedNow, 255))
	}
	r.priorExpected, r.priorReceived = expected, r.received
	if r.sr != 0 {
		report.Delay = uint32(now.Sub(r.srArrival).Seconds() * 65536)
	}
	return report, true
}
