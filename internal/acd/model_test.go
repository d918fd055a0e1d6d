package acd_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

// oracle is the same floor told from the actions alone, with nothing but slices and
// walks over all of them: slow, and plain enough to be believed.
type oracle struct {
	policies map[model.QueueID]model.HeadsetPolicy
	agents   map[model.AgentID]*oracleAgent
	calls    []*oracleCall // in the order they came
	clock    int
	dialling model.QueueID // of the AgentDials that is being heard
}

type oracleAgent struct {
	id      model.AgentID
	state   model.AgentState
	until   time.Time
	queues  []model.QueueID
	verdict model.VerdictState
	idle    int
	call    model.CallID
}

type oracleCall struct {
	id       model.CallID
	queue    model.QueueID
	requeued bool
	agent    model.AgentID
	talking  bool
	dialled  bool // and not answered
	passing  bool
}

// with reports whether the agent speaks with the caller, or is passing them on.
func (c *oracleCall) with(a model.AgentID) bool {
	return c != nil && c.talking && a != "" && c.agent == a
}

func (o *oracle) call(id model.CallID) *oracleCall {
	for _, c := range o.calls {
		if c.id == id {
			return c
		}
	}
	return nil
}

// may says whether the agent, being ready, may have a caller of the queue; last says that
// it is only for want of others.
func (o *oracle) may(a *oracleAgent, q model.QueueID) (may, last bool) {
	if a.state != model.Ready || !slices.Contains(a.queues, q) {
		return false, false
	}
	if !a.verdict.Flagged() || o.policies[q] == model.PolicyIgnore {
		return true, false
	}
	if o.policies[q] == model.PolicyExclude {
		return false, false
	}
	for _, b := range o.agents {
		if b.state == model.Ready && !b.verdict.Flagged() && slices.Contains(b.queues, q) {
			return false, false
		}
	}
	return true, true
}

// best is the agent who should ring for a queue.
func (o *oracle) best(q model.QueueID) *oracleAgent {
	var best *oracleAgent
	for _, a := range o.agents {
		if ok, _ := o.may(a, q); ok && (best == nil || a.idle < best.idle) {
			best = a
		}
	}
	return best
}

// nextPair is who should ring next, and for whom; nil when nobody can.
func (o *oracle) nextPair() (*oracleCall, *oracleAgent) {
	for _, requeued := range []bool{true, false} {
		for _, c := range o.calls {
			if c.agent != "" || c.talking || c.requeued != requeued {
				continue
			}
			if a := o.best(c.queue); a != nil {
				return c, a
			}
		}
	}
	return nil, nil
}

// hear takes what the test told the floor.
func (o *oracle) hear(e acd.Event) {
	switch e := e.(type) {
	case acd.SiteChanged:
		for _, q := range e.Queues {
			o.policies[q.ID] = q.HeadsetPolicy
		}
	case acd.AgentSignedIn:
		a := o.agents[e.Agent]
		if a == nil {
			a = &oracleAgent{id: e.Agent, state: model.Offline}
			o.agents[e.Agent] = a
		}
		a.queues, a.verdict = e.Queues, e.Verdict
	case acd.HeadsetJudged:
		if a := o.agents[e.Agent]; a != nil {
			a.verdict = e.Verdict
		}
	case acd.CallQueued:
		if o.call(e.Call) == nil {
			o.calls = append(o.calls, &oracleCall{id: e.Call, queue: e.Queue})
		}
	case acd.CallGone:
		if c := o.call(e.Call); c != nil {
			if a := o.agents[c.agent]; a != nil && c.talking {
				a.call = ""
			}
			o.forget(e.Call)
		}
	case acd.AgentDials:
		o.dialling = e.Queue
	case acd.DialAnswered:
		if c := o.call(e.Call); c != nil {
			c.dialled = false
		}
	case acd.TransferBegan:
		if c := o.call(e.Call); c.with(e.Agent) && !c.dialled {
			c.passing = true
		}
	case acd.TransferFailed:
		if c := o.call(e.Call); c != nil && c.agent != "" {
			c.passing = false
		}
	case acd.AgentParted:
		if c := o.call(e.Call); c.with(e.Agent) && c.passing {
			o.agents[c.agent].call, c.agent = "", ""
		}
	case acd.CallMoved:
		if c := o.call(e.Call); c.with(e.Agent) && !c.dialled {
			o.agents[c.agent].call = ""
			c.agent, c.talking, c.requeued, c.passing, c.queue = "", false, false, false, e.Queue
		}
	}
}

func (o *oracle) forget(id model.CallID) {
	o.calls = slices.DeleteFunc(o.calls, func(c *oracleCall) bool { return c.id == id })
}

// seeDialled takes an action about a call that was dialled or is passed on.
func (o *oracle) seeDialled(act acd.Action) error {
	switch act := act.(type) {
	case acd.Dial:
		a := o.agents[act.Agent]
		if a == nil || a.state != model.OnCall || a.call != "" || o.call(act.Call) != nil {
			return fmt.Errorf("dials while %+v", a)
		}
		a.call = act.Call
		o.calls = append(o.calls, &oracleCall{id: act.Call, queue: o.dialling, agent: a.id, talking: true, dialled: true})
	case acd.DialRefused:
		if a := o.agents[act.Agent]; (a == nil) != (act.Why == acd.WhyOffline) || a != nil && a.call == "" {
			return fmt.Errorf("may not dial, though %+v", a)
		}
	case acd.Dropped:
		c := o.call(act.Call)
		if c == nil || !c.talking || !c.dialled && c.queue != "" {
			return fmt.Errorf("dropped %+v", c)
		}
		if a := o.agents[c.agent]; a != nil {
			a.call = ""
		}
		o.forget(c.id)
	case acd.Parted:
		c := o.call(act.Call)
		if !c.with(act.Agent) || !c.passing {
			return fmt.Errorf("parted from %+v", c)
		}
		o.agents[c.agent].call, c.agent = "", ""
	}
	return nil
}

// see takes one action and says what is wrong with it, if anything.
func (o *oracle) see(now time.Time, act acd.Action) error {
	switch act := act.(type) {
	case acd.AgentChanged:
		return o.seeState(now, act)
	case acd.Offer:
		c, a := o.call(act.Call), o.agents[act.Agent]
		switch {
		case c == nil || c.agent != "" || c.talking:
			return fmt.Errorf("offered a call that is not free: %+v", c)
		case a.state != model.Offered || a.call != "":
			return fmt.Errorf("offered to an agent who is %s with call %q", a.state, a.call)
		case !act.Until.Equal(a.until) || !act.Until.After(now):
			return fmt.Errorf("offer until %v, agent until %v, now %v", act.Until, a.until, now)
		}
		a.state = model.Ready // as it was just before, to ask who should have been chosen
		wantCall, wantAgent := o.nextPair()
		_, last := o.may(a, c.queue)
		a.state = model.Offered
		if wantCall != c || wantAgent != a {
			return fmt.Errorf("offered %s to %s, want %v to %v", c.id, a.id, wantCall, wantAgent)
		}
		if last != act.LastResort {
			return fmt.Errorf("last resort is %v, want %v", act.LastResort, last)
		}
		c.agent, a.call = a.id, c.id
	case acd.OfferWithdrawn:
		if act.Why == acd.WhyStale || act.Why == acd.WhyElsewhere {
			if c := o.call(act.Call); c != nil && c.agent == act.Agent {
				return fmt.Errorf("called stale, but %s has %s", act.Agent, act.Call)
			}
			return nil
		}
		a := o.agents[act.Agent]
		if a == nil || a.state != model.Offered || a.call != act.Call {
			return fmt.Errorf("withdrawn from %+v", a)
		}
		a.call = ""
		if c := o.call(act.Call); c != nil {
			c.agent = ""
		}
	case acd.Connect:
		a, c := o.agents[act.Agent], o.call(act.Call)
		if a.state != model.OnCall || c == nil || a.call != c.id || c.agent != a.id {
			return fmt.Errorf("connected %+v with %+v", c, a)
		}
		c.talking = true
	case acd.Requeued:
		c := o.call(act.Call)
		if c == nil || !c.talking {
			return fmt.Errorf("requeued %+v", c)
		}
		if a := o.agents[c.agent]; a != nil {
			a.call = ""
		} else if !c.passing || act.Why != acd.WhyTransferFailed {
			return fmt.Errorf("requeued without an agent: %+v", c)
		}
		if c.dialled || c.queue == "" {
			return fmt.Errorf("nobody would wait, or nowhere: %+v", c)
		}
		c.agent, c.talking, c.requeued, c.passing = "", false, true, false
	default:
		return o.seeDialled(act)
	}
	return nil
}

func (o *oracle) seeState(now time.Time, act acd.AgentChanged) error {
	a := o.agents[act.Agent]
	if a == nil {
		return fmt.Errorf("a state for nobody: %+v", act)
	}
	timed := act.State == model.Offered || act.State == model.WrapUp
	if timed == act.Until.IsZero() || timed && !act.Until.After(now) {
		return fmt.Errorf("%s is %s until %v at %v", a.id, act.State, act.Until, now)
	}
	if a.call != "" && act.State != model.OnCall {
		return fmt.Errorf("%s is %s and still has %s", a.id, act.State, a.call)
	}
	if act.State == model.Ready && a.state != model.Offered {
		o.clock++
		a.idle = o.clock
	}
	a.state, a.until = act.State, act.Until
	if act.State == model.Offline {
		delete(o.agents, a.id)
	}
	return nil
}

// agrees compares what the floor shows with what the oracle knows.
func (o *oracle) agrees(snap acd.Snapshot, due time.Time, waits bool) error {
	if len(snap.Agents) != len(o.agents) {
		return fmt.Errorf("%d agents shown, %d known", len(snap.Agents), len(o.agents))
	}
	var soonest time.Time
	holders := map[model.CallID]model.AgentID{}
	for _, v := range snap.Agents {
		a := o.agents[v.ID]
		if a == nil || a.state != v.State || a.call != v.Call || !a.until.Equal(v.Until) {
			return fmt.Errorf("shown %+v, known %+v", v, a)
		}
		if v.Call != "" {
			if other, twice := holders[v.Call]; twice {
				return fmt.Errorf("%s is with %s and %s", v.Call, other, v.ID)
			}
			holders[v.Call] = v.ID
		}
		if !v.Until.IsZero() && (soonest.IsZero() || v.Until.Before(soonest)) {
			soonest = v.Until
		}
	}
	if waits != !soonest.IsZero() || !due.Equal(soonest) {
		return fmt.Errorf("next deadline %v %v, want %v", due, waits, soonest)
	}
	shown := 0
	for _, q := range snap.Queues {
		shown += len(q.Waiting)
		for _, w := range q.Waiting {
			c := o.call(w.Call)
			if c == nil || c.talking || c.agent != w.Offered || c.queue != q.ID {
				return fmt.Errorf("shown waiting %+v, known %+v", w, c)
			}
		}
	}
	for _, c := range o.calls {
		if !c.talking {
			shown--
		}
	}
	if shown != 0 {
		return fmt.Errorf("%+d callers shown against known", shown)
	}
	if c, a := o.nextPair(); c != nil {
		return fmt.Errorf("%s waits although %s is ready", c.id, a.id)
	}
	return nil
}

var policies = []model.HeadsetPolicy{model.PolicyExclude, model.PolicyLastResort, model.PolicyIgnore}

// drawSite gives three queues random rules. All three are always there, so that the
// oracle need not know how a removed queue is shown.
func drawSite(t *rapid.T) acd.SiteChanged {
	var e acd.SiteChanged
	for _, id := range []model.QueueID{"q1", "q2", "q3"} {
		e.Queues = append(e.Queues, model.Queue{
			ID: id, HeadsetPolicy: rapid.SampledFrom(policies).Draw(t, "policy"),
			OfferTimeout: rapid.SampledFrom([]time.Duration{0, 5 * time.Second, 15 * time.Second}).Draw(t, "offer timeout"),
			WrapUp:       rapid.SampledFrom([]time.Duration{0, 10 * time.Second}).Draw(t, "wrap-up"),
		})
	}
	return e
}

// happenings are drawn with equal chance; the numbers are the cases of drawEvent.
var happenings = []int{0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7, 8, 8, 9, 9, 10, 11, 11, 12, 12, 12, 12, 13, 13}

var people = []model.AgentID{"ann", "bob", "cem", "dia", "eva"}

// drawEvent makes something happen. Most answers fit what is known, so that calls get on;
// the others are late, foreign or nonsense.
func drawEvent(t *rapid.T, o *oracle, calls *int) acd.Event {
	agent := rapid.SampledFrom(people).Draw(t, "agent")
	verdict := rapid.SampledFrom([]model.VerdictState{model.VerdictGood, model.VerdictReplace}).Draw(t, "verdict")
	call := model.CallID("c1")
	if len(o.calls) > 0 {
		call = rapid.SampledFrom(o.calls).Draw(t, "call").id
	}
	if a := o.agents[agent]; a != nil && a.call != "" && rapid.IntRange(0, 3).Draw(t, "fitting") > 0 {
		call = a.call
	}
	switch rapid.SampledFrom(happenings).Draw(t, "what") {
	case 0:
		*calls++
		q := rapid.SampledFrom([]model.QueueID{"q1", "q2", "q3"}).Draw(t, "queue")
		return acd.CallQueued{Call: model.CallID(fmt.Sprintf("c%d", *calls)), Queue: q}
	case 1:
		return acd.AgentReady{Agent: agent}
	case 2:
		queues := rapid.SliceOfNDistinct(rapid.SampledFrom([]model.QueueID{"q1", "q2", "q3"}), 0, 3, rapid.ID[model.QueueID]).Draw(t, "queues")
		return acd.AgentSignedIn{Agent: agent, Queues: queues, Verdict: verdict}
	case 3:
		return acd.OfferAccepted{Agent: agent, Call: call}
	case 4:
		return acd.OfferDeclined{Agent: agent, Call: call}
	case 5:
		return acd.CallGone{Call: call}
	case 6:
		return acd.AgentBreak{Agent: agent, Reason: "coffee"}
	case 7:
		return rapid.SampledFrom([]acd.Event{acd.AgentLost{Agent: agent}, acd.AgentSignedOut{Agent: agent}}).Draw(t, "leaving")
	case 8:
		return acd.HeadsetJudged{Agent: agent, Verdict: verdict}
	case 9:
		return rapid.SampledFrom([]acd.Event{
			acd.ConnectFailed{Agent: agent, Call: call}, acd.WrapUpDone{Agent: agent}, acd.Tick{},
		}).Draw(t, "other")
	case 10:
		return drawSite(t)
	case 11:
		*calls++
		q := rapid.SampledFrom([]model.QueueID{"q1", "q2", "q3", ""}).Draw(t, "for queue")
		return acd.AgentDials{Agent: agent, Call: model.CallID(fmt.Sprintf("c%d", *calls)), Queue: q, Urgent: rapid.Bool().Draw(t, "urgent")}
	case 12:
		return rapid.SampledFrom([]acd.Event{
			acd.DialAnswered{Call: call}, acd.TransferBegan{Agent: agent, Call: call}, acd.TransferFailed{Call: call},
		}).Draw(t, "on the way")
	default:
		return rapid.SampledFrom([]acd.Event{
			acd.AgentParted{Agent: agent, Call: call}, acd.CallMoved{Agent: agent, Call: call, Queue: "q2"},
		}).Draw(t, "passed on")
	}
}

// TestWhateverHappensTheFloorKeepsItsPromises plays random shifts against the oracle:
// no agent has two calls, no call rings twice, nobody ready is left idle while a caller
// they may have waits, the right agent rings for the right caller, every offer and
// wrap-up ends, and the same shift played again gives the same actions.
func TestWhateverHappensTheFloorKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, again := acd.New(), acd.New()
		o := &oracle{policies: map[model.QueueID]model.HeadsetPolicy{}, agents: map[model.AgentID]*oracleAgent{}}
		now, calls := opening, 0
		apply := func(e acd.Event) {
			actions := s.Apply(now, e)
			if repeated := again.Apply(now, e); !reflect.DeepEqual(actions, repeated) {
				t.Fatalf("%#v gave %v and, played again, %v", e, actions, repeated)
			}
			// Deadlines take effect before the event, but offers come after both.
			o.hear(e)
			for _, act := range actions {
				if err := o.see(now, act); err != nil {
					t.Fatalf("%#v: %#v: %v\nall of %v", e, act, err, actions)
				}
			}
			due, waits := s.NextDeadline()
			if err := o.agrees(s.Snapshot(now), due, waits); err != nil {
				t.Fatalf("after %#v: %v", e, err)
			}
		}
		tickDue := func() {
			if due, ok := s.NextDeadline(); ok && !due.After(now) {
				apply(acd.Tick{})
			}
		}
		apply(drawSite(t))
		for _, a := range people[:rapid.IntRange(0, len(people)).Draw(t, "present")] {
			apply(acd.AgentSignedIn{Agent: a, Queues: []model.QueueID{"q1", "q2", "q3"}})
			apply(acd.AgentReady{Agent: a})
		}
		pauses := rapid.SampledFrom([]time.Duration{0, time.Second, 4 * time.Second, 15 * time.Second})
		for range rapid.SampledFrom([]int{5, 20, 80, 200}).Draw(t, "events") {
			now = now.Add(pauses.Draw(t, "pause"))
			tickDue()
			apply(drawEvent(t, o, &calls))
		}
		for range 1000 {
			due, ok := s.NextDeadline()
			if !ok {
				return
			}
			now = due
			tickDue()
		}
		t.Fatalf("still waiting for something: %+v", s.Snapshot(now).Agents)
	})
}
