package api

import (
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// The conversions from what the house works with to what the API says. They never share a
// slice with a published snapshot that somebody could change.

// orEmpty makes a list that is written as [] rather than null.
func orEmpty[T any](in []T) []T {
	if in == nil {
		return []T{}
	}
	return in
}

// each converts a list; the result is never nil.
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, len(in))
	for i, a := range in {
		out[i] = f(a)
	}
	return out
}

func queueOf(v acd.QueueView, now time.Time) Queue {
	q := Queue{
		ID: v.ID, Title: v.Title, HeadsetPolicy: v.HeadsetPolicy,
		Waiting: each(v.Waiting, func(w acd.WaitingCall) WaitingCall { return WaitingCall(w) }),
		Ready:   v.Ready, ReadyFlagged: v.ReadyFlagged, SignedIn: v.SignedIn,
		Answered: v.Answered, Abandoned: v.Abandoned, WithinLevel: v.WithinLevel,
		ServiceLevel: dsp.None(),
	}
	for _, w := range v.Waiting {
		q.LongestWaitS = max(q.LongestWaitS, seconds(now.Sub(w.Since)))
	}
	if n := v.Answered + v.Abandoned; n > 0 {
		q.ServiceLevel = dsp.Value(float64(v.WithinLevel) / float64(n))
	}
	return q
}

func ladderOf(l model.CallLadder) SIPLadder {
	return SIPLadder{
		Leg: l.Leg, Picture: l.Draw(false), Missing: l.Missing, After: l.After,
		Messages: each(l.Messages, func(m ladder.Message) SIPMessage { return SIPMessage(m) }),
	}
}

// seconds gives a duration to the millisecond, never negative.
func seconds(d time.Duration) float64 {
	return max(float64(d.Milliseconds())/1000, 0)
}

// agentOf puts together what acd, the switchboard and the site know of one agent. A nil
// live is an agent of whom the switchboard knows nothing (yet, or any more).
func agentOf(v acd.AgentView, title string, live *call.AgentLive) Agent {
	a := Agent{
		ID: v.ID, Title: title, State: v.State, Reason: v.Reason, Call: v.Call, Then: v.Then,
		Queues: orEmpty(v.Queues), Handled: v.Handled, Verdict: v.Verdict,
	}
	if a.Title == "" {
		a.Title = string(v.ID)
	}
	if a.Verdict == "" {
		a.Verdict = model.VerdictUnknown
	}
	if !v.Since.IsZero() && v.State != model.Offline {
		a.Since = &v.Since
	}
	if !v.Until.IsZero() {
		a.Until = &v.Until
	}
	if live == nil || v.State == model.Offline {
		return a
	}
	a.Connected, a.Media, a.Phone = live.Connected, live.Media, live.Phone
	a.Mic, a.Wire = readingPtr(live.Mic), readingPtr(live.Wire)
	if live.Headset != "" {
		a.Headset = &AgentHeadset{ID: live.Headset, Key: KeyOf(live.Headset), Model: live.Device.Model, Serial: live.Device.Serial}
	}
	return a
}

func readingPtr(r *headset.Reading) *Reading {
	if r == nil {
		return nil
	}
	out := Reading(*r)
	return &out
}

func legOf(l model.Leg) Leg {
	return Leg{
		ID: l.ID, Call: l.Call, Kind: l.Kind, Trunk: l.Trunk, Agent: l.Agent, Headset: l.Headset,
		StartedAt: l.StartedAt, EndedAt: l.EndedAt, Cause: l.Cause, Stats: LegStats(l.Stats),
	}
}

func reportOf(r model.ReportRecord) Report {
	return Report{
		Call: r.Call, Leg: r.Leg, Headset: r.Headset, Agent: r.Agent, At: r.At,
		Tap: r.Report.Tap, SampleRate: r.Report.SampleRate,
		Duration: r.Report.Duration, ActiveSpeech: r.Report.ActiveSpeech,
		Metrics:      r.Report.Metrics,
		Conversation: r.Report.Conversation,

		Findings: each(r.Report.Findings, func(f headset.Finding) Finding { return Finding(f) }),
	}
}

func runOf(c model.ReadingChunk) ReadingRun {
	return ReadingRun{Leg: c.Leg, Tap: c.Tap, Readings: each(c.Readings, func(r headset.Reading) Reading { return Reading(r) })}
}

func verdictOf(v model.Verdict) Verdict {
	out := Verdict{State: v.State, Text: v.Text, Reports: v.Reports, Findings: each(v.Findings, verdictFindingOf)}
	if v.State == "" {
		out.State = model.VerdictUnknown
	}
	if !v.At.IsZero() {
		out.At = &v.At
	}
	return out
}

func verdictFindingOf(f model.VerdictFinding) VerdictFinding {
	f.Calls = orEmpty(f.Calls)
	return VerdictFinding(f)
}
