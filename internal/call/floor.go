package call

import (
	"cmp"
	"context"
	"crypto/subtle"
	"reflect"
	"slices"
	"time"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

// publishEvery bounds how often screens get a new picture.
const publishEvery = 50 * time.Millisecond

// floor owns the acd.State and the tables of calls and agents. The methods that
// others call post a step; apply, do and what they call run inside one.
type floor struct {
	sb   *Switchboard
	box  *mailbox
	done chan struct{} // closed when the floor has ended

	state    *acd.State
	calls    map[model.CallID]*call
	agents   map[model.AgentID]*seat
	books    map[model.AgentID]*legBook // survives the session, so that a late report finds its leg
	offered  map[model.CallID]model.AgentID
	dialling *order    // for the step in which acd is asked
	watch    *watching // for the same of a supervision
	verdicts map[model.HeadsetID]model.Verdict
	attempt  uint64 // counts Connects, so that a late one is known
	empty    []chan struct{}
	ending   bool // no call may go on

	dirty     bool
	touched   map[model.AgentID]bool // agents of whom something outside of acd changed
	deadline  alarm
	publish   alarm
	published time.Time
}

// seat is a signed-in agent as the floor knows them.
type seat struct {
	agent   *Agent
	queues  []model.QueueID // whose calls are offered
	headset model.HeadsetID
	verdict model.VerdictState
}

func newFloor(s *Switchboard) *floor {
	return &floor{
		sb: s, box: newMailbox(), done: make(chan struct{}), state: acd.New(),
		calls: map[model.CallID]*call{}, agents: map[model.AgentID]*seat{}, books: map[model.AgentID]*legBook{},
		touched: map[model.AgentID]bool{}, offered: map[model.CallID]model.AgentID{}, verdicts: map[model.HeadsetID]model.Verdict{},
	}
}

func (f *floor) run(ctx context.Context) {
	defer close(f.done)
	defer f.box.close()
	for {
		select {
		case <-f.box.wake:
			f.box.run()
		case <-f.deadline.C:
			f.apply(acd.Tick{})
		case <-f.publish.C:
			f.publish.clear()
		case <-ctx.Done():
			f.box.run()
			f.show(time.Now())
			return
		}
		f.schedule()
	}
}

// schedule sets the next deadline and publishes what changed, now or soon.
func (f *floor) schedule() {
	now := time.Now()
	if at, ok := f.state.NextDeadline(); ok {
		f.deadline.set(max(at.Sub(now), time.Millisecond))
	} else {
		f.deadline.clear()
	}
	if !f.dirty {
		return
	}
	if wait := publishEvery - now.Sub(f.published); wait > 0 {
		if !f.publish.isSet() {
			f.publish.set(wait)
		}
		return
	}
	f.show(now)
}

// show publishes the picture and tells the bus of every queue and agent that changed.
func (f *floor) show(now time.Time) {
	f.dirty, f.published = false, now
	defer clear(f.touched)
	before := f.sb.snapshot.Load()
	snap := f.state.Snapshot(now)
	f.sb.snapshot.Store(&snap)
	for i, q := range snap.Queues {
		if i >= len(before.Queues) || !reflect.DeepEqual(before.Queues[i], q) {
			f.sb.publish(EventQueue, q)
		}
	}
	was := map[model.AgentID]acd.AgentView{}
	for _, a := range before.Agents {
		was[a.ID] = a
	}
	for _, a := range snap.Agents {
		if b, ok := was[a.ID]; !ok || f.touched[a.ID] || !reflect.DeepEqual(a, b) {
			f.sb.publish(EventAgent, a)
		}
		delete(was, a.ID)
	}
	for id := range was {
		f.sb.publish(EventAgent, acd.AgentView{ID: id, State: model.Offline, Since: now, Queues: []model.QueueID{}})
	}
}

// touch says that something of an agent changed that acd does not know: link, media, headset.
func (f *floor) touch(id model.AgentID) {
	f.box.post(func() { f.dirty, f.touched[id] = true, true })
}

// tell applies an event in a step of its own.
func (f *floor) tell(e acd.Event) { f.box.post(func() { f.apply(e) }) }

func (f *floor) apply(e acd.Event) {
	f.dirty = true
	for _, a := range f.state.Apply(time.Now(), e) {
		f.do(a)
	}
}

func (f *floor) do(a acd.Action) {
	switch a := a.(type) {
	case acd.Offer:
		f.offer(a)
	case acd.OfferWithdrawn:
		f.withdrawn(a)
	case acd.Connect:
		f.connect(a)
	case acd.Requeued:
		f.sb.count.requeued.Add(1)
		if c := f.calls[a.Call]; c != nil {
			c.requeued(a.Why)
		}
	case acd.Dial:
		f.dialled(a)
	case acd.DialRefused:
		f.dialling.answer(dialResult{err: errBusy})
	case acd.Supervise:
		f.watch.mayWatch(true)
	case acd.SuperviseRefused:
		f.watch.mayWatch(false)
	case acd.Dropped:
		if c := f.calls[a.Call]; c != nil {
			c.dropped(a.Why)
		}
	case acd.Parted:
		if c := f.calls[a.Call]; c != nil {
			c.parted(a.Agent)
		}
	case acd.AgentChanged:
		if s := f.agents[a.Agent]; s != nil {
			s.agent.changed(a)
			if a.State == model.Offline {
				f.remove(s.agent)
			}
		}
	}
}

func (f *floor) offer(a acd.Offer) {
	c, s := f.calls[a.Call], f.agents[a.Agent]
	if c == nil || s == nil {
		f.sb.log.Error("offer of somebody unknown", "call_id", a.Call, "agent", a.Agent)
		return
	}
	f.offered[a.Call] = a.Agent
	f.sb.count.offers.Add(1)
	if s.verdict.Flagged() {
		f.sb.count.offersFlagged.Add(1)
	}
	c.offered(a, s.headset, s.verdict)
	s.agent.offered(a, *c.published.Load())
}

func (f *floor) withdrawn(a acd.OfferWithdrawn) {
	if f.offered[a.Call] == a.Agent {
		delete(f.offered, a.Call)
		if a.Why == acd.WhyExpired {
			f.sb.count.rona.Add(1)
		}
		if c := f.calls[a.Call]; c != nil {
			c.withdrawn(a)
		}
	}
	if s := f.agents[a.Agent]; s != nil {
		s.agent.withdrawn(a)
	}
}

func (f *floor) connect(a acd.Connect) {
	delete(f.offered, a.Call)
	f.attempt++
	c, s := f.calls[a.Call], f.agents[a.Agent]
	if c == nil || s == nil || !c.connecting(a.Agent, f.attempt) || !s.agent.connect(c, f.attempt) {
		f.tell(acd.ConnectFailed(a))
	}
}

// answer is what an agent said to an offer.
func (f *floor) answer(agent model.AgentID, id model.CallID, accepted bool) {
	f.box.post(func() {
		if accepted {
			f.apply(acd.OfferAccepted{Agent: agent, Call: id})
			return
		}
		if f.offered[id] == agent {
			delete(f.offered, id)
			if c := f.calls[id]; c != nil {
				c.declined(agent)
			}
		}
		f.apply(acd.OfferDeclined{Agent: agent, Call: id})
	})
}

// callBegan enters a call into the tables.
func (f *floor) callBegan(c *call) {
	f.box.post(func() { f.enterCall(c) })
}

func (f *floor) enterCall(c *call) {
	f.calls[c.id] = c
	list := append(slices.Clone(*f.sb.calls.Load()), c) // readers may hold the old one
	f.sb.calls.Store(&list)
	if f.ending {
		c.drained()
	}
}

// callOver takes it out again; whoever was on it or rung for it is freed by acd.
func (f *floor) callOver(c *call) {
	f.box.post(func() { f.leaveCall(c) })
}

func (f *floor) leaveCall(c *call) {
	f.apply(acd.CallGone{Call: c.id})
	delete(f.calls, c.id)
	delete(f.offered, c.id)
	list := slices.DeleteFunc(slices.Clone(*f.sb.calls.Load()), func(other *call) bool { return other == c })
	f.sb.calls.Store(&list)
	f.checkEmpty()
}

func (f *floor) listAgents() {
	list := make([]*Agent, 0, len(f.agents))
	for _, s := range f.agents {
		list = append(list, s.agent)
	}
	slices.SortFunc(list, func(a, b *Agent) int { return cmp.Compare(a.id, b.id) })
	f.sb.agents.Store(&list)
}

// signIn seats an agent. An earlier session of the same person is told that it was
// replaced; a caller it had on the line goes back to the head of the queue.
func (f *floor) signIn(a *Agent, user model.User, verdict model.Verdict) bool {
	return f.box.post(func() {
		newest := f.newest(verdict)
		if old := f.agents[a.id]; old != nil {
			old.agent.end(endReplaced())
			f.apply(acd.AgentLost{Agent: a.id})
			f.remove(old.agent)
		}
		book := f.books[a.id]
		if book == nil {
			book = &legBook{}
			f.books[a.id] = book
		}
		a.book = book // the agent's goroutine starts after this
		if !f.sb.enter(a.run) {
			a.abandon()
			return
		}
		f.agents[a.id] = &seat{agent: a, queues: user.Queues, headset: a.headsetID(), verdict: newest.State}
		f.listAgents()
		f.apply(acd.AgentSignedIn{Agent: a.id, Queues: user.Queues, Verdict: newest.State})
		if newest.At.After(verdict.At) {
			a.judged(newest)
		}
	})
}

// newest gives what is thought of a headset: v, which somebody looked up a moment ago, or
// what was heard of since.
func (f *floor) newest(v model.Verdict) model.Verdict {
	if heard, ok := f.verdicts[v.Headset]; ok && heard.At.After(v.At) {
		return heard
	}
	return v
}

// find gives the session that a resume token belongs to, or nil.
func (f *floor) find(ctx context.Context, id model.AgentID, token string) *Agent {
	found := make(chan *Agent, 1)
	posted := f.box.post(func() {
		s := f.agents[id]
		if s != nil && subtle.ConstantTimeCompare([]byte(s.agent.token), []byte(token)) == 1 {
			found <- s.agent
			return
		}
		found <- nil
	})
	if !posted {
		return nil
	}
	select {
	case a := <-found:
		return a
	case <-ctx.Done():
	case <-f.done:
	}
	return nil
}

// agentGone is how a session ends that the client did not sign out of.
func (f *floor) agentGone(a *Agent) {
	f.box.post(func() {
		if s := f.agents[a.id]; s != nil && s.agent == a {
			f.apply(acd.AgentLost{Agent: a.id})
			f.remove(a)
		}
	})
}

func (f *floor) remove(a *Agent) {
	if s := f.agents[a.id]; s != nil && s.agent == a {
		delete(f.agents, a.id)
		f.listAgents()
	}
}

// headsetChanged says that an agent wears another headset and what is known of it.
func (f *floor) headsetChanged(a *Agent, v model.Verdict) {
	f.box.post(func() {
		s := f.agents[a.id]
		if s == nil || s.agent != a {
			return
		}
		newest := f.newest(v)
		s.headset, s.verdict, f.touched[a.id] = v.Headset, newest.State, true
		f.apply(acd.HeadsetJudged{Agent: a.id, Verdict: newest.State})
		if newest.At.After(v.At) {
			a.judged(newest)
		}
	})
}

func (f *floor) headsetJudged(v model.Verdict) {
	f.box.post(func() {
		last, known := f.verdicts[v.Headset]
		if known && (v.At.Before(last.At) || reflect.DeepEqual(last, v)) {
			return
		}
		f.verdicts[v.Headset] = v
		f.sb.publish(EventVerdict, v)
		for id, s := range f.agents {
			if s.headset != v.Headset {
				continue
			}
			s.agent.judged(v)
			if s.verdict != v.State {
				s.verdict = v.State
				f.apply(acd.HeadsetJudged{Agent: id, Verdict: v.State})
			}
		}
	})
}

func (f *floor) siteChanged(site model.Site) {
	f.box.post(func() {
		f.apply(acd.SiteChanged{Queues: site.Queues})
		for _, id := range sortedKeys(f.agents) {
			s := f.agents[id]
			i := slices.IndexFunc(site.Users, func(u model.User) bool { return u.ID == id })
			if i < 0 || !site.Users[i].MayWork() {
				f.dismiss(s.agent)
				continue
			}
			s.queues = f.serves(site, s, site.Users[i])
			s.agent.dismiss(false)
			s.agent.limitsChanged()
			f.apply(acd.AgentSignedIn{Agent: id, Queues: s.queues, Verdict: s.verdict})
		}
		for _, c := range f.calls {
			if q := c.published.Load().Queue; q != "" {
				c.queueListed(hasQueue(site, q))
			}
		}
	})
}

// signOut lets an agent go who may not take calls any more.
func (f *floor) signOut(a *Agent) {
	f.box.post(func() {
		if s := f.agents[a.id]; s != nil && s.agent == a {
			f.dismiss(a)
		}
	})
}

func (f *floor) dismiss(a *Agent) {
	a.dismiss(true)
	f.apply(acd.AgentSignedOut{Agent: a.id})
}

// serves gives the queues of an agent under a new site: those of the user and, of those
// served so far, any that the site has no longer while somebody waits there: who would take
// those callers otherwise?
func (f *floor) serves(site model.Site, s *seat, user model.User) []model.QueueID {
	queues := slices.Clone(user.Queues)
	for _, q := range s.queues {
		if hasQueue(site, q) || slices.Contains(queues, q) {
			continue
		}
		for _, c := range f.calls {
			if c.published.Load().Queue == q {
				queues = append(queues, q)
				break
			}
		}
	}
	return queues
}

func hasQueue(site model.Site, id model.QueueID) bool {
	return slices.ContainsFunc(site.Queues, func(q model.Queue) bool { return q.ID == id })
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// drain gives a channel that is closed when no call is left.
func (f *floor) drain() <-chan struct{} {
	empty := make(chan struct{})
	if !f.box.post(func() {
		f.empty = append(f.empty, empty)
		f.checkEmpty()
	}) {
		close(empty)
	}
	return empty
}

func (f *floor) checkEmpty() {
	if len(f.calls) > 0 {
		return
	}
	for _, c := range f.empty {
		close(c)
	}
	f.empty = nil
}

func (f *floor) endCalls() {
	f.box.post(func() {
		f.ending = true
		for _, c := range f.calls {
			c.drained()
		}
	})
}

// endAll ends every call and every session.
func (f *floor) endAll() {
	f.endCalls()
	f.box.post(func() {
		for _, s := range f.agents {
			s.agent.end(endStopping())
		}
	})
}
