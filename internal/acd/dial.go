package acd

import (
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// The events of calls that agents place, and of callers who are passed on.
type (
	// AgentDials takes an agent out of the line for a call of their own, from ready, a break or a
	// wrap-up; Dial or DialRefused says what came of it. Queue, which may be empty, is on whose
	// behalf: its wrap-up follows. One who was on a break is on it again after that. An emergency
	// is Urgent: an offer that rings is declined for it.
	AgentDials struct {
		Agent  model.AgentID
		Call   model.CallID
		Queue  model.QueueID
		Urgent bool
	}
	// DialAnswered says that the callee of a dialled call has answered.
	DialAnswered struct{ Call model.CallID }
	// TransferBegan says that an agent's caller is being passed on to a number. The agent stays on
	// the call, but is not needed for it any more: one who is lost leaves it where it is.
	TransferBegan struct {
		Agent model.AgentID
		Call  model.CallID
	}
	// TransferFailed says that it came to nothing: the agent goes on, or, if they have left, the
	// caller goes to the head of the queue. One that came about is told by CallGone.
	TransferFailed struct{ Call model.CallID }
	// AgentParted says that the agent left a call whose transfer goes on.
	AgentParted struct {
		Agent model.AgentID
		Call  model.CallID
	}
	// CallMoved passes an agent's caller on to a queue, where they have the place that the time of
	// their call gives them: they have not waited in vain, and overtake nobody who came before.
	CallMoved struct {
		Agent model.AgentID
		Call  model.CallID
		Queue model.QueueID
	}
)

func (AgentDials) event()     {}
func (DialAnswered) event()   {}
func (TransferBegan) event()  {}
func (TransferFailed) event() {}
func (AgentParted) event()    {}
func (CallMoved) event()      {}

// Why an agent may not dial, a caller goes back or a call ends.
const (
	WhyOffline        = "offline"         // not signed in
	WhyOccupied       = "occupied"        // a call rings or goes on
	WhyTransferFailed = "transfer_failed" // and the agent has left
)

// The actions of calls that agents place, and of callers who are passed on.
type (
	// Dial says that the agent is on the call, which may be placed.
	Dial struct {
		Agent model.AgentID
		Call  model.CallID
	}
	// DialRefused says that there is to be no such call. Why is WhyOffline or WhyOccupied.
	DialRefused struct {
		Agent model.AgentID
		Call  model.CallID
		Why   string
	}
	// Dropped says that a call has nobody left who could have it: a dialled one whose agent was
	// lost before the answer, or that has no queue to wait in. It ends.
	Dropped struct {
		Call model.CallID
		Why  string
	}
	// Parted says that the agent is off a call whose transfer goes on. Why is WhyAgentLost.
	Parted struct {
		Agent model.AgentID
		Call  model.CallID
		Why   string
	}
)

func (Dial) action()        {}
func (DialRefused) action() {}
func (Dropped) action()     {}
func (Parted) action()      {}

func (s *State) dials(e AgentDials) {
	a := s.agents[e.Agent]
	why := ""
	switch {
	case a == nil:
		why = WhyOffline
	case s.calls[e.Call] != nil, a.state == model.OnCall && !a.watching(), a.state == model.Offered && !e.Urgent:
		why = WhyOccupied
	}
	if why != "" {
		s.emit(DialRefused{Agent: e.Agent, Call: e.Call, Why: why})
		return
	}
	switch a.state {
	case model.OnCall: // somebody else's
		s.unwatch(a)
	case model.Offered:
		s.withdraw(a, WhyDeclined)
	case model.Break:
		a.wish, a.wishReason = wishBreak, a.reason
	}
	c := &call{id: e.Call, since: s.now, seq: s.next(), agent: a, connected: true, answered: true, ringing: true}
	if e.Queue != "" {
		c.queue = s.queue(e.Queue)
	}
	s.calls[c.id] = c
	a.call = c
	s.move(a, model.OnCall, "", time.Time{})
	s.emit(Dial{Agent: a.id, Call: c.id})
}

// transferBegan notes that the agent's caller can do without them.
func (s *State) transferBegan(a *agent, c *call) {
	if together(a, c) && !c.ringing {
		c.passing = true
	}
}

func (s *State) transferFailed(c *call) {
	if c == nil || !c.passing {
		return
	}
	c.passing = false
	if c.agent == nil {
		s.cutOff(c, WhyTransferFailed)
	}
}

// parted frees the agent of a call that is being passed on; the call stays as it is.
func (s *State) parted(a *agent, c *call) {
	if together(a, c) && c.passing {
		c.agent = nil
		s.callOver(a)
	}
}

func (s *State) moved(a *agent, c *call, to model.QueueID) {
	if !together(a, c) || c.ringing {
		return
	}
	s.callOver(a)
	c.queue, c.since = s.queue(to), s.now
	c.agent, c.connected, c.requeued, c.passing = nil, false, false, false
	c.answered, c.inTime = false, false // there they are answered, or leave, anew
	c.queue.held++
	s.await(c)
}

// together reports whether the agent is on the call.
func together(a *agent, c *call) bool {
	return a != nil && c != nil && a.call == c && c.connected
}

// cutOff finds a place for a call that has lost its agent: the head of its queue, or none.
func (s *State) cutOff(c *call, why string) {
	if c.queue == nil || c.ringing {
		delete(s.calls, c.id)
		c.agent = nil
		s.emit(Dropped{Call: c.id, Why: why})
		return
	}
	s.requeue(c, why)
}
