package rtp

import (
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// Bounds of a Sequencer and a JitterBuffer.
const (
	maxPayload = 1500 // bytes; longer payloads are dropped
	maxHold    = 3    // packets held back while a gap is open
	holdTime   = 60   // milliseconds of audio held back at most
	calmDown   = 500  // packets in order after which one packet less is held back
)

// Item is one piece of a stream in order: a packet, or a stretch without one. Exactly
// one of Packet, Lost and Silence is set.
type Item struct {
	Packet  *media.Packet // valid until the next Push
	Lost    int           // ticks of the RTP clock that the network lost
	Silence int           // ticks in which nothing was sent (DTX, RFC 3551 section 4.1)
	Next    *media.Packet // with Lost: the packet after it, for a codec.Recoverer; valid until the next Push
	Codec   media.Codec
	Source  uint32
}

// Sequencer puts packets back in order as they arrive and finds what is missing,
// without a clock: what is held back is released by the packets that follow. While a
// gap is open it holds back one packet, and up to three (or 60 ms) on a network that
// has been seen to reorder that far. It is not safe for concurrent use.
type Sequencer struct {
	slots   [maxHold + 3]heldPacket
	queue   [maxHold + 2]*heldPacket // by sequence number
	queued  int
	waiting *heldPacket // first packet of a new source, until the old one is drained

	began     bool
	source    uint32
	codec     media.Codec
	next      uint64 // sequence number due
	nextTS    uint64 // timestamp due
	lastTicks int    // duration of the last packet
	hold      int    // packets to hold back while a gap is open
	calm      int    // packets in order since the last late one
	late      uint64
	lost      uint64
}

type heldPacket struct {
	p     media.Packet
	ticks int
	used  bool // in queue or waiting
	buf   []byte
}

// NewSequencer makes an empty Sequencer. It takes memory as payloads need it, and keeps it.
func NewSequencer() *Sequencer { return &Sequencer{hold: 1} }

// Push takes a packet and copies it. Pop until it reports false before the next Push.
func (s *Sequencer) Push(p *media.Packet) {
	if len(p.Payload) > maxPayload || s.queued == len(s.queue) {
		return
	}
	if s.began && p.Source != s.source {
		if s.waiting == nil {
			s.waiting = s.take(p)
		}
		return
	}
	if !s.began {
		s.start(p)
	}
	if p.Seq < s.next {
		s.tooLate(p.Seq)
		return
	}
	at := s.queued
	for at > 0 && s.queue[at-1].p.Seq >= p.Seq {
		if at--; s.queue[at].p.Seq == p.Seq {
			return // twice
		}
	}
	copy(s.queue[at+1:s.queued+1], s.queue[at:s.queued])
	s.queue[at] = s.take(p)
	s.queued++
}

// Pop gives the next piece, if one is due.
func (s *Sequencer) Pop() (Item, bool) {
	for {
		if s.queued == 0 {
			if s.waiting == nil {
				return Item{}, false
			}
			s.start(&s.waiting.p)
			s.queue[0], s.queued, s.waiting = s.waiting, 1, nil
		}
		head := s.queue[0]
		if head.p.Seq != s.next {
			if !s.gapIsLoss() {
				return Item{}, false
			}
			if item, ok := s.lose(head); ok {
				return item, true
			}
			continue
		}
		if gap := int64(head.p.Timestamp - s.nextTS); gap > 0 {
			s.nextTS = head.p.Timestamp
			return Item{Silence: int(gap), Codec: s.codec, Source: s.source}, true
		}
		return s.deliver(head), true
	}
}

// Late counts packets that came after their place was given up.
func (s *Sequencer) Late() uint64 { return s.late }

// Lost counts packets whose place was given up.
func (s *Sequencer) Lost() uint64 { return s.lost }

func (s *Sequencer) start(p *media.Packet) {
	s.began, s.source, s.codec = true, p.Source, p.Codec
	s.next, s.nextTS = p.Seq, p.Timestamp
	s.lastTicks = p.Codec.ClockRate() / 50
}

// take copies p into a free slot. There is always one: the queue and waiting together
// are fewer than the slots.
func (s *Sequencer) take(p *media.Packet) *heldPacket {
	for i := range s.slots {
		if h := &s.slots[i]; !h.used {
			h.used, h.p, h.ticks = true, *p, codec.Samples(p.Codec, p.Payload)
			h.buf = append(grown(h.buf, len(p.Payload))[:0], p.Payload...)
			h.p.Payload = h.buf
			return h
		}
	}
	return nil
}

// tooLate learns how far this network reorders.
func (s *Sequencer) tooLate(seq uint64) {
	s.late++
	s.calm = 0
	if behind := s.next - seq; behind <= maxHold {
		s.hold = min(max(s.hold, int(behind)+1), maxHold)
	}
}

// gapIsLoss decides that what is missing before the queue will not come.
func (s *Sequencer) gapIsLoss() bool {
	if s.waiting != nil || s.queued > s.hold {
		return true
	}
	held := 0
	for _, h := range s.queue[:s.queued] {
		held += h.ticks
	}
	return held > s.codec.ClockRate()*holdTime/1000
}

// lose gives up everything before head. Timestamps say how much it was, but never more
// than the packets missing can have held; the rest was silence.
func (s *Sequencer) lose(head *heldPacket) (Item, bool) {
	missing := head.p.Seq - s.next
	s.lost += missing
	s.next = head.p.Seq
	span := int64(head.p.Timestamp - s.nextTS)
	if span <= 0 {
		return Item{}, false
	}
	if missing < 1<<16 {
		span = min(span, int64(missing)*int64(s.lastTicks))
	}
	s.nextTS += uint64(span)
	return Item{Lost: int(span), Next: &head.p, Codec: s.codec, Source: s.source}, true
}

func (s *Sequencer) deliver(head *heldPacket) Item {
	copy(s.queue[:], s.queue[1:s.queued])
	s.queued--
	head.used = false // its memory stays as it is until the next Push
	s.next++
	s.codec = head.p.Codec
	if s.calm++; s.calm >= calmDown && s.hold > 1 {
		s.hold, s.calm = s.hold-1, 0
	}
	if head.ticks == 0 { // malformed: as good as lost
		s.nextTS = head.p.Timestamp + uint64(s.lastTicks)
		return Item{Lost: s.lastTicks, Codec: s.codec, Source: s.source}
	}
	s.lastTicks = head.ticks
	s.nextTS = head.p.Timestamp + uint64(head.ticks)
	return Item{Packet: &head.p, Codec: s.codec, Source: s.source}
}
