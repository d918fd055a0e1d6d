package rtp

import "github.com/headroom-voice/headroom/media"

// Keys finds key presses among telephone-events (RFC 4733), each once, however many of its
// packets arrive and whatever their markers say. A press is known by its timestamp: it is
// reported with the first packet that comes of it, so a lost start or end does no harm. The
// zero Keys is ready; it belongs to the goroutine that reads the packets.
type Keys struct {
	source uint32
	digits digits
}

// Packet takes one telephone-event payload (section 2.3), the Source, RTP timestamp and marker
// of its packet, and the clock of its payload type in Hz. It reports the key if a press starts
// here. A new source knows nothing of the presses of the one before it.
func (k *Keys) Packet(payload []byte, source, ts uint32, marker bool, clock int) (key rune, ok bool) {
	if k.source != source {
		k.source, k.digits = source, digits{}
	}
	k.digits.clock = uint32(clock)
	return k.digits.packet(payload, ts, marker)
}

// digits is Keys for one source.
type digits struct {
	clock    uint32 // Hz; 0 is 8000
	began    bool
	event    byte
	ended    bool
	start    uint32 // timestamp of the press
	segment  uint32 // timestamp of its latest segment (section 2.5.1.3)
	duration uint16 // reported last
}

// packet takes one telephone-event payload (section 2.3) and its RTP timestamp and
// reports the digit if a press starts here.
func (d *digits) packet(payload []byte, ts uint32, marker bool) (digit rune, ok bool) {
	if len(payload) < 4 || payload[0] > 15 {
		return 0, false
	}
	event, end := payload[0], payload[1]&0x80 != 0
	duration := uint16(payload[2])<<8 | uint16(payload[3])
	if d.began && d.same(event, ts, duration, marker) {
		d.ended = d.ended || end
		if int32(ts-d.segment) >= 0 {
			d.segment, d.duration = ts, duration
		}
		return 0, false
	}
	if d.began && int32(ts-d.start) < 0 && int32(d.start-ts) < 1<<17 {
		return 0, false // a packet of an earlier press, overtaken
	}
	*d = digits{clock: d.clock, began: true, event: event, ended: end, start: ts, segment: ts, duration: duration}
	return media.KeyName(event)
}

// same reports whether a packet belongs to the press reported last.
func (d *digits) same(event byte, ts uint32, duration uint16, marker bool) bool {
	if ts == d.segment || ts == d.start {
		return true // even if the event differs: a damaged packet is no second key
	}
	if event != d.event || d.ended || marker {
		return false
	}
	step := ts - d.segment
	// A long press goes on in a new segment when the duration field is full (section 2.5.1.3), at
	// 48 kHz after 1.4 s. Browsers begin it with their next packet, up to 60 ms after its time, and
	// the last packet of the segment before it may be lost.
	slack := max(d.clock, narrowClock) / 1000 * 60
	if uint32(d.duration)+2*slack >= 0xffff && step >= 0xffff && step <= 0xffff+slack {
		return true
	}
	// Some gateways count the timestamp up together with the duration, and some one of the two
	// in the clock of the other codec.
	count := uint32(duration - d.duration)
	return duration > d.duration && (step == count || step == 6*count || 6*step == count)
}
