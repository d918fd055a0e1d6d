package bridge

import (
	"errors"
	"fmt"
	"sync"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// MaxParties is how many legs can be in one conference.
const MaxParties = 8

// Sizes of a conference, in its Clock's ticks of 20 ms.
const (
	ticksASecond = 50
	warmTicks    = 5 // before the first mix is sent: the jitter buffers fill
	closeTicks   = 3 // in which the gates listen to the mix before the direct way takes over
	openTicks    = 5 // after which it must have
)

// ErrFull is returned when a conference has MaxParties legs.
var ErrFull = errors.New("bridge: conference is full")

// Clock calls every tick each 20 ms, one after another (media/prompt.Pacer). It is one for all
// conferences, since a timer costs more than a mix.
type Clock interface {
	Every(tick func()) (stop func())
}

// phase is how far a conference has come.
type phase uint8

const (
	warming phase = iota // the two legs hear each other directly, and the jitter buffers fill
	mixed                // everybody hears the mix
	closing              // two are left: the mix goes on for a moment
	opening              // they hear each other directly again
	closed               // nothing happens any more
)

// conference is a bridge's legs and their guests, mixed: each hears all others that are meant for
// it and not itself. Its lock is taken by the clock and by commands, never where packets come in.
type conference struct {
	bridge *Bridge
	clock  Clock

	mu    sync.Mutex
	phase phase
	ticks int // in this phase
	stop  func()
	rate  int               // of the mix, Hz
	rise  int               // ticks until a higher rate is taken; 0 for none
	seats [MaxParties]*seat // nil where free
	a, b  *seat             // of the bridge's own legs
	hum   roomNoise         // where nobody says anything
	gates [2]*gate          // before a and b
	order [MaxParties]*seat // scratch: who was given something to hear in this tick
}

// newConference seats a bridge's legs. It does not tick yet.
func newConference(b *Bridge, clock Clock, rate int) (*conference, error) {
	c := &conference{bridge: b, clock: clock, rate: rate, hum: newRoomNoise()}
	var err error
	if c.a, err = c.sit(b.a, false, RoleBarge); err != nil {
		return nil, err
	}
	if c.b, err = c.sit(b.b, false, RoleBarge); err != nil {
		return nil, err
	}
	return c, nil
}

// begin fills the jitter buffers beside the direct way.
func (c *conference) begin() {
	c.phase, c.ticks = warming, 0
	legs, flows := [2]media.Leg{c.a.leg, c.b.leg}, [2]*flow{c.bridge.fromB, c.bridge.fromA}
	for i, leg := range legs {
		c.gates[i] = newGate(leg, gatePasses)
		c.gates[i].listen(true)
		flows[i].redirect(c.gates[i], false)
	}
	c.a.leg.SetSink(fork{c.bridge.fromA, c.a})
	c.b.leg.SetSink(fork{c.bridge.fromB, c.b})
	c.stop = c.clock.Every(c.tick)
}

// fork hands what a party says to the bridge's own way, where it is measured, and to the mix.
type fork struct {
	direct *flow
	seat   *seat
}

// Packet is part of media.Sink.
func (k fork) Packet(p *media.Packet) {
	k.direct.Packet(p)
	k.seat.Packet(p)
}

// sit gives a leg the first free seat.
func (c *conference) sit(leg media.Leg, guest bool, role Role) (*seat, error) {
	for _, s := range c.seats {
		if s != nil && !s.gone && s.leg == leg {
			return nil, errors.New("bridge: the leg is in the conference already")
		}
	}
	for i, s := range c.seats {
		if s != nil {
			continue
		}
		s, err := newSeat(leg, guest, role, c.rate)
		if err != nil {
			return nil, fmt.Errorf("bridge: %w", err)
		}
		c.seats[i] = s
		return s, nil
	}
	return nil, ErrFull
}

// hears says whether listener is meant to hear speaker.
func (c *conference) hears(listener, speaker *seat) bool {
	switch {
	case listener == speaker, speaker.gone, listener.away, speaker.away, speaker.role == RoleListen:
		return false
	case speaker.role == RoleWhisper:
		return listener == c.b
	}
	return true
}

// tick mixes 20 ms.
func (c *conference) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return
	}
	c.ticks++
	n := c.rate / ticksASecond
	for _, s := range c.seats {
		if s != nil {
			s.speak(n)
		}
	}
	c.hum.render(n)
	heard := c.order[:0]
	for _, s := range c.seats {
		if s != nil && !s.gone {
			c.mix(s, n)
			heard = append(heard, s)
			for s.ear.due() {
				c.give(s, heard)
			}
		}
	}
	for i, s := range c.seats {
		if s != nil && s.gone {
			c.seats[i] = nil
		}
	}
	c.proceed()
}

// mix sums up what a party hears, and limits it.
func (c *conference) mix(listener *seat, n int) {
	sum := listener.sum[:n]
	clear(sum)
	idle := true
	for i, speaker := range c.seats {
		var target float32
		if speaker != nil && c.hears(listener, speaker) {
			target = 1
			idle = idle && speaker.silent
		}
		was := listener.gain[i]
		listener.gain[i] = target
		if speaker != nil {
			add(sum, speaker.pcm[:n], was, target, c.rate)
		}
	}
	was, now := listener.hum, float32(0)
	if idle && !listener.away {
		now = 1
	}
	listener.hum = now
	add(sum, c.hum.pcm[:n], was, now, c.rate)
	if c.rise == 1 {
		fadeOut(sum, c.rate)
	}
	listener.limiter.process(sum)
	listener.ear.take(sum, c.rate)
}

// give sends the next packet to a party. Who hears the same in the same codec is sent the same:
// it is encoded once.
func (c *conference) give(s *seat, before []*seat) {
	sends := !s.away && (c.phase == mixed || c.phase == closing || c.phase == warming && s != c.a && s != c.b)
	if !sends {
		s.ear.skip()
		return
	}
	var twin *earpiece
	for _, other := range before {
		if other != s && other.ear.same(s.ear) {
			twin = other.ear
			break
		}
	}
	p := s.ear.encode(twin)
	if p == nil {
		return
	}
	if c.phase == closing && s == c.a {
		c.gates[0].heard(p)
	} else if c.phase == closing && s == c.b {
		c.gates[1].heard(p)
	}
	s.leg.Send(p)
}

// proceed goes on to the next phase when it is time.
func (c *conference) proceed() {
	if c.rise > 0 {
		if c.rise--; c.rise == 0 {
			c.changeRate()
		}
	}
	switch {
	case c.phase == warming && c.ticks >= warmTicks:
		c.enter(mixed)
		c.a.ear.begin(c.gates[0].shut())
		c.b.ear.begin(c.gates[1].shut())
	case c.phase == mixed && c.parties() == 2 && c.rise == 0:
		c.enter(closing)
		c.gates[0].listen(true)
		c.gates[1].listen(true)
	case c.phase == closing && c.ticks >= closeTicks:
		c.enter(opening)
		for i, f := range []*flow{c.bridge.fromB, c.bridge.fromA} {
			f.redirect(c.gates[i], true)
			c.gates[i].open()
		}
	case c.phase == opening && c.ticks >= openTicks:
		c.close()
	}
}

func (c *conference) enter(p phase) { c.phase, c.ticks = p, 0 }

// parties counts who is in the conference.
func (c *conference) parties() int {
	n := 0
	for _, s := range c.seats {
		if s != nil && !s.gone {
			n++
		}
	}
	return n
}

// close leaves the bridge's legs to the direct way.
func (c *conference) close() {
	if c.phase == closed {
		return
	}
	c.enter(closed)
	c.stop()
	c.bridge.fromA.redirect(c.b.leg, false)
	c.bridge.fromB.redirect(c.a.leg, false)
	c.a.leg.SetSink(c.bridge.fromA)
	c.b.leg.SetSink(c.bridge.fromB)
}

// end is close for a bridge that ends: everybody's sound fades out.
func (c *conference) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return
	}
	before := c.phase
	c.enter(closed)
	c.stop()
	for _, s := range c.seats {
		if s == nil || s.gone {
			continue
		}
		own := s == c.a || s == c.b
		if !own || before == mixed || before == closing {
			s.fadeAway(c.rate)
		}
		if !own {
			s.leg.SetSink(nil)
		}
	}
}

// wanted is the rate that suits those who are here: 16 kHz where at least two send and take
// wide-band, and somebody would be sent it, else 8.
func wantedRate(legs []media.Leg, guests int) int {
	talkers, sent := 0, false
	for i, leg := range legs {
		if leg.Accepts(media.Opus) || leg.Accepts(media.G722) {
			talkers++
		}
		sent = sent || codec.EncodeRate(earCodec(leg, i >= len(legs)-guests)) == wideband
	}
	if talkers >= 2 && sent {
		return wideband
	}
	return narrowband
}

// changeRate takes up the wider rate that the jitter buffers have been filling for.
func (c *conference) changeRate() {
	c.rate = wideband
	for _, s := range c.seats {
		if s != nil {
			s.widen()
		}
	}
}
