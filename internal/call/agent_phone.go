package call

import (
	"context"
	"errors"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
)

// A session on a phone is one like any other, with the same messages, but for its audio: a
// client's connection stands from sign-in on, a phone's comes with each call that it takes or
// makes. So such an agent is able to be ready without any, brings it (Bring) before saying
// Accept, and loses it when the call is over.

// ErrBusy is Bring's when there is audio already.
var ErrBusy = errors.New("call: the session has its audio")

// errNotPhone is Bring's for a client's session.
var errNotPhone = errors.New("call: not a session on a phone")

// Signalled is a Peer with a SIP dialog of its own, whose ladder is kept with the call.
type Signalled interface {
	Dialog() Party
}

// SignInPhone begins the session of somebody who takes calls on a SIP phone. An earlier
// session of the same user is replaced. It waits as SignIn does.
func (s *Switchboard) SignInPhone(ctx context.Context, user model.User, info model.HeadsetInfo, link Link) (*Agent, protocol.Welcome, error) {
	if !user.Has(model.RoleAgent) {
		return nil, protocol.Welcome{}, ErrNotAgent
	}
	return s.begin(ctx, user, info, link, true)
}

// Relink ends an outage of a phone's session: a phone is registered again.
func (a *Agent) Relink(ctx context.Context, info model.HeadsetInfo, link Link) error {
	_, err := a.attach(ctx, link, info, true)
	return err
}

// Bring gives a phone's session the audio for one call: to be followed by Accept. The session
// closes it when the call is over; if it comes to nothing, whoever brought it does. That its
// Done is closed in a call means that the phone was lost, not that somebody hung up.
func (a *Agent) Bring(ctx context.Context, p Peer) error {
	done := make(chan error, 1)
	if !a.box.post(func() {
		switch {
		case a.ending != nil:
			done <- ErrEnded
		case !a.phone:
			done <- errNotPhone
		case a.peer != nil:
			done <- ErrBusy
		default:
			a.peer = a.sb.guarded(p)
			done <- nil
		}
	}) {
		return ErrEnded
	}
	select {
	case err := <-done:
		return err
	case <-a.done:
		return ErrEnded
	case <-ctx.Done():
		return ctx.Err()
	}
}

// phoneLost is the end of a phone's audio that nobody asked for. The caller is not kept
// waiting for a phone that may never come back.
func (a *Agent) phoneLost() {
	a.hangUpPhone()
	if a.leg != nil {
		a.log.Warn("phone lost in a call")
		a.finish(endMedia())
	}
}

// hangUpPhone ends the audio that came with a call.
func (a *Agent) hangUpPhone() {
	if a.phone {
		a.closePeer(a.peer)
		a.peer = nil
	}
}

// Session is the session of somebody who is signed in, or nil. One that has ended is none, even
// if the floor has yet to hear of it.
func (s *Switchboard) Session(id model.AgentID) *Agent {
	for _, a := range *s.agents.Load() {
		if a.id != id {
			continue
		}
		select {
		case <-a.done:
			return nil
		default:
			return a
		}
	}
	return nil
}

// OnPhone says that calls are taken on a SIP phone.
func (a *Agent) OnPhone() bool { return a.phone }
