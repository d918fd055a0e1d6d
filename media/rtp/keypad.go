package rtp

import (
	"math/rand/v2"
	"time"

	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
)

// Clocks of telephone-events: beside G.711 and G.722, and beside Opus (RFC 4733 section 2.1).
const (
	narrowClock = 8000
	wideClock   = 48000
)

// EventPayload is one telephone-event as it goes out (RFC 4733 section 2.3), its duration in
// units of clock Hz.
func EventPayload(e media.Event, clock int) [4]byte {
	flags := min(e.Volume, 63)
	if e.End {
		flags |= 0x80
	}
	// No event lasts nothing: that is kept for states (section 2.3.5).
	units := uint16(min(max(int64(e.Elapsed)*int64(clock)/int64(time.Second), 1), 0xffff))
	return [4]byte{e.Code, flags, byte(units >> 8), byte(units)}
}

// Event numbers one packet of a key press that is sent now (RFC 4733): in sequence with the
// audio, all packets of a press at the time at which it began, in a clock of 8000 or 48000 Hz.
// The audio that follows it goes on without a gap in the sequence and with its own time.
func (s *Sender) Event(begin bool, clock, octets int) (seq uint16, ts uint32) {
	return s.EventAt(begin, clock, octets, time.Now())
}

// EventAt is Event at a given time.
func (s *Sender) EventAt(begin bool, clock, octets int, now time.Time) (seq uint16, ts uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if begin || !s.began || s.codec.ClockRate() != clock {
		if s.began {
			last := s.lastTicks * uint64(clock) / uint64(max(s.codec.ClockRate(), 1))
			s.lastTS += max(uint64(max(now.Sub(s.lastAt), 0))*uint64(clock)/uint64(time.Second), last)
		} else {
			s.began, s.source, s.resumed = true, rand.Uint32(), true
		}
		s.lastAt, s.lastTicks = now, 0
		if s.codec.ClockRate() != clock {
			s.codec = media.PCMU // stands for its clock: audio in another one starts anew
			if clock == wideClock {
				s.codec = media.Opus
			}
		}
	}
	s.highest++
	s.sent = s.sent<<1 | 1
	s.keyed = true
	s.packets++
	s.octets += uint64(octets)
	return uint16(s.highest), uint32(s.lastTS)
}

// afterKeys numbers on audio of a source that key presses have interrupted. s.mu is held.
func (s *Sender) afterKeys(p *media.Packet, now time.Time) {
	s.keyed = false
	s.seqOffset = s.highest + 1 - p.Seq
	s.floor = s.highest + 1
	if int64(p.Timestamp+s.tsOffset-s.lastTS) <= 0 {
		s.splice(p, now)
	}
}

// Clock is the RTP clock of what was sent last; 0 before anything was.
func (s *Sender) Clock() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.codec.ClockRate()
}

// Reservation says who alone may be heard by a party for a while. The zero Reservation keeps
// nobody out. The leg's own lock guards it.
type Reservation struct {
	source uint32
	until  time.Time
}

// Set begins, prolongs or ends it.
func (r *Reservation) Set(source uint32, until time.Time) { r.source, r.until = source, until }

// Bars reports whether a packet must not be sent now.
func (r *Reservation) Bars(p *media.Packet) bool {
	if r.until.IsZero() || p.Source == r.source {
		return false
	}
	if time.Now().Before(r.until) {
		return true
	}
	r.until = time.Time{}
	return false
}

var _ media.Keypad = (*Session)(nil)

// eventType is the payload type for a telephone-event beside audio in this clock, and the
// clock that goes with it; -1 if none was agreed on.
func (a *agreed) eventType(clock int) (payloadType, eventClock int) {
	if clock == wideClock && a.dtmf48 >= 0 || a.dtmf < 0 {
		return a.dtmf48, wideClock
	}
	return a.dtmf, narrowClock
}

// isEvent tells the telephone-events, of either clock, among payload types.
func (a *agreed) isEvent(payloadType int) (clock int, is bool) {
	switch payloadType {
	case a.dtmf:
		return narrowClock, true
	case a.dtmf48:
		return wideClock, true
	}
	return 0, false
}

// TakesEvents is part of media.Keypad.
func (s *Session) TakesEvents() bool {
	a := s.agreed.Load()
	return a.dtmf >= 0 || a.dtmf48 >= 0
}

// Reserve is part of media.Keypad.
func (s *Session) Reserve(source uint32, until time.Time) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	s.reserved.Set(source, until)
}

// SendEvent is part of media.Keypad.
func (s *Session) SendEvent(e media.Event) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	a := s.agreed.Load()
	clock := s.sender.Clock()
	if clock == 0 && len(a.params.Codecs) > 0 {
		clock = a.params.Codecs[0].ClockRate()
	}
	pt, clock := a.eventType(clock)
	if pt < 0 || !s.ready(a) {
		return
	}
	payload := EventPayload(e, clock)
	seq, ts := s.sender.Event(e.Begin, clock, len(payload))
	s.transmit(a, &pionrtp.Header{
		Version: 2, Marker: e.Begin, PayloadType: uint8(pt), SequenceNumber: seq, Timestamp: ts, SSRC: s.sender.SSRC(),
	}, payload[:])
}
