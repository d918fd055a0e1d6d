package call_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// record is a working call.Journal, Evidence and Headsets in memory, which can fail.
type record struct {
	mu       sync.Mutex
	down     error                   // every write fails
	refuse   func(what string) error // some writes fail
	verdict  map[model.HeadsetID]model.VerdictState
	calls    map[model.CallID]model.Call
	legs     map[model.LegID]model.Leg
	causes   map[string]int // how often an end was written, by call or leg
	events   []model.CallEvent
	chunks   []model.ReadingChunk
	reports  []model.ReportRecord
	ladders  []model.CallLadder
	headsets []model.Headset
	order    []string
}

func newRecord() *record {
	return &record{
		calls: map[model.CallID]model.Call{}, legs: map[model.LegID]model.Leg{}, causes: map[string]int{},
		verdict: map[model.HeadsetID]model.VerdictState{},
	}
}

func (r *record) write(what string, f func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down != nil {
		return r.down
	}
	if r.refuse != nil {
		if err := r.refuse(what); err != nil {
			return err
		}
	}
	r.order = append(r.order, what)
	f()
	return nil
}

func (r *record) setDown(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = err
}

func (r *record) CallStarted(_ context.Context, c model.Call) error {
	return r.write("call_started", func() { r.calls[c.ID] = c })
}

func (r *record) CallUpdated(_ context.Context, c model.Call) error {
	return r.write("call_updated", func() { r.calls[c.ID] = c })
}

func (r *record) CallEnded(_ context.Context, id model.CallID, at time.Time, cause model.Cause) error {
	return r.write("call_ended", func() {
		c := r.calls[id]
		c.EndedAt, c.Cause = &at, cause
		r.calls[id] = c
		r.causes[string(id)]++
	})
}

func (r *record) AddEvent(_ context.Context, e model.CallEvent) error {
	return r.write(e.Kind, func() { r.events = append(r.events, e) })
}

func (r *record) LegStarted(_ context.Context, l model.Leg) error {
	return r.write("leg_started", func() { r.legs[l.ID] = l })
}

func (r *record) LegEnded(_ context.Context, l model.Leg) error {
	return r.write("leg_ended", func() {
		r.legs[l.ID] = l
		r.causes[string(l.ID)]++
	})
}

func (r *record) AgentLegs(_ context.Context, call model.CallID, agent model.AgentID) (out []model.Leg, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.legs {
		if l.Call == call && l.Agent == agent {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b model.Leg) int { return b.StartedAt.Compare(a.StartedAt) })
	return out, r.down
}

func (r *record) AddReadings(_ context.Context, c model.ReadingChunk) error {
	return r.write("readings", func() { r.chunks = append(r.chunks, c) })
}

func (r *record) AddLadder(_ context.Context, l model.CallLadder) error {
	return r.write("ladder", func() { r.ladders = append(r.ladders, l) })
}

// said is the first lines of what was kept of SIP, by call.
func (r *record) said() map[model.CallID][]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[model.CallID][]string{}
	for _, l := range r.ladders {
		for _, m := range l.Messages {
			out[l.Call] = append(out[l.Call], m.First)
		}
	}
	return out
}

func (r *record) Reported(_ context.Context, rec model.ReportRecord) (v model.Verdict, err error) {
	err = r.write("report", func() {
		r.reports = append(r.reports, rec)
		v = r.know(rec.Headset)
	})
	return v, err
}

func (r *record) know(id model.HeadsetID) model.Verdict {
	state := r.verdict[id]
	if state == "" {
		state = model.VerdictUnknown
	}
	return model.Verdict{Headset: id, State: state, Findings: []model.VerdictFinding{}, Text: "as the test wants it", At: time.Now()}
}

func (r *record) Verdict(_ context.Context, id model.HeadsetID) (v model.Verdict, err error) {
	err = r.write("verdict", func() { v = r.know(id) })
	return v, err
}

func (r *record) SeenHeadset(_ context.Context, h model.Headset) error {
	return r.write("headset", func() { r.headsets = append(r.headsets, h) })
}

// story is the kinds of a call's events, in order.
func (r *record) story(id model.CallID) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.events {
		if e.Call == id {
			out = append(out, e.Kind)
		}
	}
	return out
}

// only gives the one call there is.
func (r *record) only(t *testing.T) model.Call {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.calls) != 1 {
		t.Fatalf("%d calls recorded, wanted one", len(r.calls))
	}
	for _, c := range r.calls {
		return c
	}
	panic("unreachable")
}

func (r *record) event(kind string) (model.CallEvent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			return e, true
		}
	}
	return model.CallEvent{}, false
}

// faults is what is wrong with the record once everything is over.
func (r *record) faults() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.calls {
		if c.EndedAt == nil || c.Cause == "" || r.causes[string(id)] != 1 {
			out = append(out, fmt.Sprintf("call %s: ended %v, cause %q, written %d times", id, c.EndedAt, c.Cause, r.causes[string(id)]))
		}
	}
	for id, l := range r.legs {
		if l.EndedAt == nil || l.Cause == "" || r.causes[string(id)] != 1 {
			out = append(out, fmt.Sprintf("leg %s: ended %v, cause %q, written %d times", id, l.EndedAt, l.Cause, r.causes[string(id)]))
		}
		if _, ok := r.calls[l.Call]; !ok {
			out = append(out, fmt.Sprintf("leg %s of a call that is not recorded", id))
		}
	}
	return out
}
