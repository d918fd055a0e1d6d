package call

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/dtmf"
)

// Dialpad is a Party that can be sent the keys of a telephone (media/sip.Call).
type Dialpad interface {
	// SendDigits presses keys, 0 to 9, *, # and A to D, and returns at once.
	SendDigits(digits string) error
	// TonesOnly reports whether the party's keys are tones in its voice, both ways.
	TonesOnly() bool
}

// Keyed is a Peer whose agent can press keys on it: a browser's telephone-events, those of a SIP
// phone. Keys nobody takes are lost.
type Keyed interface {
	Digits() <-chan rune
}

// Discretion is told when a secret is being keyed in and when no more, so that nothing of it is
// recorded. It must not block.
type Discretion interface {
	Secret(call model.CallID, on bool)
}

// How long a secret may be keyed in before it ends by itself.
const (
	SecretTime    = time.Minute     // if nothing is said
	MaxSecretTime = 5 * time.Minute // at most
)

// ErrNoCall says that there is no such call, or that it is over.
var ErrNoCall = errors.New("call: no such call")

// What somebody is told who asks for what cannot be done with keys.
var (
	errNoKeys   = &Denial{Code: protocol.CodeNotAllowed, Text: "Keys are 0 to 9, *, # and A to D, up to 64 of them."}
	errKeysFull = &Denial{Code: protocol.CodeNotNow, Text: "Too many keys still wait to be sent. Wait a moment."}
	errNoPad    = &Denial{Code: protocol.CodeNotNow, Text: "Keys cannot be sent to the other side of this call."}
	errOnHold   = &Denial{Code: protocol.CodeNotNow, Text: "The other side is on hold. Take it back first."}
)

// keypad is what a call knows of keys; it belongs to the call.
type keypad struct {
	sent   int // by the agent, of the run that goes on
	by     model.AgentID
	secret alarm // set while a secret is being keyed in
	hidden bool  // keys came meanwhile, in the run that goes on
}

// pressed takes a key of the party's. The sound of one passes between two trunks by itself.
func (c *call) pressed(key rune) {
	if c.keypad.secret.isSet() {
		c.keypad.hidden = true
	} else {
		c.digits++
	}
	c.digitEnd.set(digitGap)
	if c.state != bridged || c.third == nil {
		return
	}
	to, ok := c.third.party.(Dialpad)
	if from, is := c.party.(Dialpad); !ok || is && from.TonesOnly() && to.TonesOnly() {
		return
	}
	if err := to.SendDigits(string(key)); err != nil {
		c.log.Info("a key of the caller's was not passed on", "err", err)
	}
}

// agentDigits are the keys that the agent presses; nil without an agent.
func (c *call) agentDigits() <-chan rune {
	if c.talk == nil {
		return nil
	}
	if k, ok := bare(c.talk.peer).(Keyed); ok {
		return k.Digits()
	}
	return nil
}

// agentPressed passes a key of the agent's on to whoever they talk with.
func (c *call) agentPressed(key rune) {
	if c.state != talking || c.held {
		return
	}
	to, ok := c.party.(Dialpad)
	if from, is := bare(c.talk.peer).(Dialpad); !ok || is && from.TonesOnly() && to.TonesOnly() {
		return
	}
	if err := c.send(string(key), c.talk.agent.id); err != nil {
		c.log.Info("a key of the agent's was not passed on", "err", err)
	}
}

// forgetKeys drops what an agent pressed before the call was theirs.
func forgetKeys(p Peer) {
	k, ok := bare(p).(Keyed)
	for ok {
		select {
		case <-k.Digits():
		default:
			return
		}
	}
}

// send presses keys towards the party.
func (c *call) send(digits string, by model.AgentID) error {
	to, ok := c.party.(Dialpad)
	if !ok || c.leg == nil {
		return errNoPad
	}
	switch err := to.SendDigits(digits); {
	case errors.Is(err, dtmf.ErrNoKey):
		return errNoKeys
	case errors.Is(err, dtmf.ErrFull):
		return errKeysFull
	case err != nil:
		c.log.Info("keys could not be sent", "err", err)
		return errNoPad
	}
	if c.keypad.sent > 0 && c.keypad.by != by {
		c.writeDigits()
	}
	if c.keypad.secret.isSet() {
		c.keypad.hidden = true
	} else {
		c.keypad.sent, c.keypad.by = c.keypad.sent+len(digits), by
	}
	c.digitEnd.set(digitGap)
	return nil
}

// keys is somebody pressing keys towards the party: the agent of the call, or, where it is nil,
// one who may do so in any.
func (c *call) keys(a *Agent, by model.AgentID, digits string, answer func(error)) bool {
	return c.box.post(func() {
		var err error
		switch {
		case a != nil:
			err = c.with(a)
		case c.state != talking && c.state != bridged && c.state != waiting:
			err = errNoOne
		}
		if err == nil && c.held {
			err = errOnHold
		}
		if err == nil {
			err = c.send(digits, by)
		}
		answer(err)
	})
}

// keepSecret begins or ends the keying in of a secret.
func (c *call) keepSecret(a *Agent, by model.AgentID, on bool, long time.Duration, answer func(error)) bool {
	return c.box.post(func() {
		switch {
		case a != nil && (c.talk == nil || c.talk.agent != a):
			answer(errNotYours)
			return
		case c.state == over || c.state == answering:
			answer(errNoOne)
			return
		}
		if on {
			c.beginSecret(by, long)
		} else {
			c.endSecret(by, "asked")
		}
		answer(nil)
	})
}

// beginSecret has nothing kept of the keys from now on, for a while; asked for again, it is
// prolonged. The agent hears no tones: where keys are sound, the party is not heard at all.
func (c *call) beginSecret(by model.AgentID, long time.Duration) {
	if long <= 0 {
		long = SecretTime
	}
	long = min(long, MaxSecretTime)
	again := c.keypad.secret.isSet()
	if !again {
		c.writeDigits()
	}
	c.keypad.secret.set(long)
	if again {
		return
	}
	c.discreet(true)
	c.story("secret_began", by, map[string]string{"seconds": strconv.Itoa(int(long / time.Second))})
	c.log.Info("a secret is being keyed in", "agent", by, "for", long)
}

// endSecret ends it; once it has, there is nothing to do.
func (c *call) endSecret(by model.AgentID, why string) {
	if !c.keypad.secret.isSet() {
		return
	}
	c.writeDigits()
	c.keypad.secret.clear()
	c.discreet(false)
	c.story("secret_ended", by, map[string]string{"why": why})
}

// discreet keeps the party's voice from the agent while it may hold keys, and tells who records.
func (c *call) discreet(on bool) {
	if c.sb.deps.Discretion != nil {
		c.sb.deps.Discretion.Secret(c.id, on)
	}
	if c.tape.now != nil {
		c.tape.now.Secret(on)
	}
	c.hideTones(on)
}

// hideTones keeps the party from the agent if its keys are sound. A tone is known as a key only
// when a part of it has been heard, so it is all or nothing.
func (c *call) hideTones(on bool) {
	if c.bridge == nil || !on && (c.held || c.state == passing) {
		return
	}
	if p, ok := c.party.(Dialpad); !on || ok && p.TonesOnly() {
		c.bridge.Hush(on)
	}
}

// find is the call as its owner, while it goes on.
func (s *Switchboard) find(id model.CallID) (*call, error) {
	for _, c := range *s.calls.Load() {
		if c.id == id {
			return c, nil
		}
	}
	return nil, ErrNoCall
}

// onCall has something done with a call, by the agent of it or, if any is true, by one who may
// do so in any. The error is ErrNoCall, a *Denial or ctx's.
func (s *Switchboard) onCall(ctx context.Context, id model.CallID, by model.AgentID, anyCall bool, do func(c *call, a *Agent, answer func(error)) bool) error {
	c, err := s.find(id)
	if err != nil {
		return err
	}
	var a *Agent
	for _, have := range *s.agents.Load() {
		if have.id == by && !anyCall {
			a = have
		}
	}
	if a == nil && !anyCall {
		return errNotYours
	}
	done := make(chan error, 1)
	if !do(c, a, func(err error) { done <- err }) {
		return ErrNoCall
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// SendDigits presses keys towards the other side of a call, for its agent or, if anyCall, for
// one who may do so in any. The error is ErrNoCall, a *Denial or ctx's.
func (s *Switchboard) SendDigits(ctx context.Context, id model.CallID, by model.AgentID, anyCall bool, digits string) error {
	return s.onCall(ctx, id, by, anyCall, func(c *call, a *Agent, answer func(error)) bool { return c.keys(a, by, digits, answer) })
}

// KeepSecret begins or ends the keying in of a secret: keys that come meanwhile are written
// nowhere, not even how many, and the agent does not hear them. It ends by itself after long,
// SecretTime if zero and MaxSecretTime at most. The error is ErrNoCall, a *Denial or ctx's.
func (s *Switchboard) KeepSecret(ctx context.Context, id model.CallID, by model.AgentID, anyCall, on bool, long time.Duration) error {
	return s.onCall(ctx, id, by, anyCall, func(c *call, a *Agent, answer func(error)) bool { return c.keepSecret(a, by, on, long, answer) })
}
