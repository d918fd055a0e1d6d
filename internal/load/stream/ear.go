//go:build linux

package stream

import (
	"github.com/pion/rtp"

	"github.com/headroom-voice/headroom/internal/load/mark"
)

// Count is what an end has said and heard.
type Count struct {
	Sent     uint64 // packets
	Heard    uint64 // packets of audio
	Marked   uint64 // of these: as somebody's end sent them, to the bit
	Strange  uint64 // marked by somebody else than is expected
	Again    uint64 // marked, and heard before
	Disorder uint64 // marked, and behind a later one
	Missing  uint64 // gaps in the marks' sequence that were not filled since
	Broken   uint64 // not RTP, or not encrypted with the agreed key
	Octets   uint64 // of payload
}

// window is how far back the marks of a stream are known.
const window = 1024

type ear struct {
	heard, marked, strange, again, disorder, broken, reports, octets uint64

	expect  int // whose marks; -1: anybody's
	started bool
	first   uint32 // of the marks
	next    uint32
	fresh   uint64 // how many different ones
	seen    [window / 64]uint64

	delays  *Delays // nil: nobody asks
	capture *Capture
}

func (r *ear) take(h *rtp.Header, payload []byte, at int64) {
	r.heard++
	r.octets += uint64(len(payload))
	if r.capture != nil {
		r.capture.add(h, payload, at)
	}
	if h.PayloadType != 0 && h.PayloadType != 8 {
		return
	}
	m, ok := mark.Read(payload)
	if !ok {
		return
	}
	if r.expect >= 0 && int(m.Stream) != r.expect {
		r.strange++
		return
	}
	r.marked++
	r.order(m.Seq)
	if r.delays != nil {
		r.delays.Add(at - m.SentNS)
	}
}

func (r *ear) order(seq uint32) {
	if !r.started {
		r.started, r.first, r.next = true, seq, seq
	}
	switch ahead := int32(seq - r.next); {
	case ahead >= 0:
		for i := int32(0); i < min(ahead, window); i++ {
			r.clear(r.next + uint32(i))
		}
		r.next = seq + 1
	case ahead < -window || seq-r.first > 1<<31:
		r.disorder++
		return
	case r.has(seq):
		r.again++
		return
	default:
		r.disorder++
	}
	r.fresh++
	r.seen[seq%window/64] |= 1 << (seq % 64)
}

func (r *ear) clear(seq uint32)    { r.seen[seq%window/64] &^= 1 << (seq % 64) }
func (r *ear) has(seq uint32) bool { return r.seen[seq%window/64]>>(seq%64)&1 == 1 }

func (r *ear) missing() uint64 {
	if span := uint64(r.next - r.first); span > r.fresh {
		return span - r.fresh
	}
	return 0
}

// restart forgets whom it heard, but not the sums.
func (r *ear) restart(expect int) {
	r.expect, r.started, r.first, r.next, r.fresh = expect, false, 0, 0, 0
	r.seen = [window / 64]uint64{}
}

// Count gives the sums so far.
func (e *End) Count() Count {
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	r := &e.ear
	return Count{Sent: uint64(e.sent), Heard: r.heard, Marked: r.marked, Strange: r.strange, Again: r.again,
		Disorder: r.disorder, Missing: r.missing(), Broken: r.broken, Octets: r.octets}
}

// Expect says whose marks are to be heard from now on, and counts what is missing anew; -1 is anybody's.
func (e *End) Expect(stream int) {
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	e.ear.restart(stream)
}

// Measure adds the delay of every marked packet to d from now on; nil stops that.
func (e *End) Measure(d *Delays) {
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	e.ear.delays = d
}
