package bridge

import (
	"errors"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// errClosed is what is answered for a bridge that has ended.
var errClosed = errors.New("bridge: closed")

// lastWord is how long after Hold the packet may come that fades out.
const lastWord = 60 * time.Millisecond

// Guest is a leg beside the two of a bridge: a supervisor, or somebody who was asked to join.
type Guest struct {
	conf *conference
	seat *seat
}

// Add takes over leg's sink and lets it in, in a role; the bridge goes over from the direct way to
// a mix, which goes on from what each of the two heard. The error is ErrFull, or for a leg that is
// there already.
func (b *Bridge) Add(clock Clock, leg media.Leg, role Role) (*Guest, error) {
	if leg == nil || leg == b.a || leg == b.b {
		return nil, errors.New("bridge: add: another leg is needed")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case <-b.done:
		return nil, errClosed
	default:
	}
	if c := b.conf; c != nil {
		if g, err := c.add(leg, role); g != nil || err != nil {
			return g, err
		}
	}
	c, err := newConference(b, clock, wantedRate([]media.Leg{b.a, b.b, leg}, 1))
	if err != nil {
		return nil, err
	}
	if c.a.away = b.held; b.held { // also where the last word has not been said
		b.fromA.hold(true)
		b.fromB.hold(true)
	}
	s, err := c.sit(leg, true, role)
	if err != nil {
		return nil, err
	}
	b.conf = c
	leg.SetSink(s)
	c.begin()
	return &Guest{conf: c, seat: s}, nil
}

// add lets another guest in; nil when the conference is closed.
func (c *conference) add(leg media.Leg, role Role) (*Guest, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return nil, nil
	}
	s, err := c.sit(leg, true, role)
	if err != nil {
		return nil, err
	}
	leg.SetSink(s)
	switch c.phase {
	case closing:
		c.enter(mixed)
		c.gates[0].listen(false)
		c.gates[1].listen(false)
	case opening:
		c.enter(warming)
		c.gates[0].listen(true)
		c.gates[1].listen(true)
	}
	return &Guest{conf: c, seat: s}, c.widen()
}

// widen begins to go over to a wider rate, if that suits who is here now.
func (c *conference) widen() error {
	var legs []media.Leg
	guests := 0
	for _, s := range []*seat{c.a, c.b} {
		legs = append(legs, s.leg)
	}
	for _, s := range c.seats {
		if s != nil && !s.gone && s != c.a && s != c.b {
			legs = append(legs, s.leg)
			guests++
		}
	}
	if wantedRate(legs, guests) <= c.rate {
		return nil
	}
	for _, s := range c.seats {
		if s == nil || s.wider.Load() != nil {
			continue
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
	if c.rise == 0 {
		c.rise = warmTicks + 1
	}
	return nil
}

// SetRole changes who hears the guest, over 10 ms.
func (g *Guest) SetRole(role Role) {
	g.conf.mu.Lock()
	defer g.conf.mu.Unlock()
	g.seat.role = role
}

// Leave lets the guest go. When it returns the leg is sent nothing more by the conference and has
// no sink. When two are left they soon hear each other directly again.
func (g *Guest) Leave() {
	g.conf.mu.Lock()
	defer g.conf.mu.Unlock()
	g.conf.let(g.seat)
}

// let lets a party go, whom the others hear fade.
func (c *conference) let(s *seat) {
	if s.gone || c.phase == closed {
		return
	}
	s.fadeAway(c.rate)
	s.leg.SetSink(nil)
	s.gone = true
}

// TakeOver puts the guest in the place of the bridge's second leg, which is let go, and gives the
// bridge of the first leg and the guest, with other taps. The old bridge is closed: its taps are
// offered nothing more. Neither of the two who go on hears a gap.
func (g *Guest) TakeOver(opt Options) (*Bridge, error) {
	c := g.conf
	old := c.bridge
	old.mu.Lock()
	defer old.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed || g.seat.gone {
		return nil, errClosed
	}
	b := newBridge(old.a, g.seat.leg, opt)
	out := c.b
	before := c.phase
	if before == mixed || before == closing {
		out.fadeAway(c.rate)
	}
	out.leg.SetSink(nil)
	out.gone = true
	g.seat.role = RoleBarge
	c.bridge, c.b = b, g.seat
	b.conf, old.conf = c, nil
	b.held = old.held
	if b.held {
		b.fromA.hold(true)
		b.fromB.hold(true)
	}
	c.gates[1] = newGate(g.seat.leg, gateShut)
	b.fromA.redirect(c.gates[1], false)
	b.fromB.redirect(c.gates[0], false)
	if before == warming || before == opening { // from now on the guest's voice comes with the mix
		c.enter(mixed)
		c.a.ear.begin(c.gates[0].shut())
	}
	c.a.leg.SetSink(fork{b.fromA, c.a})
	c.b.leg.SetSink(fork{b.fromB, c.b})
	old.retire()
	return b, nil
}

// Hold parts the legs, or joins them again. What they say meanwhile goes to the taps only,
// marked as held. The first leg is sent nothing meanwhile, so that music can be played to it;
// guests and the second leg go on hearing each other.
func (b *Bridge) Hold(on bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.held == on {
		return
	}
	b.held = on
	if c := b.conf; c != nil && c.hold(on) {
		b.fromA.hold(on)
		b.fromB.hold(on)
		return
	}
	if !on {
		b.fadeIn()
		b.fromA.hold(false)
		b.fromB.hold(false)
		return
	}
	b.fromA.fade(b.b, gateEnds)
	b.fromB.fade(b.a, gateEnds)
}

// fadeIn has the next packet each way come in softly.
func (b *Bridge) fadeIn() {
	b.fromA.fade(b.b, gateBegins)
	b.fromB.fade(b.a, gateBegins)
}

// fade has the next packet to a leg come in softly, or go out and be the last.
func (f *flow) fade(to media.Leg, how gateState) {
	g := newGate(to, how)
	g.flow, g.until = f, time.Now().Add(lastWord)
	f.redirect(g, false)
}

// hold parts a's leg from everybody, or lets it hear them again; false when there is no mix.
func (c *conference) hold(on bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return false
	}
	if on && (c.phase == mixed || c.phase == closing) {
		c.a.fadeAway(c.rate)
	}
	c.a.away = on
	return true
}

// retire ends a bridge whose first leg goes on in another.
func (b *Bridge) retire() {
	b.closeOne.Do(func() {
		close(b.done)
		b.fromA.close()
		b.fromB.close()
	})
}

// leaveConference ends the conference with its bridge.
func (b *Bridge) leaveConference() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.done)
	if b.conf != nil {
		b.conf.end()
	}
}

// Mixed reports whether the bridge has guests, or had one a moment ago.
func (b *Bridge) Mixed() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.conf == nil {
		return false
	}
	b.conf.mu.Lock()
	defer b.conf.mu.Unlock()
	return b.conf.phase != closed
}
