package acd_test

import (
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

// dials has an agent place a call that is allowed.
func (f *floor) dials(a model.AgentID, c model.CallID, q model.QueueID) *floor {
	f.t.Helper()
	return f.do(acd.AgentDials{Agent: a, Call: c, Queue: q}).wants("dial " + string(c) + " for " + string(a))
}

// answered has the callee of a dialled call answer.
func (f *floor) answered(c model.CallID) *floor {
	return f.do(acd.DialAnswered{Call: c}).wantsNothing()
}

func TestWhoDialsIsOfferedNothing(t *testing.T) {
	f := newFloor(t).ready("sales", "ann")
	f.dials("ann", "d1", "sales").is("ann", model.OnCall, "")
	f.caller("sales", "c1").wantsNothing().waits("sales", "c1")
	f.answered("d1").hangUp("d1").is("ann", model.WrapUp, "")
	f.do(acd.WrapUpDone{Agent: "ann"}).wants("ann is ready", "offer c1 to ann")
	if q := f.sales(); q.Answered != 0 || q.Abandoned != 0 {
		t.Errorf("the dialled call counts in the queue's figures: %+v", q)
	}
}

func TestADialledCallOfNoQueueHasNoWrapUp(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").dials("ann", "d1", "")
	f.hangUp("d1").is("ann", model.Ready, "")
	if n := f.s.Snapshot(f.now).Agents[0].Handled; n != 0 {
		t.Errorf("%d calls handled, but nobody answered", n)
	}
}

func TestWhoDialsFromABreakReturnsToIt(t *testing.T) {
	f := newFloor(t)
	f.signIn("sales", "ann", model.VerdictGood).do(acd.AgentBreak{Agent: "ann", Reason: "paperwork"})
	f.dials("ann", "d1", "sales").answered("d1")
	f.hangUp("d1").is("ann", model.WrapUp, "")
	f.after(30*time.Second).tick().is("ann", model.Break, "paperwork")
	f.dials("ann", "d2", "sales").do(acd.AgentReady{Agent: "ann"}).hangUp("d2")
	f.after(30*time.Second).tick().is("ann", model.Ready, "")
}

func TestWhoDialsFromAWrapUpKeepsTheBreakThatWasWished(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.do(acd.AgentBreak{Agent: "ann", Reason: "lunch"}).hangUp("c1").is("ann", model.WrapUp, "")
	f.dials("ann", "d1", "").hangUp("d1").is("ann", model.Break, "lunch")
}

func TestNobodyDialsWhileACallRingsOrGoesOn(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob").caller("sales", "c1")
	f.do(acd.AgentDials{Agent: "ann", Call: "d1"}).wants("no dial d1 for ann: occupied")
	f.accept("ann", "c1").do(acd.AgentDials{Agent: "ann", Call: "d1"}).wants("no dial d1 for ann: occupied")
	f.dials("bob", "d2", "").do(acd.AgentDials{Agent: "bob", Call: "d3"}).wants("no dial d3 for bob: occupied")
	f.do(acd.AgentDials{Agent: "eve", Call: "d4"}).wants("no dial d4 for eve: offline")
}

func TestAnEmergencyComesBeforeAnOffer(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").caller("sales", "c1")
	f.do(acd.AgentDials{Agent: "ann", Call: "d1", Urgent: true}).wants("withdraw c1 from ann: declined", "dial d1 for ann").waits("sales", "c1")
	f.do(acd.AgentDials{Agent: "ann", Call: "d2", Urgent: true}).wants("no dial d2 for ann: occupied")
	f.hangUp("d1").wants("ann is ready", "offer c1 to ann")
}

func TestACalleeWhoseAgentIsLostWaitsAtTheHead(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").caller("sales", "c1").accept("ann", "c1")
	f.ready("sales", "bob").dials("bob", "d1", "sales").answered("d1").caller("sales", "c2")
	f.do(acd.AgentLost{Agent: "bob"}).wants("requeue d1: agent_lost", "bob is offline").waits("sales", "d1", "c2")
}

func TestACallWithNobodyAtEitherEndEnds(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob").dials("ann", "d1", "sales").dials("bob", "d2", "").answered("d2")
	f.do(acd.AgentLost{Agent: "ann"}).wants("drop d1: agent_lost", "ann is offline")
	f.do(acd.AgentLost{Agent: "bob"}).wants("drop d2: agent_lost", "bob is offline")
	f.hangUp("d1").wantsNothing()
	f.ready("sales", "cem").dials("cem", "d3", "sales")
	f.do(acd.ConnectFailed{Agent: "cem", Call: "d3"}).wants("drop d3: connect_failed", "cem is on break: connection failed")
}

func TestACallerPassedOnHasThePlaceThatTheTimeOfTheCallGives(t *testing.T) {
	f := newFloor(t, queue("sales", ""), queue("help", "")).caller("help", "h1").after(time.Second)
	f.ready("sales", "ann").talking("ann", "c1").after(time.Second).caller("help", "h2")
	f.do(acd.CallMoved{Agent: "ann", Call: "c1", Queue: "help"}).wants("ann is wrap-up").waits("help", "h1", "c1", "h2")
	f.ready("help", "bob").wants("offer h1 to bob").ready("help", "cem").wants("offer c1 to cem")
	f.do(acd.CallMoved{Agent: "ann", Call: "c1", Queue: "sales"}).wantsNothing() // not ann's any more
}

func TestACallerPassedOnCountsInBothQueues(t *testing.T) {
	f := newFloor(t, queue("sales", ""), queue("help", "")).ready("sales", "ann").talking("ann", "c1").after(time.Second)
	f.do(acd.CallMoved{Agent: "ann", Call: "c1", Queue: "help"}).wants("ann is wrap-up").after(time.Second).hangUp("c1")
	for _, q := range f.s.Snapshot(f.now).Queues {
		if want := map[model.QueueID][2]int{"sales": {1, 0}, "help": {0, 1}}[q.ID]; q.Answered != want[0] || q.Abandoned != want[1] {
			t.Errorf("%s: answered %d, abandoned %d; wanted %v", q.ID, q.Answered, q.Abandoned, want)
		}
	}
}

func TestATransferThatFailsLeavesTheCallerWithTheAgent(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.do(acd.TransferBegan{Agent: "ann", Call: "c1"}).wantsNothing().is("ann", model.OnCall, "")
	f.do(acd.TransferFailed{Call: "c1"}).wantsNothing().is("ann", model.OnCall, "")
	f.do(acd.AgentLost{Agent: "ann"}).wants("requeue c1: agent_lost", "ann is offline")
}

func TestATransferGoesOnWithoutItsAgent(t *testing.T) {
	for name, leave := range map[string]acd.Event{
		"hung up": acd.AgentParted{Agent: "ann", Call: "c1"}, "lost": acd.AgentLost{Agent: "ann"},
	} {
		f := newFloor(t).ready("sales", "ann").talking("ann", "c1").caller("sales", "c2")
		f.do(acd.TransferBegan{Agent: "ann", Call: "c1"}).do(leave)
		if name == "lost" {
			f.wants("part ann from c1: agent_lost", "ann is offline")
		} else {
			f.wants("ann is wrap-up")
		}
		f.accept("ann", "c1").wants("withdraw c1 from ann: answered_elsewhere")
		f.waits("sales", "c2")
		f.do(acd.TransferFailed{Call: "c1"}).wants("requeue c1: transfer_failed").waits("sales", "c1", "c2")
	}
}

func TestATransferThatCameAboutLeavesNothing(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.do(acd.TransferBegan{Agent: "ann", Call: "c1"}).do(acd.AgentParted{Agent: "ann", Call: "c1"})
	f.hangUp("c1").wantsNothing().do(acd.TransferFailed{Call: "c1"}).wantsNothing().waits("sales")
}

func TestACallThatRingsCannotBePassedOn(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").dials("ann", "d1", "sales")
	f.do(acd.CallMoved{Agent: "ann", Call: "d1", Queue: "sales"}).wantsNothing().waits("sales")
	f.do(acd.TransferBegan{Agent: "ann", Call: "d1"}).do(acd.AgentParted{Agent: "ann", Call: "d1"}).wantsNothing()
	f.is("ann", model.OnCall, "")
}
