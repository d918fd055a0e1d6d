package acd

import (
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// watched is a floor on which "a" speaks with "c-1" and "boss" is in a state of choice.
func watched(t *testing.T) (*State, func(Event) []Action, func(model.AgentID) AgentView) {
	t.Helper()
	s := New()
	now := time.Unix(0, 0)
	apply := func(e Event) []Action {
		now = now.Add(time.Second)
		return s.Apply(now, e)
	}
	view := func(id model.AgentID) AgentView {
		for _, a := range s.Snapshot(now).Agents {
			if a.ID == id {
				return a
			}
		}
		return AgentView{ID: id, State: model.Offline}
	}
	apply(SiteChanged{Queues: []model.Queue{{ID: "q", WrapUp: time.Minute}}})
	apply(AgentSignedIn{Agent: "a", Queues: []model.QueueID{"q"}})
	apply(AgentReady{Agent: "a"})
	apply(CallQueued{Call: "c-1", Queue: "q"})
	apply(OfferAccepted{Agent: "a", Call: "c-1"})
	apply(AgentSignedIn{Agent: "boss", Queues: []model.QueueID{"q"}})
	return s, apply, view
}

func TestASupervisorIsBusyForAsLongAsTheySupervise(t *testing.T) {
	_, apply, view := watched(t)
	apply(AgentBreak{Agent: "boss", Reason: "desk work"})
	out := apply(AgentSupervises{Agent: "boss", Call: "c-1"})
	if _, ok := out[len(out)-1].(Supervise); !ok {
		t.Fatalf("%+v", out)
	}
	if v := view("boss"); v.State != model.OnCall || v.Reason != ReasonSupervising || v.Call != "c-1" {
		t.Errorf("the supervisor is %+v", v)
	}
	for _, a := range apply(CallQueued{Call: "c-2", Queue: "q"}) {
		if o, ok := a.(Offer); ok {
			t.Errorf("a busy supervisor was offered a call: %+v", o)
		}
	}
	if r, ok := apply(AgentSupervises{Agent: "boss", Call: "c-1"})[0].(SuperviseRefused); !ok || r.Why != WhyOccupied {
		t.Error("supervises twice")
	}
	apply(SupervisionOver{Agent: "boss"})
	if v := view("boss"); v.State != model.Break || v.Reason != "desk work" || v.Handled != 0 {
		t.Errorf("afterwards the supervisor is %+v", v)
	}
	if len(apply(SupervisionOver{Agent: "boss"})) != 0 {
		t.Error("it was over twice")
	}
}

func TestATakenCallIsTheSupervisorsAndTheAgentWrapsUp(t *testing.T) {
	s, apply, view := watched(t)
	apply(AgentSupervises{Agent: "boss", Call: "c-1"})
	apply(CallTaken{Agent: "boss", Call: "c-1"})
	if v := view("a"); v.State != model.WrapUp || v.Handled != 1 {
		t.Errorf("the agent is %+v", v)
	}
	if v := view("boss"); v.State != model.OnCall || v.Reason != "" || v.Call != "c-1" {
		t.Errorf("the supervisor is %+v", v)
	}
	apply(CallGone{Call: "c-1"})
	if v := view("boss"); v.State != model.WrapUp || v.Handled != 1 || len(s.calls) != 0 {
		t.Errorf("after the call the supervisor is %+v, %d calls are left", v, len(s.calls))
	}
}

func TestACallThatWasRequeuedIsNotTaken(t *testing.T) {
	s, apply, view := watched(t)
	apply(AgentSupervises{Agent: "boss", Call: "c-1"})
	apply(AgentLost{Agent: "a"})
	apply(CallTaken{Agent: "boss", Call: "c-1"})
	if v := view("boss"); v.State == model.OnCall {
		t.Errorf("the supervisor is %+v", v)
	}
	if len(s.calls) != 1 {
		t.Errorf("%d calls", len(s.calls))
	}
}

func TestASupervisorMayBeLostOrDialAndLeavesNothingBehind(t *testing.T) {
	s, apply, view := watched(t)
	apply(AgentReady{Agent: "boss"})
	apply(AgentSupervises{Agent: "boss", Call: "c-1"})
	apply(AgentDials{Agent: "boss", Call: "d-1", Urgent: true})
	if v := view("boss"); v.State != model.OnCall || v.Call != "d-1" {
		t.Errorf("who dials is %+v", v)
	}
	apply(CallGone{Call: "d-1"})
	apply(AgentSupervises{Agent: "boss", Call: "c-1"})
	apply(AgentLost{Agent: "boss"})
	if v := view("boss"); v.State != model.Offline || len(s.calls) != 1 {
		t.Errorf("%+v, %d calls", v, len(s.calls))
	}
}
