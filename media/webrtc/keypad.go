package webrtc

import (
	"strings"
	"sync/atomic"
	"time"

	rtpwire "github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

const mimeTypeEvent = "audio/telephone-event"

// maxKeys is how many keys of a far side wait for whoever takes them.
const maxKeys = 32

var _ media.Keypad = (*Peer)(nil)

// keypad is the keys of a connection, both ways: telephone-events (RFC 4733), in the clock of
// G.711 and in that of Opus.
type keypad struct {
	narrow, wide atomic.Uint32 // 1 + payload type at 8 and 48 kHz, 0 = not negotiated

	heard rtp.Keys // the reader's
	keys  chan rune
}

// offer takes note of a codec that was negotiated, if it is one of events.
func (k *keypad) offer(c pion.RTPCodecParameters) {
	if !strings.EqualFold(c.MimeType, mimeTypeEvent) || c.PayloadType > 127 {
		return
	}
	switch c.ClockRate {
	case 8000:
		k.narrow.Store(1 + uint32(c.PayloadType))
	case 48000:
		k.wide.Store(1 + uint32(c.PayloadType))
	}
}

// beside is the payload type, and the clock, of an event beside audio in this clock.
func (k *keypad) beside(clock int) (payloadType uint8, eventClock int, ok bool) {
	narrow, wide := k.narrow.Load(), k.wide.Load()
	switch {
	case wide != 0 && (clock == 48000 || narrow == 0):
		return uint8(wide - 1), 48000, true
	case narrow != 0:
		return uint8(narrow - 1), 8000, true
	}
	return 0, 0, false
}

// hear takes a packet without audio, on the connection's reader.
func (k *keypad) hear(h *rtpwire.Header, payload []byte, source uint32) {
	clock := 8000
	switch pt := 1 + uint32(h.PayloadType); pt {
	case k.narrow.Load():
	case k.wide.Load():
		clock = 48000
	default:
		return
	}
	key, ok := k.heard.Packet(payload, source, h.Timestamp, h.Marker, clock)
	if !ok {
		return
	}
	select {
	case k.keys <- key:
	default: // nobody takes them
	}
}

// Digits yields the keys that the far side presses, each once. Keys nobody takes are lost beyond
// 32. It is never closed; Done tells the end.
func (p *Peer) Digits() <-chan rune { return p.keypad.keys }

// TakesEvents is part of media.Keypad.
func (p *Peer) TakesEvents() bool {
	_, _, ok := p.keypad.beside(0)
	return ok
}

// Reserve is part of media.Keypad.
func (p *Peer) Reserve(source uint32, until time.Time) {
	p.out.mu.Lock()
	defer p.out.mu.Unlock()
	p.out.reserved.Set(source, until)
}

// SendEvent is part of media.Keypad.
func (p *Peer) SendEvent(e media.Event) {
	preferred := p.Preferred().ClockRate()
	v := &p.out
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.isOpen || v.stream == nil {
		return
	}
	clock := v.sender.Clock()
	if clock == 0 {
		clock = preferred
	}
	payloadType, clock, ok := p.keypad.beside(clock)
	if !ok {
		return
	}
	payload := rtp.EventPayload(e, clock)
	seq, timestamp := v.sender.Event(e.Begin, clock, len(payload))
	v.header = rtpwire.Header{
		Version: 2, Marker: e.Begin, PayloadType: payloadType, SequenceNumber: seq, Timestamp: timestamp, SSRC: v.sender.SSRC(),
	}
	_, _ = v.stream.WriteRTP(&v.header, payload[:]) // as with voice, an error means that the connection is going
}
