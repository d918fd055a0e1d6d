//go:build linux

package stream

import (
	"github.com/pion/rtp"
)

// Packet is one that was captured.
type Packet struct {
	AtNS        int64 // when it arrived, Unix nanoseconds
	Seq         uint16
	Timestamp   uint32
	SSRC        uint32
	PayloadType uint8
	Payload     []byte
}

// Capture keeps what an end hears, to be looked at afterwards.
type Capture struct {
	Packets []Packet
	max     int
	octets  []byte
}

func (c *Capture) add(h *rtp.Header, payload []byte, at int64) {
	if len(c.Packets) == c.max || len(payload) == 0 {
		return
	}
	from := len(c.octets)
	c.octets = append(c.octets, payload...)
	c.Packets = append(c.Packets, Packet{AtNS: at, Seq: h.SequenceNumber, Timestamp: h.Timestamp, SSRC: h.SSRC, PayloadType: h.PayloadType,
		Payload: c.octets[from:len(c.octets):len(c.octets)]})
}

// Listen begins a capture of up to so many packets.
func (e *End) Listen(packets int) {
	c := &Capture{max: packets, Packets: make([]Packet, 0, packets), octets: make([]byte, 0, packets*170)}
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	e.ear.capture = c
}

// Captured ends the capture and gives it; nil if there was none.
func (e *End) Captured() *Capture {
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	c := e.ear.capture
	e.ear.capture = nil
	return c
}

// Said is one packet that an end sent.
type Said struct {
	AtNS  int64
	Index int32 // in the script
}

// Said gives the latest packets sent, the oldest first: up to 80 s of them.
func (e *End) Said() []Said {
	e.loop.mu.Lock()
	defer e.loop.mu.Unlock()
	if e.said == nil {
		return nil
	}
	out := make([]Said, 0, history)
	for seq := e.sent - min(e.sent, history); seq != e.sent; seq++ {
		out = append(out, e.said[seq%history])
	}
	return out
}
