package acd

import (
	"slices"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// What holds for a queue whose configuration leaves it open.
const (
	DefaultOfferTimeout = 20 * time.Second
	DefaultServiceLevel = 20 * time.Second
)

// State is the floor: queues, agents and the callers that wait. It knows no clock; the
// time comes with every event. It is not safe for concurrent use: one goroutine owns it.
type State struct {
	now    time.Time // of the newest event; never goes back
	seq    uint64    // counts arrivals and agents becoming ready; ties in time are no ties here
	queues map[model.QueueID]*queue
	listed []*queue // the site's queues in the site's order
	agents map[model.AgentID]*agent
	roster []*agent // the same, by identity
	calls  map[model.CallID]*call

	deadlines *ranking[*agent] // whoever has an until, soonest first
	dirty     []*queue         // queues where a caller or an agent has become free
	out       []Action
}

// New returns an empty floor; SiteChanged gives it queues.
func New() *State {
	return &State{
		queues:    map[model.QueueID]*queue{},
		agents:    map[model.AgentID]*agent{},
		calls:     map[model.CallID]*call{},
		deadlines: newRanking(soonerDeadline),
	}
}

// Apply takes one event and returns what is to be done, in order. Deadlines that have
// passed by now (now included) take effect before the event. A now before that of an
// earlier event is taken as that one: the floor's time never goes back.
func (s *State) Apply(now time.Time, e Event) []Action {
	if now.After(s.now) {
		s.now = now
	}
	s.out = nil
	s.expire()
	s.handle(e)
	s.settle()
	out := s.out
	s.out = nil
	return out
}

// NextDeadline is when Tick is due, or false when nothing waits for a time.
func (s *State) NextDeadline() (time.Time, bool) {
	a, ok := s.deadlines.first()
	if !ok {
		return time.Time{}, false
	}
	return a.until, true
}

func (s *State) handle(e Event) {
	switch e := e.(type) {
	case SiteChanged:
		s.siteChanged(e.Queues)
	case AgentSignedIn:
		s.signedIn(e)
	case AgentReady:
		s.wantsReady(s.agents[e.Agent])
	case AgentBreak:
		s.wantsBreak(s.agents[e.Agent], e.Reason)
	case AgentSignedOut:
		s.wantsOut(s.agents[e.Agent])
	case AgentLost:
		s.lost(s.agents[e.Agent])
	case HeadsetJudged:
		s.judged(s.agents[e.Agent], e.Verdict)
	case CallQueued:
		s.queued(e.Call, e.Queue)
	case CallGone:
		s.gone(s.calls[e.Call])
	case OfferAccepted:
		s.accepted(e.Agent, e.Call)
	case OfferDeclined:
		s.declined(e.Agent, e.Call)
	case ConnectFailed:
		s.connectFailed(s.agents[e.Agent], s.calls[e.Call])
	case WrapUpDone:
		if a := s.agents[e.Agent]; a != nil && a.state == model.WrapUp {
			s.afterWrapUp(a)
		}
	case AgentDials:
		s.dials(e)
	case DialAnswered:
		if c := s.calls[e.Call]; c != nil {
			c.ringing = false
		}
	case TransferBegan:
		s.transferBegan(s.agents[e.Agent], s.calls[e.Call])
	case TransferFailed:
		s.transferFailed(s.calls[e.Call])
	case AgentParted:
		s.parted(s.agents[e.Agent], s.calls[e.Call])
	case CallMoved:
		s.moved(s.agents[e.Agent], s.calls[e.Call], e.Queue)
	case AgentSupervises:
		s.supervises(e)
	case SupervisionOver:
		if a := s.agents[e.Agent]; a != nil && a.watching() {
			s.gone(a.call)
		}
	case CallTaken:
		s.taken(s.agents[e.Agent], s.calls[e.Call])
	case Tick:
	}
}

// expire lets every deadline that has passed take effect. What it starts anew is due in
// the future, so that a late Tick never lets an offer expire that has not rung.
func (s *State) expire() {
	for {
		a, ok := s.deadlines.first()
		if !ok || a.until.After(s.now) {
			return
		}
		switch a.state {
		case model.Offered:
			s.withdraw(a, WhyExpired)
			s.move(a, model.Break, ReasonNoAnswer, time.Time{})
		case model.WrapUp:
			s.afterWrapUp(a)
		default: // no other state is given a deadline
			s.deadlines.remove(a)
		}
	}
}

// settle makes the offers that have become possible: among the queues where something
// changed, always for the oldest caller first.
func (s *State) settle() {
	for len(s.dirty) > 0 {
		best := -1
		for i := 0; i < len(s.dirty); {
			if !s.dirty[i].canOffer() {
				s.dirty[i].dirty = false
				last := len(s.dirty) - 1
				s.dirty[i] = s.dirty[last]
				s.dirty = s.dirty[:last]
				continue
			}
			if best < 0 || olderCall(s.dirty[i].head(), s.dirty[best].head()) {
				best = i
			}
			i++
		}
		if best >= 0 {
			s.offer(s.dirty[best])
		}
	}
}

// offer rings the queue's best agent for its head; both exist.
func (s *State) offer(q *queue) {
	c, a := q.head(), q.pick()
	lastResort := a.verdict.Flagged() && q.policy() == model.PolicyLastResort
	q.waiting.remove(c)
	a.call, c.agent = c, a
	until := s.now.Add(q.offerTimeout())
	s.move(a, model.Offered, "", until)
	s.emit(Offer{Agent: a.id, Call: c.id, Queue: q.id, Until: until, LastResort: lastResort})
}

// withdraw takes an offer back; the caller waits again in the old place. The agent's
// next state is the asker's business.
func (s *State) withdraw(a *agent, why string) {
	c := a.call
	a.call, c.agent = nil, nil
	s.emit(OfferWithdrawn{Agent: a.id, Call: c.id, Why: why})
	s.await(c)
}

// await lets a caller stand in the queue, free to be offered.
func (s *State) await(c *call) {
	c.queue.waiting.push(c)
	s.touch(c.queue)
}

func (s *State) touch(q *queue) {
	if !q.dirty {
		q.dirty = true
		s.dirty = append(s.dirty, q)
	}
}

func (s *State) emit(a Action) { s.out = append(s.out, a) }

func (s *State) next() uint64 {
	s.seq++
	return s.seq
}

// siteChanged takes new queues. One that is gone keeps its callers and whoever serves
// it, with the rules it last had; it just is no longer listed.
func (s *State) siteChanged(queues []model.Queue) {
	for _, q := range s.listed {
		q.listed = false
	}
	s.listed = s.listed[:0]
	for _, cfg := range queues {
		q := s.queue(cfg.ID)
		q.cfg = cfg
		q.cfg.Numbers = nil // not ours, and not to be shared
		if !q.listed {
			q.listed = true
			s.listed = append(s.listed, q)
		}
		s.touch(q)
	}
}

// queue finds a queue or, for a name never heard of, makes one with default rules that
// is not listed: a caller is never lost for a mistake in the site.
func (s *State) queue(id model.QueueID) *queue {
	q := s.queues[id]
	if q == nil {
		q = newQueue(id)
		s.queues[id] = q
	}
	return q
}

// enroll and dismiss keep the roster in the order of identities.
func (s *State) enroll(a *agent) {
	i, _ := s.find(a.id)
	s.roster = slices.Insert(s.roster, i, a)
	s.agents[a.id] = a
}

func (s *State) dismiss(a *agent) {
	if i, ok := s.find(a.id); ok {
		s.roster = slices.Delete(s.roster, i, i+1)
	}
	delete(s.agents, a.id)
}

func (s *State) find(id model.AgentID) (int, bool) {
	return slices.BinarySearchFunc(s.roster, id, func(a *agent, id model.AgentID) int {
		return strings.Compare(string(a.id), string(id))
	})
}
