package call

import (
	"context"
	"errors"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/bridge"
)

// ErrNotSupervisor says that somebody may not supervise calls.
var ErrNotSupervisor = errors.New("call: user is not a supervisor")

// What a supervisor is told whose wish cannot be met.
var (
	errNoMixer     = &Denial{Code: protocol.CodeNotAllowed, Text: "Calls cannot be supervised here."}
	errNoAudio     = &Denial{Code: protocol.CodeNotNow, Text: "Your audio is not connected, so you would hear nothing. Connect it first."}
	errFromPhone   = &Denial{Code: protocol.CodeNotAllowed, Text: "You are signed in with a SIP phone, which has no audio between calls. Sign in with the desktop program to supervise."}
	errElsewhere   = &Denial{Code: protocol.CodeNotNow, Text: "You are supervising another call. Leave it first."}
	errOccupied    = &Denial{Code: protocol.CodeNotNow, Text: "You cannot supervise a call while one of your own rings or goes on."}
	errNotTalking  = &Denial{Code: protocol.CodeNotNow, Text: "No agent is speaking in this call now."}
	errOwnCall     = &Denial{Code: protocol.CodeNotNow, Text: "This is your own call."}
	errFull        = &Denial{Code: protocol.CodeNotNow, Text: "There are too many in this call already."}
	errNotWatching = &Denial{Code: protocol.CodeStale, Text: "You are not supervising this call any more."}
)

// Why a supervision is over, beside the causes of what ended the agent's part of the call.
const (
	whyLeft        = "left"
	whyTaken       = "taken_over"
	whyOwnCall     = "own_call"        // the supervisor has one
	whyNoMedia     = "media_lost"      // the supervisor's
	whyGone        = "supervisor_gone" // the session ended
	superviseLines = 100               // bounds what changes of mode may write into a call's story
)

// role is how a mode is in a conference.
func role(m model.SuperviseMode) bridge.Role {
	switch m {
	case model.Whisper:
		return bridge.RoleWhisper
	case model.Barge, model.TakeOver:
		return bridge.RoleBarge
	default:
		return bridge.RoleListen
	}
}

// Supervise lets a supervisor who is signed in join a call in progress, changes how, or has them
// take it over. It returns when that is so. The error is a *Denial, ErrNotSupervisor,
// ErrNotSignedIn, ErrNoCall, ErrEnded or ctx's.
func (s *Switchboard) Supervise(ctx context.Context, supervisor model.User, id model.CallID, mode model.SuperviseMode) error {
	if !supervisor.Has(model.RoleSupervisor) {
		return ErrNotSupervisor
	}
	return s.asSupervisor(ctx, supervisor.ID, id, func(a *Agent, c *call, answer func(error)) { a.supervise(c, mode, answer) })
}

// Unsupervise lets a supervisor leave a call. The errors are as of Supervise.
func (s *Switchboard) Unsupervise(ctx context.Context, supervisor model.AgentID, id model.CallID) error {
	return s.asSupervisor(ctx, supervisor, id, func(a *Agent, c *call, answer func(error)) {
		if a.watch != c {
			answer(errNotWatching)
			return
		}
		c.watcherLeaves(a, whyLeft, func() { answer(nil) })
	})
}

// asSupervisor does something on a supervisor's goroutine and waits for the answer.
func (s *Switchboard) asSupervisor(ctx context.Context, supervisor model.AgentID, id model.CallID, do func(*Agent, *call, func(error))) error {
	var a *Agent
	for _, have := range *s.agents.Load() {
		if have.id == supervisor {
			a = have
		}
	}
	var c *call
	for _, have := range *s.calls.Load() {
		if have.id == id {
			c = have
		}
	}
	switch {
	case c == nil:
		return ErrNoCall
	case a == nil:
		return ErrNotSignedIn
	}
	done := make(chan error, 1)
	if !a.box.post(func() { do(a, c, func(err error) { done <- err }) }) {
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

// What the supervisor's session does.

// supervise joins a call, or changes how. The answer is given once, on any goroutine.
func (a *Agent) supervise(c *call, mode model.SuperviseMode, answer func(error)) {
	switch {
	case a.sb.deps.Clock == nil:
		answer(errNoMixer)
	case a.phone:
		answer(errFromPhone)
	case a.peer == nil || a.ending != nil:
		answer(errNoAudio)
	case a.watch == c && mode == model.TakeOver:
		a.sb.floor.takeOver(a, c, answer)
	case a.watch == c:
		if !c.changeMode(a, mode, answer) {
			answer(errNotWatching)
		}
	case a.watch != nil:
		answer(errElsewhere)
	case a.leg != nil || a.dialling:
		answer(errOccupied)
	default:
		a.watch = c
		if !a.sb.floor.supervise(watching{agent: a, call: c, mode: mode, answer: answer}) {
			a.watch = nil
			answer(ErrEnded)
		}
	}
}

// watching is a wish to supervise, on its way to acd.
type watching struct {
	agent  *Agent
	call   *call
	mode   model.SuperviseMode
	answer func(error)
}

// mayWatch says what acd thinks of the wish.
func (w watching) mayWatch(is bool) {
	a, c := w.agent, w.call
	a.box.post(func() {
		switch {
		case !is:
			a.watch = nil
			w.answer(errOccupied)
		case a.peer == nil || a.ending != nil:
			a.unwatched(c)
			w.answer(errNoAudio)
		case !c.supervise(a, a.peer, w.mode, w.answer):
			a.unwatched(c)
			w.answer(ErrNoCall)
		}
	})
}

// unwatched says that the supervisor is off the call and has its audio to themselves.
func (a *Agent) unwatched(c *call) {
	if a.watch != c {
		return
	}
	a.watch = nil
	if a.watchTold {
		a.watchTold = false
		a.send("", protocol.Supervising{CallID: string(c.id)})
	}
	a.sb.floor.tell(acd.SupervisionOver{Agent: a.id})
}

// leaveWatch ends a supervision for a reason of the supervisor's; then, which may be nil, follows.
func (a *Agent) leaveWatch(why string, then func()) {
	if a.watch == nil || !a.watch.watcherLeaves(a, why, then) {
		if then != nil {
			a.box.post(then)
		}
	}
}

// watches tells the supervisor's client what it is part of.
func (a *Agent) watches(c *call, info model.Call, mode model.SuperviseMode, agent string) {
	a.box.post(func() {
		if a.watch == c {
			a.watchTold = true
			t := told(info)
			a.send("", protocol.Supervising{CallID: string(c.id), Mode: string(mode), Agent: agent, Call: &t})
		}
	})
}

// tookOver makes the leg on which a supervisor goes on with a call as its agent.
func (a *Agent) tookOver(c *call, attempt uint64, answer func(error)) {
	a.box.post(func() {
		if a.watch != c || a.peer == nil || a.ending != nil || a.leg != nil {
			answer(errNotWatching)
			return
		}
		a.flushMic()
		a.rejoins = 0
		l := newAgentLeg(a, c, legID(c.id, attempt, 0))
		a.take(l, c, attempt)
		orNot := func(err error) {
			if err != nil {
				a.box.post(func() {
					if a.leg == l {
						a.leg = nil
						a.onLeg.Store(nil)
					}
				})
			}
			answer(err)
		}
		if !c.takeOver(l, orNot) {
			orNot(ErrNoCall)
		}
	})
}

// hasTaken says that the call is theirs now; acd has learnt it, too.
func (a *Agent) hasTaken(c *call) {
	a.box.post(func() {
		if a.watch == c {
			a.watch, a.watchTold = nil, false
			a.send("", protocol.Supervising{CallID: string(c.id)})
		}
	})
}

// supervised tells the agent's client of a supervisor; again after a reconnect.
func (a *Agent) supervised(m protocol.Supervised) {
	a.box.post(func() {
		if m.Mode == "" {
			delete(a.watchedBy, m.Supervisor)
		} else {
			if a.watchedBy == nil {
				a.watchedBy = map[string]protocol.Supervised{}
			}
			a.watchedBy[m.Supervisor] = m
		}
		a.send("", m)
	})
}

// tellSupervised tells a client that has come back who is in its call, and what it is part of.
func (a *Agent) tellSupervised() {
	for _, name := range sortedKeys(a.watchedBy) {
		a.send("", a.watchedBy[name])
	}
	if a.watch != nil {
		a.watch.tellAgain(a)
	}
}

// The floor's part.

func (f *floor) supervise(w watching) bool {
	return f.box.post(func() {
		if s := f.agents[w.agent.id]; s == nil || s.agent != w.agent {
			w.mayWatch(false)
			return
		}
		f.watch = &w
		f.apply(acd.AgentSupervises{Agent: w.agent.id, Call: w.call.id})
		f.watch = nil
	})
}

// takeOver gives a supervisor's leg its number.
func (f *floor) takeOver(a *Agent, c *call, answer func(error)) {
	if !f.box.post(func() {
		f.attempt++
		a.tookOver(c, f.attempt, answer)
	}) {
		answer(ErrEnded)
	}
}
