package acd

import (
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// queue is one queue: who waits in it and who is ready to serve it. It is made when its
// name is first heard and stays.
type queue struct {
	id     model.QueueID
	cfg    model.Queue
	listed bool // the site has it
	dirty  bool // it stands in State.dirty

	waiting  *ranking[*call]  // callers not offered to anyone, first to be served first
	ready    *ranking[*agent] // agents with nothing against them, longest idle first
	flagged  *ranking[*agent] // agents whose headset is flagged, longest idle first
	signedIn int
	held     int // callers here who speak with nobody yet, offered ones included

	answered, abandoned, within int
}

func newQueue(id model.QueueID) *queue {
	return &queue{
		id:      id,
		cfg:     model.Queue{ID: id, Title: string(id)},
		waiting: newRanking(olderCall),
		ready:   newRanking(longerIdle),
		flagged: newRanking(longerIdle),
	}
}

func (q *queue) policy() model.HeadsetPolicy {
	if q.cfg.HeadsetPolicy == "" {
		return model.PolicyLastResort
	}
	return q.cfg.HeadsetPolicy
}

func (q *queue) offerTimeout() time.Duration {
	if q.cfg.OfferTimeout <= 0 {
		return DefaultOfferTimeout
	}
	return q.cfg.OfferTimeout
}

func (q *queue) serviceLevel() time.Duration {
	if q.cfg.ServiceLevel <= 0 {
		return DefaultServiceLevel
	}
	return q.cfg.ServiceLevel
}

// head is the caller to be served next, or nil.
func (q *queue) head() *call {
	c, _ := q.waiting.first()
	return c
}

// pick is the agent who should ring next under the queue's headset policy, or nil.
func (q *queue) pick() *agent {
	good, _ := q.ready.first()
	bad, _ := q.flagged.first()
	switch {
	case q.policy() == model.PolicyExclude:
		return good
	case good == nil:
		return bad
	case bad == nil || q.policy() == model.PolicyLastResort:
		return good
	case longerIdle(bad, good): // PolicyIgnore
		return bad
	default:
		return good
	}
}

func (q *queue) canOffer() bool { return q.waiting.len() > 0 && q.pick() != nil }

// bench is where an agent with this verdict stands while ready.
func (q *queue) bench(v model.VerdictState) *ranking[*agent] {
	if v.Flagged() {
		return q.flagged
	}
	return q.ready
}

// call is a caller, from CallQueued to CallGone, or a callee, from AgentDials on.
type call struct {
	id        model.CallID
	queue     *queue       // nil for a dialled call of no queue, which is never without its agent
	since     time.Time    // joined the queue; kept through everything
	seq       uint64       // order of arrival
	requeued  bool         // was cut off: stands before those who wait for the first time
	agent     *agent       // offered to or speaking with
	connected bool         // speaking with agent, or being passed on by one who may have left
	of        model.CallID // somebody else's call, which the agent supervises; this one is then no call
	ringing   bool         // dialled, and not answered by the callee
	passing   bool         // being passed on to a number
	answered  bool         // somebody has answered before: counted
	inTime    bool         // and within the service level
}

// olderCall is the order in which callers are served.
func olderCall(a, b *call) bool {
	if a.requeued != b.requeued {
		return a.requeued
	}
	return a.seq < b.seq
}

// longerIdle is the order in which ready agents ring.
func longerIdle(a, b *agent) bool { return a.idle < b.idle }

func soonerDeadline(a, b *agent) bool {
	if !a.until.Equal(b.until) {
		return a.until.Before(b.until)
	}
	return a.id < b.id
}

// queued takes a new caller. A call that is here already stays where it is.
func (s *State) queued(id model.CallID, queue model.QueueID) {
	if s.calls[id] != nil {
		return
	}
	c := &call{id: id, queue: s.queue(queue), since: s.now, seq: s.next()}
	s.calls[id] = c
	c.queue.held++
	s.await(c)
}

// gone forgets a caller, wherever the call was.
func (s *State) gone(c *call) {
	if c == nil {
		return
	}
	delete(s.calls, c.id)
	a := c.agent
	c.agent = nil
	if c.connected {
		if a != nil {
			s.callOver(a)
		}
		return
	}
	c.queue.held--
	if !c.answered {
		c.queue.abandoned++
	}
	if a == nil {
		c.queue.waiting.remove(c)
		return
	}
	a.call = nil
	s.emit(OfferWithdrawn{Agent: a.id, Call: c.id, Why: WhyCallerGone})
	s.move(a, model.Ready, "", time.Time{}) // a.idle is kept, and with it the place in the line
}

// requeue puts a caller who was speaking with somebody back, at the head.
func (s *State) requeue(c *call, why string) {
	c.agent, c.connected, c.requeued, c.passing = nil, false, true, false
	c.queue.held++
	s.emit(Requeued{Call: c.id, Why: why})
	s.await(c)
}

// accepted joins caller and agent if the offer stands.
func (s *State) accepted(id model.AgentID, callID model.CallID) {
	a, c := s.agents[id], s.calls[callID]
	if !s.offered(a, c) {
		s.late(id, callID)
		return
	}
	q := c.queue
	c.connected = true
	q.held--
	if !c.answered {
		c.answered = true
		q.answered++
		if c.inTime = s.now.Sub(c.since) <= q.serviceLevel(); c.inTime {
			q.within++
		}
		a.credited = true
	}
	s.move(a, model.OnCall, "", time.Time{})
	s.emit(Connect{Agent: a.id, Call: c.id})
}

func (s *State) declined(id model.AgentID, callID model.CallID) {
	a, c := s.agents[id], s.calls[callID]
	if !s.offered(a, c) {
		s.late(id, callID)
		return
	}
	s.withdraw(a, WhyDeclined)
	s.move(a, model.Break, ReasonDeclined, time.Time{})
}

// offered reports whether a's client is ringing for c.
func (s *State) offered(a *agent, c *call) bool {
	return a != nil && c != nil && a.call == c && a.state == model.Offered
}

// late answers an answer that came too late or to somebody else's offer. One that only
// repeats what has been done is no news.
func (s *State) late(id model.AgentID, callID model.CallID) {
	why := WhyStale
	if c := s.calls[callID]; c != nil && c.connected {
		if c.agent != nil && c.agent.id == id {
			return
		}
		why = WhyElsewhere
	}
	s.emit(OfferWithdrawn{Agent: id, Call: callID, Why: why})
}

// connectFailed undoes an accepted offer whose bridge could not be built.
func (s *State) connectFailed(a *agent, c *call) {
	if a == nil || c == nil || a.call != c || !c.connected {
		return
	}
	if a.credited {
		c.queue.answered--
		if c.inTime {
			c.queue.within--
		}
		c.answered, c.inTime = false, false
	}
	a.call = nil
	s.cutOff(c, WhyConnectFailed)
	if a.wish == wishOut {
		s.leave(a)
		return
	}
	a.wish = wishNone // a break is what comes now
	s.move(a, model.Break, ReasonConnectFailed, time.Time{})
}
