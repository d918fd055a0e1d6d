package acd

import (
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// The events of supervisors in somebody else's call.
type (
	// AgentSupervises takes somebody out of the line for another's call, from ready, a break or a
	// wrap-up; Supervise or SuperviseRefused says what came of it. One who was on a break is on it
	// again after that.
	AgentSupervises struct {
		Agent model.AgentID
		Call  model.CallID
	}
	// SupervisionOver says that they have left it.
	SupervisionOver struct{ Agent model.AgentID }
	// CallTaken says that who supervised a call has it now instead of its agent, whose part in it
	// is over.
	CallTaken struct {
		Agent model.AgentID // who has it now
		Call  model.CallID
	}
)

func (AgentSupervises) event() {}
func (SupervisionOver) event() {}
func (CallTaken) event()       {}

// ReasonSupervising is the reason of one who is on somebody else's call.
const ReasonSupervising = "supervising"

// The actions of supervisors in somebody else's call.
type (
	// Supervise says that somebody may join the call.
	Supervise struct {
		Agent model.AgentID
		Call  model.CallID
	}
	// SuperviseRefused says that they may not. Why is WhyOffline or WhyOccupied.
	SuperviseRefused struct {
		Agent model.AgentID
		Call  model.CallID
		Why   string
	}
)

func (Supervise) action()        {}
func (SuperviseRefused) action() {}

// watchID is how the part of a supervisor stands among the calls: there is no such call else.
func watchID(a model.AgentID) model.CallID { return "supervises:" + model.CallID(a) }

func (s *State) supervises(e AgentSupervises) {
	a := s.agents[e.Agent]
	why := ""
	switch {
	case a == nil:
		why = WhyOffline
	case a.state == model.OnCall, a.state == model.Offered:
		why = WhyOccupied
	}
	if why != "" {
		s.emit(SuperviseRefused{Agent: e.Agent, Call: e.Call, Why: why})
		return
	}
	if a.state == model.Break {
		a.wish, a.wishReason = wishBreak, a.reason
	}
	c := &call{id: watchID(a.id), of: e.Call, since: s.now, seq: s.next(), agent: a, connected: true, answered: true, ringing: true}
	s.calls[c.id] = c
	a.call = c
	s.move(a, model.OnCall, ReasonSupervising, time.Time{})
	s.emit(Supervise{Agent: a.id, Call: e.Call})
}

// watching reports whether an agent is on somebody else's call.
func (a *agent) watching() bool { return a.call != nil && a.call.of != "" }

// unwatch takes a supervisor off somebody else's call, for a call of their own.
func (s *State) unwatch(a *agent) {
	delete(s.calls, a.call.id)
	a.call = nil
}

// taken gives a call to who supervised it. One that has lost its agent meanwhile has another
// place already.
func (s *State) taken(by *agent, c *call) {
	if by == nil || !by.watching() {
		return
	}
	if c == nil || c.agent == nil || !c.connected || c.passing || by.call.of != c.id {
		s.gone(by.call)
		return
	}
	s.unwatch(by)
	s.callOver(c.agent)
	c.agent, by.call = by, c
	s.move(by, model.OnCall, "", time.Time{})
}
