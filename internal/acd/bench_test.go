package acd_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

// bigFloor has 200 queues and 20 000 agents who serve five each. With callers, nobody is
// ready for those 5 000.
func bigFloor(callers bool) (*acd.State, time.Time) {
	s, now := acd.New(), opening
	var site acd.SiteChanged
	for i := range 200 {
		site.Queues = append(site.Queues, queue(model.QueueID(fmt.Sprintf("q%d", i)), ""))
	}
	s.Apply(now, site)
	for i := range 20_000 {
		a := model.AgentID(fmt.Sprintf("agent%05d", i))
		var queues []model.QueueID
		for k := range 5 {
			queues = append(queues, site.Queues[(i+k*37)%200].ID)
		}
		verdict := model.VerdictGood
		if i%10 == 0 {
			verdict = model.VerdictReplace
		}
		s.Apply(now, acd.AgentSignedIn{Agent: a, Queues: queues, Verdict: verdict})
		if !callers {
			s.Apply(now, acd.AgentReady{Agent: a})
		}
	}
	if callers {
		for i := range 5000 {
			s.Apply(now, acd.CallQueued{Call: model.CallID(fmt.Sprintf("c%d", i)), Queue: site.Queues[i%200].ID})
		}
	}
	return s, now
}

// BenchmarkCallOnAFullFloor is a whole call, queued to wrapped up, with 20 000 agents ready.
func BenchmarkCallOnAFullFloor(b *testing.B) {
	s, now := bigFloor(false)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		id := model.CallID(fmt.Sprintf("call%d", i))
		var agent model.AgentID
		for _, a := range s.Apply(now, acd.CallQueued{Call: id, Queue: model.QueueID(fmt.Sprintf("q%d", i%200))}) {
			if o, ok := a.(acd.Offer); ok {
				agent = o.Agent
			}
		}
		s.Apply(now, acd.OfferAccepted{Agent: agent, Call: id})
		s.Apply(now, acd.CallGone{Call: id})
		s.Apply(now, acd.WrapUpDone{Agent: agent})
	}
}

// BenchmarkAgentBecomesReadyWhile5000Wait is one agent who takes the oldest of 5 000
// callers, declines, and comes back.
func BenchmarkAgentBecomesReadyWhile5000Wait(b *testing.B) {
	s, now := bigFloor(true)
	b.ReportAllocs()
	for b.Loop() {
		for _, a := range s.Apply(now, acd.AgentReady{Agent: "agent00001"}) {
			if o, ok := a.(acd.Offer); ok {
				s.Apply(now, acd.OfferDeclined{Agent: o.Agent, Call: o.Call})
			}
		}
	}
}

// BenchmarkSnapshot is what a screen costs.
func BenchmarkSnapshot(b *testing.B) {
	s, now := bigFloor(true)
	b.ReportAllocs()
	for b.Loop() {
		s.Snapshot(now)
	}
}
