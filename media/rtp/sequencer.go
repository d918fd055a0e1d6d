package rtp

import "github.com/headroom-voice/headroom/media"

// Item is one piece of a stream in order: a packet, or a stretch without one. Exactly
// one of Packet, Lost and Silence is set.
type Item struct {
	Packet  *media.Packet // valid until the next Push
	Lost    int           // ticks of the RTP clock the network lost
	Silence int           // ticks in which nothing was sent (DTX, RFC 3551 section 4.1)
	Next    *media.Packet // with Lost: the packet after it, for codec.Recoverer; valid until the next Push
	Codec   media.Codec
	Source  uint32
}

// Sequencer puts packets back in order as they arrive, without a clock.
type Sequencer struct {
}

// NewSequencer makes an empty Sequencer with all the memory it will ever use.
func NewSequencer() *Sequencer { return &Sequencer{} }

// Push takes a packet and copies it. Pop until it reports false before the next Push.
func (s *Sequencer) Push(p *media.Packet) {}

// Pop gives the next piece, if one is due.
func (s *Sequencer) Pop() (Item, bool) { return Item{}, false }

// Late counts packets that came after their place was given up; Lost those never seen.
func (s *Sequencer) Late() uint64 { return 0 }
