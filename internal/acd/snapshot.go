package acd

import (
	"slices"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// Snapshot is a picture of the floor at now that shares nothing with it. Queues that the
// site no longer lists follow the others, by name, as long as somebody waits in them.
func (s *State) Snapshot(now time.Time) Snapshot {
	shown := slices.Clone(s.listed)
	for _, q := range s.queues {
		if !q.listed && q.held > 0 {
			shown = append(shown, q)
		}
	}
	slices.SortFunc(shown[len(s.listed):], func(a, b *queue) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	held := make(map[*queue][]*call, len(shown))
	for _, q := range shown {
		held[q] = make([]*call, 0, q.held)
	}
	for _, c := range s.calls {
		if !c.connected {
			held[c.queue] = append(held[c.queue], c)
		}
	}
	snap := Snapshot{At: now, Queues: make([]QueueView, 0, len(shown)), Agents: make([]AgentView, 0, len(s.roster))}
	for _, q := range shown {
		snap.Queues = append(snap.Queues, q.view(held[q]))
	}
	for _, a := range s.roster {
		snap.Agents = append(snap.Agents, a.view())
	}
	return snap
}

func (q *queue) view(held []*call) QueueView {
	slices.SortFunc(held, func(a, b *call) int {
		if olderCall(a, b) {
			return -1
		}
		return 1
	})
	v := QueueView{
		ID:            q.id,
		Title:         q.cfg.Title,
		HeadsetPolicy: q.policy(),
		Waiting:       make([]WaitingCall, 0, len(held)),
		Ready:         q.ready.len() + q.flagged.len(),
		ReadyFlagged:  q.flagged.len(),
		SignedIn:      q.signedIn,
		Answered:      q.answered,
		Abandoned:     q.abandoned,
		WithinLevel:   q.within,
	}
	for _, c := range held {
		w := WaitingCall{Call: c.id, Since: c.since}
		if c.agent != nil {
			w.Offered = c.agent.id
		}
		v.Waiting = append(v.Waiting, w)
	}
	return v
}

func (a *agent) view() AgentView {
	v := AgentView{
		ID: a.id, State: a.state, Reason: a.reason, Since: a.since, Until: a.until,
		Queues: make([]model.QueueID, 0, len(a.queues)), Verdict: a.verdict, Handled: a.handled,
	}
	for _, q := range a.queues {
		v.Queues = append(v.Queues, q.id)
	}
	if a.call != nil {
		v.Call = a.call.id
		if a.watching() {
			v.Call = a.call.of
		}
	}
	switch a.wish {
	case wishBreak:
		v.Then = model.Break
	case wishOut:
		v.Then = model.Offline
	}
	return v
}
