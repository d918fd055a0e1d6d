package acd_test

import (
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

func TestTheAgentWhoHasBeenReadyLongestRings(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob", "cem")
	f.caller("sales", "c1").wants("offer c1 to ann")
	f.caller("sales", "c2").wants("offer c2 to bob")
}

func TestAfterACallAnAgentGoesToTheEndOfTheLine(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob")
	f.talking("ann", "c1")
	f.hangUp("c1").do(acd.WrapUpDone{Agent: "ann"}).is("ann", model.Ready, "")
	f.caller("sales", "c2").wants("offer c2 to bob")
	f.caller("sales", "c3").wants("offer c3 to ann")
}

func TestABreakCostsThePlaceInTheLine(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob")
	f.do(acd.AgentBreak{Agent: "ann", Reason: "coffee"}).do(acd.AgentReady{Agent: "ann"})
	f.caller("sales", "c1").wants("offer c1 to bob")
}

func TestCallersAreServedInTheOrderTheyCame(t *testing.T) {
	f := newFloor(t)
	f.caller("sales", "c1").after(time.Second).caller("sales", "c2").waits("sales", "c1", "c2")
	f.signIn("sales", "ann", model.VerdictGood).wants("ann is on break: signed in")
	f.do(acd.AgentReady{Agent: "ann"}).wants("offer c1 to ann").waits("sales", "c1", "c2")
}

func TestAnAgentOfTwoQueuesGetsTheOldestCallerOfBoth(t *testing.T) {
	f := newFloor(t, queue("sales", ""), queue("help", ""))
	f.caller("help", "h1").after(time.Second).caller("sales", "s1").after(time.Second).caller("help", "h2")
	f.ready("sales help", "ann").wants("offer h1 to ann")
	f.ready("sales help", "bob").wants("offer s1 to bob")
	f.ready("sales", "cem").wants().waits("help", "h1", "h2")
}

func TestNobodyRingsForAQueueTheyDoNotServe(t *testing.T) {
	f := newFloor(t, queue("sales", ""), queue("help", "")).ready("help", "ann")
	f.caller("sales", "s1").wantsNothing().waits("sales", "s1")
}

func TestAnOfferNobodyAnswersSendsTheAgentToBreakAndTheCallerToTheNext(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob")
	f.caller("sales", "c1").wants("offer c1 to ann")
	f.after(5*time.Second).caller("sales", "c2").wants("offer c2 to bob")
	f.after(5*time.Second).caller("sales", "c3").wantsNothing()
	due, ok := f.s.NextDeadline()
	if want := f.now.Add(5 * time.Second); !ok || !due.Equal(want) {
		t.Fatalf("next deadline %v, want %v", due, want)
	}
	f.after(5*time.Second).tick().wants("withdraw c1 from ann: expired", "ann is on break: no answer")
	f.waits("sales", "c1", "c2", "c3")
	f.ready("sales", "cem").wants("offer c1 to cem")
}

func TestALateAnswerRingsWithNobody(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob")
	f.caller("sales", "c1").after(15*time.Second).accept("ann", "c1").
		wants("withdraw c1 from ann: expired", "ann is on break: no answer", "withdraw c1 from ann: stale", "offer c1 to bob")
	f.accept("bob", "c1").wants("connect c1 with bob")
	f.accept("ann", "c1").wants("withdraw c1 from ann: answered_elsewhere")
	f.accept("bob", "c1").wantsNothing() // said twice
	f.accept("nobody", "c9").wants("withdraw c9 from nobody: stale")
}

func TestADeclinedCallerKeepsThePlace(t *testing.T) {
	f := newFloor(t).ready("sales", "ann")
	f.caller("sales", "c1").caller("sales", "c2")
	f.do(acd.OfferDeclined{Agent: "ann", Call: "c1"}).wants("withdraw c1 from ann: declined", "ann is on break: declined")
	f.do(acd.AgentReady{Agent: "ann"}).wants("offer c1 to ann")
}

func TestATickThatComesMuchTooLateLetsTheNextOfferRing(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob").caller("sales", "c1")
	f.after(10*time.Minute).tick().wants("withdraw c1 from ann: expired", "offer c1 to bob")
	if due, ok := f.s.NextDeadline(); !ok || !due.Equal(f.now.Add(15*time.Second)) {
		t.Fatalf("bob's offer stands until %v", due)
	}
}

func TestACallerWhoLeavesWhileItRingsCostsNobodyThePlace(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob").caller("sales", "c1")
	f.hangUp("c1").wants("withdraw c1 from ann: caller_gone", "ann is ready").waits("sales")
	f.caller("sales", "c2").wants("offer c2 to ann")
	f.hangUp("c1").wantsNothing()
}

func TestWrapUpEndsByItselfThenTheNextCallComes(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.caller("sales", "c2").wantsNothing()
	f.hangUp("c1").wants("ann is wrap-up")
	f.after(29*time.Second).tick().is("ann", model.WrapUp, "")
	f.after(time.Second).tick().wants("ann is ready", "offer c2 to ann")
}

func TestReadyEndsWrapUpAtOnce(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.hangUp("c1").do(acd.AgentReady{Agent: "ann"}).is("ann", model.Ready, "")
	if due, ok := f.s.NextDeadline(); ok {
		t.Fatalf("still waits for %v", due)
	}
}

func TestAQueueWithoutWrapUpGivesTheNextCallAtOnce(t *testing.T) {
	q := queue("sales", "")
	q.WrapUp = 0
	f := newFloor(t, q).ready("sales", "ann").talking("ann", "c1").caller("sales", "c2")
	f.hangUp("c1").wants("ann is ready", "offer c2 to ann")
}

func TestABreakWishedDuringACallFollowsTheWrapUp(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.do(acd.AgentBreak{Agent: "ann", Reason: "lunch"}).wantsNothing().is("ann", model.OnCall, "")
	if then := f.s.Snapshot(f.now).Agents[0].Then; then != model.Break {
		t.Errorf("the supervisor sees %q after the call, want a break", then)
	}
	f.hangUp("c1").is("ann", model.WrapUp, "")
	f.after(30*time.Second).tick().is("ann", model.Break, "lunch")
	f.do(acd.AgentReady{Agent: "ann"}).talking("ann", "c2")
	f.hangUp("c2").do(acd.WrapUpDone{Agent: "ann"}).is("ann", model.Ready, "") // the wish was for once
}

func TestABreakWishedDuringACallCanBeTakenBack(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.do(acd.AgentBreak{Agent: "ann", Reason: "lunch"}).do(acd.AgentReady{Agent: "ann"})
	f.hangUp("c1").do(acd.WrapUpDone{Agent: "ann"}).is("ann", model.Ready, "")
}

func TestABreakInWrapUpBeginsNow(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1").hangUp("c1")
	f.do(acd.AgentBreak{Agent: "ann", Reason: "lunch"}).is("ann", model.Break, "lunch")
	f.after(time.Hour).tick().wantsNothing()
}

func TestABreakWhileItRingsSendsTheCallerOn(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob").caller("sales", "c1")
	f.do(acd.AgentBreak{Agent: "ann", Reason: "lunch"}).
		wants("withdraw c1 from ann: declined", "ann is on break: lunch", "offer c1 to bob")
}

func TestSignOutDuringACallTakesEffectWhenItEnds(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.do(acd.AgentSignedOut{Agent: "ann"}).wantsNothing().is("ann", model.OnCall, "")
	f.hangUp("c1").wants("ann is offline").is("ann", model.Offline, "")
	if got := f.sales().SignedIn; got != 0 {
		t.Errorf("%d signed in, want none", got)
	}
}

func TestSigningInAgainBeforeTheCallIsOverKeepsTheAgent(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").talking("ann", "c1")
	f.do(acd.AgentSignedOut{Agent: "ann"}).signIn("sales", "ann", model.VerdictGood).wantsNothing()
	f.hangUp("c1").is("ann", model.WrapUp, "")
}

func TestSignOutWhileItRingsSendsTheCallerOn(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob").caller("sales", "c1")
	f.do(acd.AgentSignedOut{Agent: "ann"}).wants("withdraw c1 from ann: signed_out", "ann is offline", "offer c1 to bob")
}

func TestALostAgentsCallerGoesToTheHeadOfTheQueue(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").caller("sales", "c1").after(time.Second).caller("sales", "c2")
	f.accept("ann", "c1").wants("connect c1 with ann")
	f.do(acd.AgentLost{Agent: "ann"}).wants("requeue c1: agent_lost", "ann is offline").waits("sales", "c1", "c2")
	f.ready("sales", "bob").wants("offer c1 to bob")
}

func TestACallerWhoWasCutOffComesBeforeThoseWhoWaitLonger(t *testing.T) {
	f := newFloor(t, queue("sales", ""), queue("help", "")).ready("sales", "ann", "bob")
	f.caller("sales", "c1").wants("offer c1 to ann").caller("sales", "c2").wants("offer c2 to bob")
	f.accept("bob", "c2").caller("help", "h1")
	f.do(acd.OfferDeclined{Agent: "ann", Call: "c1"})
	f.do(acd.AgentLost{Agent: "bob"}).waits("sales", "c2", "c1")
	f.ready("help sales", "cem").wants("offer c2 to cem")
}

func TestALostAgentStopsRinging(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob").caller("sales", "c1")
	f.do(acd.AgentLost{Agent: "ann"}).wants("withdraw c1 from ann: agent_lost", "ann is offline", "offer c1 to bob")
}

func TestACallThatCannotBeConnectedGoesToSomebodyElse(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob").talking("ann", "c1")
	f.do(acd.ConnectFailed{Agent: "ann", Call: "c1"}).
		wants("requeue c1: connect_failed", "ann is on break: connection failed", "offer c1 to bob")
	if got := f.sales().Answered; got != 0 {
		t.Errorf("%d answered, but nobody has spoken with the caller", got)
	}
	f.accept("bob", "c1").do(acd.ConnectFailed{Agent: "ann", Call: "c1"}).wantsNothing() // ann's news is old
	f.is("bob", model.OnCall, "")
}

func TestALastResortQueueSparesFlaggedHeadsetsWhileOthersAreFree(t *testing.T) {
	f := newFloor(t, queue("sales", model.PolicyLastResort)).flaggedFay("sales").ready("sales", "ann")
	f.caller("sales", "c1").wants("offer c1 to ann")
	f.caller("sales", "c2").wants("offer c2 to fay as last resort")
	f.caller("sales", "c3").wantsNothing()
}

func TestLastResortIsTheDefault(t *testing.T) {
	f := newFloor(t, queue("sales", "")).flaggedFay("sales").ready("sales", "ann")
	f.caller("sales", "c1").wants("offer c1 to ann").caller("sales", "c2").wants("offer c2 to fay as last resort")
}

func TestAnExcludingQueueNeverRingsAFlaggedHeadset(t *testing.T) {
	f := newFloor(t, queue("sales", model.PolicyExclude), queue("help", model.PolicyIgnore)).flaggedFay("sales help")
	f.caller("sales", "c1").wantsNothing().waits("sales", "c1")
	f.caller("help", "h1").wants("offer h1 to fay")
	if q := f.sales(); q.Ready != 0 || q.SignedIn != 1 {
		t.Errorf("sales shows %d ready of %d", q.Ready, q.SignedIn)
	}
}

func TestAnIgnoringQueueLooksOnlyAtIdleTime(t *testing.T) {
	f := newFloor(t, queue("sales", model.PolicyIgnore)).ready("sales", "ann").flaggedFay("sales").ready("sales", "bob")
	f.caller("sales", "c1").wants("offer c1 to ann")
	f.caller("sales", "c2").wants("offer c2 to fay")
	f.caller("sales", "c3").wants("offer c3 to bob")
}

func TestAHeadsetJudgedBadMovesTheNextCallToSomebodyElse(t *testing.T) {
	f := newFloor(t).ready("sales", "ann", "bob")
	f.do(acd.HeadsetJudged{Agent: "ann", Verdict: model.VerdictReplace})
	f.caller("sales", "c1").wants("offer c1 to bob")
	f.do(acd.HeadsetJudged{Agent: "ann", Verdict: model.VerdictGood})
	f.caller("sales", "c2").wants("offer c2 to ann")
}

func TestANewHeadsetBringsTheWaitingCallerOfAnExcludingQueue(t *testing.T) {
	f := newFloor(t, queue("sales", model.PolicyExclude)).flaggedFay("sales").caller("sales", "c1")
	f.do(acd.HeadsetJudged{Agent: "fay", Verdict: model.VerdictUnknown}).wants("offer c1 to fay")
}

func TestTwoWrapUpsThatEndTogetherLeaveTheFlaggedHeadsetForLast(t *testing.T) {
	f := newFloor(t).ready("sales", "abe", "zoe").talking("abe", "c1").talking("zoe", "c2")
	f.do(acd.HeadsetJudged{Agent: "abe", Verdict: model.VerdictReplace}).caller("sales", "c3")
	f.hangUp("c1").hangUp("c2").after(30 * time.Second).tick().wants("offer c3 to zoe")
}

func TestAQueueThatLosesItsPolicyRingsThoseItSpared(t *testing.T) {
	f := newFloor(t, queue("sales", model.PolicyExclude)).flaggedFay("sales").caller("sales", "c1")
	f.do(acd.SiteChanged{Queues: []model.Queue{queue("sales", model.PolicyIgnore)}}).wants("offer c1 to fay")
}

func TestCallersOfAQueueThatIsGoneAreStillServed(t *testing.T) {
	f := newFloor(t, queue("sales", ""), queue("help", "")).caller("help", "h1")
	f.do(acd.SiteChanged{Queues: []model.Queue{queue("sales", "")}}).waits("help", "h1")
	f.ready("help", "ann").wants("offer h1 to ann")
	f.accept("ann", "h1")
	if got := len(f.s.Snapshot(f.now).Queues); got != 1 {
		t.Errorf("%d queues on the screen, want 1: nobody waits in the old one", got)
	}
}

func TestANewQueueIsServedByThoseWhoWereToldOfIt(t *testing.T) {
	f := newFloor(t).ready("sales", "ann")
	f.do(acd.SiteChanged{Queues: []model.Queue{queue("sales", ""), queue("help", "")}})
	f.caller("help", "h1").wantsNothing()
	f.signIn("sales help", "ann", model.VerdictGood).wants("offer h1 to ann")
}

func TestThePageCountsAnsweredAbandonedAndServiceLevel(t *testing.T) {
	f := newFloor(t).ready("sales", "ann")
	f.talking("ann", "c1").caller("sales", "c2").caller("sales", "c3").after(25 * time.Second)
	f.hangUp("c1").hangUp("c2").do(acd.WrapUpDone{Agent: "ann"}).wants("offer c3 to ann").accept("ann", "c3")
	q := f.sales()
	if q.Answered != 2 || q.WithinLevel != 1 || q.Abandoned != 1 {
		t.Errorf("answered %d (%d in time), abandoned %d; want 2 (1), 1", q.Answered, q.WithinLevel, q.Abandoned)
	}
	f.do(acd.AgentLost{Agent: "ann"}).hangUp("c3")
	if q := f.sales(); q.Answered != 2 || q.Abandoned != 1 {
		t.Errorf("a caller who was cut off and left counts as answered %d, abandoned %d; want 2, 1", q.Answered, q.Abandoned)
	}
}

func TestTheSnapshotShowsWhoRingsForWhom(t *testing.T) {
	f := newFloor(t).ready("sales", "bob", "ann").caller("sales", "c1").caller("sales", "c2").caller("sales", "c3")
	snap := f.s.Snapshot(f.now)
	w := snap.Queues[0].Waiting
	if len(w) != 3 || w[0].Offered != "bob" || w[1].Offered != "ann" || w[2].Offered != "" || !w[0].Since.Equal(f.now) {
		t.Errorf("waiting: %+v", w)
	}
	if snap.Agents[0].ID != "ann" || snap.Agents[0].Call != "c2" || snap.Agents[0].State != model.Offered {
		t.Errorf("agents: %+v", snap.Agents)
	}
	snap.Agents[0].Queues[0] = "changed by the reader"
	if got := f.s.Snapshot(f.now).Agents[0].Queues[0]; got != "sales" {
		t.Errorf("a reader of the snapshot changed the floor: %q", got)
	}
}

func TestWhatIsSaidOfNobodyChangesNothing(t *testing.T) {
	f := newFloor(t)
	for _, e := range []acd.Event{
		acd.AgentReady{Agent: "x"}, acd.AgentBreak{Agent: "x"}, acd.AgentSignedOut{Agent: "x"}, acd.AgentLost{Agent: "x"},
		acd.HeadsetJudged{Agent: "x"}, acd.CallGone{Call: "x"}, acd.ConnectFailed{Agent: "x", Call: "x"},
		acd.WrapUpDone{Agent: "x"}, acd.Tick{},
	} {
		f.do(e).wantsNothing()
	}
}

func TestAClockThatGoesBackDoesNotLengthenAnOffer(t *testing.T) {
	f := newFloor(t).ready("sales", "ann").after(-time.Hour).caller("sales", "c1")
	if due, _ := f.s.NextDeadline(); !due.Equal(opening.Add(15 * time.Second)) {
		t.Errorf("offered until %v", due)
	}
}
