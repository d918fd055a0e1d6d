package rtp

// digitNames are the events 0-15 of RFC 4733 section 3.2.
const digitNames = "0123456789*#ABCD"

// digits finds key presses among telephone-events (RFC 4733), each once, however many
// of its packets arrive and whatever their markers say. A press is known by its
// timestamp: it is reported with the first packet that comes of it, so a lost start or
// end does no harm.
type digits struct {
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
	if len(payload) < 4 || int(payload[0]) >= len(digitNames) {
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
	*d = digits{began: true, event: event, ended: end, start: ts, segment: ts, duration: duration}
	return rune(digitNames[event]), true
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
	// A long press goes on in a new segment when the duration field is full (section 2.5.1.3).
	if d.duration >= 0xff00 && step == 0xffff {
		return true
	}
	// Some gateways count the timestamp up together with the duration.
	return duration > d.duration && step == uint32(duration-d.duration)
}
