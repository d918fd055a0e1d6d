package mediatest

import (
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// Leg is a media.Leg without a network. What it is sent it keeps; Say speaks for the
// party.
type Leg struct {
	mu     sync.Mutex
	codecs []media.Codec
	ptime  time.Duration
	sink   media.Sink
	sent   []media.Packet
	stats  media.Stats
	forget bool
}

var _ media.Leg = (*Leg)(nil)

// NewLeg makes a leg that accepts codecs, the first preferred, in packets of ptime.
func NewLeg(ptime time.Duration, codecs ...media.Codec) *Leg {
	return &Leg{codecs: codecs, ptime: ptime}
}

// Say hands a packet from the party to the leg's sink, on the caller's goroutine.
func (l *Leg) Say(p *media.Packet) {
	l.mu.Lock()
	sink := l.sink
	l.stats.PacketsIn++
	l.stats.LastIn = time.Now()
	l.mu.Unlock()
	if sink != nil {
		sink.Packet(p)
	}
}

// Heard gives copies of every packet sent to the party so far.
func (l *Leg) Heard() []media.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]media.Packet(nil), l.sent...)
}

// Forget makes the leg count what it is sent without keeping it, for benchmarks and
// tests that count allocations.
func (l *Leg) Forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forget, l.sent = true, nil
}

// Accepts is part of media.Leg.
func (l *Leg) Accepts(c media.Codec) bool {
	for _, have := range l.codecs {
		if c == have {
			return true
		}
	}
	return false
}

// Preferred is part of media.Leg.
func (l *Leg) Preferred() media.Codec {
	if len(l.codecs) == 0 {
		return media.NoCodec
	}
	return l.codecs[0]
}

// PacketTime is part of media.Leg.
func (l *Leg) PacketTime() time.Duration { return l.ptime }

// Send is part of media.Leg.
func (l *Leg) Send(p *media.Packet) {
	accepted := l.Accepts(p.Codec)
	l.mu.Lock()
	defer l.mu.Unlock()
	if !accepted {
		l.stats.Refused++
		return
	}
	l.stats.PacketsOut++
	l.stats.BytesOut += uint64(len(p.Payload))
	if l.forget {
		return
	}
	kept := *p
	kept.Payload = append([]byte(nil), p.Payload...)
	l.sent = append(l.sent, kept)
}

// SetSink is part of media.Leg.
func (l *Leg) SetSink(s media.Sink) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sink = s
}

// Stats is part of media.Leg.
func (l *Leg) Stats() media.Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}
