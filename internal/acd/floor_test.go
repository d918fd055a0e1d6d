package acd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

// opening is when every test's shift begins.
var opening = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// floor plays a shift in the words of a supervisor and keeps what had to be done.
type floor struct {
	t    *testing.T
	s    *acd.State
	now  time.Time
	last []acd.Action
}

func newFloor(t *testing.T, queues ...model.Queue) *floor {
	t.Helper()
	f := &floor{t: t, s: acd.New(), now: opening}
	if len(queues) == 0 {
		queues = []model.Queue{queue("sales", "")}
	}
	f.do(acd.SiteChanged{Queues: queues})
	return f
}

func queue(id model.QueueID, policy model.HeadsetPolicy) model.Queue {
	return model.Queue{
		ID: id, Title: strings.ToUpper(string(id)), HeadsetPolicy: policy,
		OfferTimeout: 15 * time.Second, WrapUp: 30 * time.Second, ServiceLevel: 20 * time.Second,
	}
}

func (f *floor) do(e acd.Event) *floor {
	f.last = f.s.Apply(f.now, e)
	return f
}

func (f *floor) after(d time.Duration) *floor {
	f.now = f.now.Add(d)
	return f
}

func (f *floor) tick() *floor { return f.do(acd.Tick{}) }

// ready signs agents in to the queues and makes them ready, one second apart.
func (f *floor) ready(queues string, agents ...model.AgentID) *floor {
	for _, a := range agents {
		f.signIn(queues, a, model.VerdictGood)
		f.do(acd.AgentReady{Agent: a}).after(time.Second)
	}
	return f
}

func (f *floor) signIn(queues string, a model.AgentID, v model.VerdictState) *floor {
	var ids []model.QueueID
	for _, q := range strings.Fields(queues) {
		ids = append(ids, model.QueueID(q))
	}
	return f.do(acd.AgentSignedIn{Agent: a, Queues: ids, Verdict: v})
}

// flaggedFay is ready with a headset that is to be replaced.
func (f *floor) flaggedFay(queues string) *floor {
	f.signIn(queues, "fay", model.VerdictReplace)
	return f.do(acd.AgentReady{Agent: "fay"}).after(time.Second)
}

func (f *floor) caller(q model.QueueID, c model.CallID) *floor {
	return f.do(acd.CallQueued{Call: c, Queue: q})
}

func (f *floor) accept(a model.AgentID, c model.CallID) *floor {
	return f.do(acd.OfferAccepted{Agent: a, Call: c})
}

func (f *floor) hangUp(c model.CallID) *floor { return f.do(acd.CallGone{Call: c}) }

// talking brings a caller of sales and an agent together; the caller must be offered to that agent.
func (f *floor) talking(a model.AgentID, c model.CallID) *floor {
	f.t.Helper()
	f.caller("sales", c).wants(fmt.Sprintf("offer %s to %s", c, a))
	return f.accept(a, c).wants(fmt.Sprintf("connect %s with %s", c, a))
}

// said puts an action into words.
func said(a acd.Action) string {
	switch a := a.(type) {
	case acd.Offer:
		if a.LastResort {
			return fmt.Sprintf("offer %s to %s as last resort", a.Call, a.Agent)
		}
		return fmt.Sprintf("offer %s to %s", a.Call, a.Agent)
	case acd.OfferWithdrawn:
		return fmt.Sprintf("withdraw %s from %s: %s", a.Call, a.Agent, a.Why)
	case acd.Connect:
		return fmt.Sprintf("connect %s with %s", a.Call, a.Agent)
	case acd.Requeued:
		return fmt.Sprintf("requeue %s: %s", a.Call, a.Why)
	case acd.Dial:
		return fmt.Sprintf("dial %s for %s", a.Call, a.Agent)
	case acd.DialRefused:
		return fmt.Sprintf("no dial %s for %s: %s", a.Call, a.Agent, a.Why)
	case acd.Dropped:
		return fmt.Sprintf("drop %s: %s", a.Call, a.Why)
	case acd.Parted:
		return fmt.Sprintf("part %s from %s: %s", a.Agent, a.Call, a.Why)
	case acd.AgentChanged:
		if a.Reason != "" {
			return fmt.Sprintf("%s is on break: %s", a.Agent, a.Reason)
		}
		return fmt.Sprintf("%s is %s", a.Agent, a.State)
	default:
		return fmt.Sprintf("%#v", a)
	}
}

// wants checks that the newest event led to each of these, in this order, and to nothing
// else but changes of agents' states that the test does not speak of.
func (f *floor) wants(lines ...string) *floor {
	f.t.Helper()
	var got []string
	for _, a := range f.last {
		line := said(a)
		if _, state := a.(acd.AgentChanged); state && !slices.Contains(lines, line) {
			continue
		}
		got = append(got, line)
	}
	if !slices.Equal(got, lines) {
		f.t.Errorf("got:\n  %s\nwant:\n  %s\nall of it: %v", strings.Join(got, "\n  "), strings.Join(lines, "\n  "), f.last)
	}
	return f
}

// wantsNothing checks that the newest event led to nothing at all.
func (f *floor) wantsNothing() *floor {
	f.t.Helper()
	if len(f.last) != 0 {
		f.t.Errorf("got %v, want nothing", f.last)
	}
	return f
}

// is checks an agent's state as a supervisor sees it.
func (f *floor) is(a model.AgentID, want model.AgentState, reason string) {
	f.t.Helper()
	got, why := model.Offline, ""
	for _, v := range f.s.Snapshot(f.now).Agents {
		if v.ID == a {
			got, why = v.State, v.Reason
		}
	}
	if got != want || why != reason {
		f.t.Errorf("%s is %s %q, want %s %q", a, got, why, want, reason)
	}
}

// waits checks who waits in a queue, head first.
func (f *floor) waits(q model.QueueID, want ...model.CallID) {
	f.t.Helper()
	var got []model.CallID
	for _, v := range f.s.Snapshot(f.now).Queues {
		if v.ID == q {
			for _, w := range v.Waiting {
				got = append(got, w.Call)
			}
		}
	}
	if !slices.Equal(got, want) {
		f.t.Errorf("waiting in %s: %v, want %v", q, got, want)
	}
}

// sales is the first queue as the page shows it.
func (f *floor) sales() acd.QueueView {
	f.t.Helper()
	return f.s.Snapshot(f.now).Queues[0]
}
