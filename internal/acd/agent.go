package acd

import (
	"slices"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// wish is what an agent on a call wants to do after it.
type wish uint8

const (
	wishNone  wish = iota // go on with the next call
	wishBreak             // after the wrap-up
	wishOut               // as the call ends
)

// agent is somebody who is signed in.
type agent struct {
	id         model.AgentID
	state      model.AgentState
	reason     string
	since      time.Time
	until      time.Time // the deadline of Offered and WrapUp, else zero
	idle       uint64    // order of becoming ready; kept while an offer stands
	call       *call     // offered or on the line
	credited   bool      // this connection is the one the queue counts as the answer
	queues     []*queue
	verdict    model.VerdictState
	wish       wish
	wishReason string
	handled    int
}

// move brings an agent into a state and tells so. The lists follow: ready agents stand
// on the bench of each of their queues, agents with a deadline among the deadlines.
func (s *State) move(a *agent, to model.AgentState, reason string, until time.Time) {
	s.unseat(a)
	s.deadlines.remove(a)
	if to == model.Ready && a.state != model.Offered {
		a.idle = s.next()
	}
	if to != model.OnCall {
		a.credited = false
	}
	a.state, a.reason, a.since, a.until = to, reason, s.now, until
	if !until.IsZero() {
		s.deadlines.push(a)
	}
	s.emit(AgentChanged{Agent: a.id, State: to, Reason: reason, Until: until})
	s.seat(a)
}

// seat puts a ready agent on the bench of each queue, unseat takes one off.
func (s *State) seat(a *agent) {
	if a.state != model.Ready {
		return
	}
	for _, q := range a.queues {
		q.bench(a.verdict).push(a)
		s.touch(q)
	}
}

func (s *State) unseat(a *agent) {
	if a.state != model.Ready {
		return
	}
	for _, q := range a.queues {
		q.bench(a.verdict).remove(a)
	}
}

// signedIn starts a shift or, for somebody who is here, renews what is known.
func (s *State) signedIn(e AgentSignedIn) {
	a := s.agents[e.Agent]
	if a == nil {
		a = &agent{id: e.Agent, state: model.Offline}
		s.enroll(a)
	}
	s.unseat(a)
	for _, q := range a.queues {
		q.signedIn--
	}
	a.queues = a.queues[:0]
	for _, id := range e.Queues {
		if q := s.queue(id); !slices.Contains(a.queues, q) {
			a.queues = append(a.queues, q)
			q.signedIn++
		}
	}
	a.verdict = e.Verdict
	s.seat(a)
	if a.state == model.Offline {
		s.move(a, model.Break, ReasonSignedIn, time.Time{})
	} else if a.wish == wishOut {
		a.wish = wishNone // came back before the call was over
	}
}

func (s *State) wantsReady(a *agent) {
	if a == nil {
		return
	}
	switch a.state {
	case model.OnCall:
		a.wish = wishNone
	case model.Break, model.WrapUp:
		s.move(a, model.Ready, "", time.Time{})
	}
}

func (s *State) wantsBreak(a *agent, reason string) {
	if a == nil {
		return
	}
	switch a.state {
	case model.OnCall:
		a.wish, a.wishReason = wishBreak, reason
		return
	case model.Offered:
		s.withdraw(a, WhyDeclined)
	case model.Break:
		if a.reason == reason {
			return
		}
	}
	s.move(a, model.Break, reason, time.Time{})
}

func (s *State) wantsOut(a *agent) {
	if a == nil {
		return
	}
	switch a.state {
	case model.OnCall:
		a.wish = wishOut
		return
	case model.Offered:
		s.withdraw(a, WhySignedOut)
	}
	s.leave(a)
}

// lost takes away an agent whose client died; nobody waits for it to come back.
func (s *State) lost(a *agent) {
	if a == nil {
		return
	}
	c := a.call
	switch a.state {
	case model.Offered:
		s.withdraw(a, WhyAgentLost)
	case model.OnCall:
		a.call = nil
		if c.passing {
			c.agent = nil
			s.emit(Parted{Agent: a.id, Call: c.id, Why: WhyAgentLost})
		} else {
			s.cutOff(c, WhyAgentLost)
		}
	}
	s.leave(a)
}

func (s *State) judged(a *agent, v model.VerdictState) {
	if a == nil {
		return
	}
	s.unseat(a)
	a.verdict = v
	s.seat(a)
}

// callOver lets the agent of a call that has ended go on: out, into wrap-up, or further.
func (s *State) callOver(a *agent) {
	c, wrapUp := a.call, time.Duration(0)
	if c.queue != nil {
		wrapUp = c.queue.cfg.WrapUp
	}
	a.call = nil
	if !c.ringing { // nobody was spoken with
		a.handled++
	}
	switch {
	case a.wish == wishOut:
		s.leave(a)
	case wrapUp > 0:
		s.move(a, model.WrapUp, "", s.now.Add(wrapUp))
	default:
		s.afterWrapUp(a)
	}
}

func (s *State) afterWrapUp(a *agent) {
	w := a.wish
	a.wish = wishNone
	if w == wishBreak {
		s.move(a, model.Break, a.wishReason, time.Time{})
		return
	}
	s.move(a, model.Ready, "", time.Time{})
}

// leave ends a shift. The agent holds no call any more.
func (s *State) leave(a *agent) {
	s.move(a, model.Offline, "", time.Time{})
	for _, q := range a.queues {
		q.signedIn--
	}
	s.dismiss(a)
}
