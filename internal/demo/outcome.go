package demo

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/model"
)

// Outcome is what the demo saw; it is printed as one JSON object.
type Outcome struct {
	Calls    []CallLine    `json:"calls"`
	Headsets []HeadsetLine `json:"headsets"`
	// OffersAfterFlag counts, per headset, the calls offered to its wearer since the first
	// headset was flagged (for a flagged one: since it was flagged itself) while another
	// agent was free to take them.
	OffersAfterFlag map[model.HeadsetID]int `json:"offers_after_flag"`
	// Missing says what has not come true yet; empty when all of it has.
	Missing []string `json:"missing,omitempty"`
}

// CallLine is one call.
type CallLine struct {
	ID        model.CallID  `json:"id"`
	Agent     model.AgentID `json:"agent"`
	StartedAt time.Time     `json:"started_at"`
	Duration  float64       `json:"duration_s"` // so far, when it has not ended
	Cause     model.Cause   `json:"cause,omitempty"`
}

// HeadsetLine is one headset with what is thought of it.
type HeadsetLine struct {
	ID       model.HeadsetID      `json:"id"`
	Agent    model.AgentID        `json:"agent"`
	Verdict  model.VerdictState   `json:"verdict"`
	Text     string               `json:"text"`
	Findings []api.VerdictFinding `json:"findings"`
}

// sight is everything one look at the service's API gives.
type sight struct {
	at       time.Time
	agents   []api.Agent
	calls    []api.Call
	headsets []api.Headset
	flagged  map[model.HeadsetID]time.Time // since when
	offers   []offer
}

// offer is one ring at an agent's client.
type offer struct {
	at         time.Time
	headset    model.HeadsetID
	lastResort bool // nobody else was free
}

// judge turns a sight into an outcome.
func (s sight) judge(people []wearer) Outcome {
	out := Outcome{Calls: []CallLine{}, Headsets: []HeadsetLine{}, OffersAfterFlag: map[model.HeadsetID]int{}}
	for _, c := range s.calls {
		end := s.at
		if c.EndedAt != nil {
			end = *c.EndedAt
		}
		out.Calls = append(out.Calls, CallLine{ID: c.ID, Agent: c.Agent, StartedAt: c.StartedAt, Duration: end.Sub(c.StartedAt).Seconds(), Cause: c.Cause})
	}
	var firstFlag time.Time
	for _, at := range s.flagged {
		if firstFlag.IsZero() || at.Before(firstFlag) {
			firstFlag = at
		}
	}
	for _, p := range people {
		out.judgeWearer(s, p, firstFlag)
	}
	if talked := s.answeredCalls(); talked < len(people) {
		out.miss("only %d of at least %d calls were answered", talked, len(people))
	}
	return out
}

func (out *Outcome) judgeWearer(s sight, p wearer, firstFlag time.Time) {
	id := p.headset()
	line := HeadsetLine{ID: id, Agent: p.user, Verdict: model.VerdictUnknown, Findings: []api.VerdictFinding{}}
	if i := slices.IndexFunc(s.headsets, func(h api.Headset) bool { return h.ID == id }); i >= 0 {
		v := s.headsets[i].Verdict
		line.Verdict, line.Text, line.Findings = v.State, v.Text, v.Findings
	}
	out.Headsets = append(out.Headsets, line)

	since := firstFlag
	if at, ok := s.flagged[id]; ok {
		since = at
	}
	offers := s.offersSince(id, since)
	out.OffersAfterFlag[id] = offers

	switch {
	case p.flaw != "" && !line.Verdict.Flagged():
		out.miss("%s is not flagged yet", id)
	case p.flaw != "" && !slices.ContainsFunc(line.Findings, blamesHeadset(p.flaw)):
		out.miss("%s is flagged without %q as the reason", id, p.flaw)
	case p.flaw != "" && offers > 0:
		out.miss("%s was offered %d calls after it was flagged, though others were free", id, offers)
	case p.flaw == "" && line.Verdict == model.VerdictUnknown:
		out.miss("%s has no verdict yet", id)
	case p.flaw == "" && line.Verdict.Flagged():
		out.miss("%s is flagged, but nothing is wrong with it", id)
	case p.flaw == "" && offers == 0:
		out.miss("%s has not been offered a call since the first headset was flagged", id)
	}
}

func (out *Outcome) miss(format string, args ...any) {
	out.Missing = append(out.Missing, fmt.Sprintf(format, args...))
}

func blamesHeadset(kind headset.Kind) func(api.VerdictFinding) bool {
	return func(f api.VerdictFinding) bool { return f.Kind == kind && f.Blame == model.BlameHeadset }
}

func (s sight) answeredCalls() (n int) {
	for _, c := range s.calls {
		if c.AnsweredAt != nil {
			n++
		}
	}
	return n
}

// offersSince counts the offers to a headset's wearer after a moment that were not made
// for want of anybody else. Before anything was flagged there are none to count.
func (s sight) offersSince(id model.HeadsetID, since time.Time) (n int) {
	if since.IsZero() {
		return 0
	}
	for _, o := range s.offers {
		if o.headset == id && o.at.After(since) && !o.lastResort {
			n++
		}
	}
	return n
}

// settled reports whether every headset of the cast has got the verdict it is due, so that
// the rush can end and routing be watched.
func (s sight) settled(people []wearer) bool {
	for _, p := range people {
		i := slices.IndexFunc(s.headsets, func(h api.Headset) bool { return h.ID == p.headset() })
		if i < 0 || s.headsets[i].Verdict.State == model.VerdictUnknown || s.headsets[i].Verdict.State.Flagged() != (p.flaw != "") {
			return false
		}
	}
	return true
}

// Err is nil when all came true.
func (out Outcome) Err() error {
	if len(out.Missing) == 0 {
		return nil
	}
	return fmt.Errorf("demo: %s", strings.Join(out.Missing, "; "))
}
