package call_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

func TestCallerIsAnsweredAndBothHearEachOther(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := w.rings(newCaller("+49301000"))
		if !c.rang || !c.answered || !w.music.plays(c.leg) {
			t.Fatalf("rang %v, answered %v, music %v", c.rang, c.answered, w.music.plays(c.leg))
		}
		kim := w.desk("kim")
		kim.starts()
		o, ok := last[protocol.Offer](kim)
		if !ok || o.Call.Queue != "sales" || o.Call.From != "+4930111" || o.Call.FromName != "Ada" {
			t.Fatalf("offer %+v", o)
		}
		if !w.music.plays(c.leg) {
			t.Error("music ends before the agent has accepted")
		}
		kim.accepts()
		w.wantTalking(c, kim)
		if m, ok := last[protocol.Connected](kim); !ok || m.Call.ID != o.Call.ID {
			t.Errorf("the client is told %+v", m)
		}
		w.wantState("kim", model.OnCall, "")
		if live := w.sb.Live(); len(live) != 1 || live[0].Call != model.CallID(o.Call.ID) || !live[0].Connected || !live[0].Media {
			t.Errorf("live %+v", live)
		}
		if calls := w.sb.Calls(); len(calls) != 1 || calls[0].Agent != "kim" || calls[0].AnsweredAt == nil {
			t.Errorf("calls %+v", calls)
		}

		c.leaves()
		got := w.wantCause(model.CauseCallerHungUp)
		if got.Agent != "kim" || got.AnsweredAt == nil || got.Queue != "sales" {
			t.Errorf("recorded %+v", got)
		}
		if m, _ := last[protocol.Ended](kim); m.Cause != string(model.CauseCallerHungUp) {
			t.Errorf("the client is told %+v", m)
		}
		w.wantState("kim", model.WrapUp, "")
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "ended")
		w.wantLegCauses(model.CauseCallerHungUp, model.CauseCallerHungUp)
		w.pass(wrapUp)
		w.wantState("kim", model.Ready, "")
		if len(w.sb.Calls()) != 0 {
			t.Error("the call is still listed")
		}
		if s := w.sb.Stats(); s.CallsOffered != 1 || s.CallsAnswered != 1 || s.Offers != 1 || s.Backlog != 0 || s.Abandoned != 0 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestAgentHangsUp(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller("49301000"))
		id := kim.ringing()
		kim.accepts()
		if _, ok := kim.say("h1", protocol.Hangup{CallID: id}).(protocol.Ack); !ok {
			t.Error("hanging up is not acknowledged")
		}
		if c.Ended() != "local" {
			t.Errorf("the trunk leg ended %q", c.Ended())
		}
		w.wantCause(model.CauseAgentHungUp)
		w.wantLegCauses(model.CauseAgentHungUp, model.CauseAgentHungUp)
		w.wantState("kim", model.WrapUp, "")
		if e, _ := kim.say("", protocol.Hangup{CallID: id}).(protocol.Error); e.Code != protocol.CodeStale {
			t.Errorf("hanging up twice: %+v", e)
		}
	})
}

func TestUnknownNumberGets404(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := w.rings(newCaller("999"))
		if c.status != 404 || c.retryAfter != 0 || c.rang {
			t.Errorf("status %d, retry after %v, rang %v", c.status, c.retryAfter, c.rang)
		}
		w.wantCause(model.CauseRejected)
		w.wantStory("arrived", "ended")
	})
}

func TestCallerLeavesWhileWaiting(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := w.rings(newCaller(number))
		c.leaves()
		w.wantCause(model.CauseAbandoned)
		w.wantLegCauses(model.CauseAbandoned)
		if w.music.plays(c.leg) {
			t.Error("music plays on to nobody")
		}
		if w.sb.Stats().Abandoned != 1 {
			t.Error("not counted as abandoned")
		}
	})
}

func TestOfferedAgentIsFreedWhenTheCallerHasGone(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		id := kim.ringing()
		c.leaves()
		synctest.Wait()
		if kim.ringing() != "" {
			t.Error("the client still rings")
		}
		w.wantState("kim", model.Ready, "")
		w.wantCause(model.CauseAbandoned)
		if e, _ := kim.say("a", protocol.Accept{CallID: id}).(protocol.Error); e.Code != protocol.CodeStale {
			t.Errorf("accepting a caller who has gone: %+v", e)
		}
		w.wantState("kim", model.Ready, "")
	})
}

func TestCallerCancelsWhileTheTrunkIsBeingAnswered(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := newCaller(number)
		c.slow = time.Second
		w.rings(c)
		c.over("cancelled")
		w.pass(2 * time.Second)
		w.wantCause(model.CauseAbandoned)
	})
}

func TestTrunkThatNeverAnswersIsGivenUp(t *testing.T) {
	inWorld(t, call.Config{AnswerTimeout: 30 * time.Second}, func(w *world) {
		c := newCaller(number)
		c.slow = time.Hour
		w.rings(c)
		w.pass(31 * time.Second)
		w.wantCause(model.CauseSignalling)
		if c.Ended() != "local" {
			t.Errorf("ended %q", c.Ended())
		}
	})
}

func TestFailedAnswerIsRecorded(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := newCaller(number)
		c.answerErr = errors.New("no codec in common")
		w.rings(c)
		w.pass(time.Second + time.Millisecond)
		w.wantCause(model.CauseSignalling)
	})
}

func TestNobodyComesWithinTheLongestWait(t *testing.T) {
	inWorld(t, call.Config{MaxWait: time.Hour}, func(w *world) {
		c := w.rings(newCaller(number))
		w.pass(time.Hour + time.Second)
		w.wantCause(model.CauseWaitExpired)
		if c.Ended() != "local" {
			t.Errorf("ended %q", c.Ended())
		}
	})
}

func TestSilentTrunkEndsTheCallWithThatCause(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		c.over("media_timeout")
		w.wantCause(model.CauseMediaTimeout)
		w.wantState("kim", model.WrapUp, "")
	})
}

func TestACallerWhoGivesUpAsWeAnswerHasLeft(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := newCaller(number)
		c.answerErr = errors.New("the call is being cancelled")
		w.sb.Incoming(c)
		synctest.Wait()
		c.over("cancelled") // only now
		w.wantCause(model.CauseAbandoned)
	})
}

func TestACallWhoseKeysDidNotComeSaysSo(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := w.rings(newCaller(number))
		c.over("media_keys")
		w.wantCause(model.CauseMediaKeys)
	})
}

func TestUnansweredOfferGoesToTheNextAndTheAgentOnBreak(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		c := w.rings(newCaller(number))
		lee.starts()
		w.pass(offerTimeout - time.Second)
		if kim.ringing() == "" || lee.ringing() != "" {
			t.Fatal("the wrong client rings")
		}
		w.pass(time.Second)
		w.wantState("kim", model.Break, "no answer")
		if kim.ringing() != "" || lee.ringing() == "" {
			t.Error("the call did not move to the next agent")
		}
		lee.accepts()
		w.wantTalking(c, lee)
		w.wantStory("arrived", "queued", "offered", "offer_expired", "offered", "accepted", "connected")
		if w.sb.Stats().RONA != 1 {
			t.Error("RONA not counted")
		}
		c.leaves()
	})
}

func TestDeclinedOfferGoesToTheNext(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		c := w.rings(newCaller(number))
		lee.starts()
		if _, ok := kim.say("d", protocol.Decline{CallID: kim.ringing()}).(protocol.Ack); !ok {
			t.Error("declining is not acknowledged")
		}
		lee.accepts()
		w.wantTalking(c, lee)
		w.wantStory("arrived", "queued", "offered", "declined", "offered", "accepted", "connected")
		w.wantState("kim", model.Break, "declined")
		c.leaves()
	})
}

func TestTwoAgentsNeverAnswerOneCaller(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		lee.starts()
		c := w.rings(newCaller(number))
		id := kim.ringing()
		w.pass(offerTimeout)
		// Both believe that the call is theirs, and both answer in the same moment.
		answered := make(chan protocol.Message, 2)
		for _, d := range []*desk{kim, lee} {
			go func() {
				r, _ := d.agent.Handle(w.ctx, "a", protocol.Accept{CallID: id})
				answered <- r
			}()
		}
		<-answered
		<-answered
		synctest.Wait()
		if n := count[protocol.Connected](kim) + count[protocol.Connected](lee); n != 1 {
			t.Errorf("%d agents were connected", n)
		}
		w.wantTalking(c, lee)
		if hears(kim.peer(0).Leg, c.leg) {
			t.Error("the caller hears the agent who was too late")
		}
		c.leaves()
	})
}

func TestWrapUpIsCutShortByNobodyButTheAgent(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		c.leaves()
		w.wantState("kim", model.WrapUp, "")

		w.rings(newCaller(number)) // the next caller waits
		w.sb.SiteChanged(site(kim.user))
		kim.agent.LinkLost(kim.link)
		w.wantState("kim", model.WrapUp, "")
		if err := kim.signIn(kim.welcome.Resume); err != nil {
			t.Fatal(err)
		}
		kim.peer(0).dies()
		w.wantState("kim", model.WrapUp, "")
		kim.connect()
		w.wantState("kim", model.WrapUp, "")
		if kim.ringing() != "" {
			t.Error("a call rings in the wrap-up")
		}
		if _, ok := kim.say("w", protocol.EndWrapUp{}).(protocol.Ack); !ok {
			t.Error("the agent may not end the wrap-up")
		}
		if kim.ringing() == "" {
			t.Error("the next caller does not ring after the wrap-up")
		}
	})
}

func TestDrainLetsCallsFinishAndRefusesNewOnes(t *testing.T) {
	inWorld(t, call.Config{RetryAfter: 40 * time.Second}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		drained := make(chan error, 1)
		go func() { drained <- w.sb.Drain(ctx) }()
		synctest.Wait()
		late := w.rings(newCaller(number))
		if late.status != 503 || late.retryAfter != 40*time.Second {
			t.Errorf("a caller while draining gets %d, Retry-After %v", late.status, late.retryAfter)
		}
		w.wantTalking(c, kim)
		w.pass(30 * time.Second)
		c.leaves()
		if err := <-drained; err != nil {
			t.Errorf("drain: %v", err)
		}
	})
}

func TestDrainEndsWhatIsLeftAtItsDeadline(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		ctx, cancel := context.WithTimeout(w.ctx, time.Minute)
		defer cancel()
		if err := w.sb.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain: %v", err)
		}
		synctest.Wait()
		if c.Ended() != "local" {
			t.Errorf("the caller's leg ended %q", c.Ended())
		}
		w.wantCause(model.CauseDrained)
	})
}

func TestStoppingEndsEveryCallAndSession(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		waiting := w.rings(newCaller(number))
		w.close()
		if c.Ended() != "local" || waiting.Ended() != "local" {
			t.Errorf("ended %q and %q", c.Ended(), waiting.Ended())
		}
		if e, _ := last[protocol.Error](kim); e.Code != protocol.CodeBusy {
			t.Errorf("the client is told %+v", e)
		}
		select {
		case <-kim.peer(0).done:
		default:
			t.Error("the media connection stands")
		}
		late := newCaller(number)
		w.sb.Incoming(late)
		if late.status != 503 {
			t.Errorf("a caller after the end gets %d", late.status)
		}
		if err := kim.signIn(""); !errors.Is(err, call.ErrStopped) {
			t.Errorf("signing in after the end: %v", err)
		}
	})
}

func TestKeysAreCountedNeverWritten(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := w.rings(newCaller(number))
		for _, d := range "4111" {
			c.digits <- d
			w.pass(time.Second)
		}
		w.pass(5 * time.Second)
		e, ok := w.rec.event("dtmf")
		if !ok || len(e.Detail) != 1 || e.Detail["count"] != "4" {
			t.Errorf("event %+v", e)
		}
		c.leaves()
	})
}

func TestOfferSaysWhatWasKnownOfTheHeadset(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		w.rec.verdict["H1/kim"] = model.VerdictReplace
		kim.starts()
		strict := w.rings(newCaller("2000"))
		if kim.ringing() != "" {
			t.Error("a queue that excludes flagged headsets rings one")
		}
		c := w.rings(newCaller(number))
		kim.accepts()
		w.wantTalking(c, kim)
		e, _ := w.rec.event("offered")
		if e.Agent != "kim" || e.Detail["headset"] != "H1/kim" || e.Detail["verdict"] != "replace" || e.Detail["last_resort"] != "true" {
			t.Errorf("offered: %+v", e)
		}
		if w.sb.Stats().OffersFlagged != 1 {
			t.Error("the offer to a flagged headset is not counted")
		}
		strict.leaves()
		c.leaves()
	})
}

func TestFlaggedHeadsetIsPassedOverFromTheVerdictOn(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		w.pass(time.Second)
		lee.starts()
		w.sb.HeadsetJudged(model.Verdict{Headset: "H1/kim", State: model.VerdictReplace, Text: "It clips.", At: time.Now()})
		synctest.Wait()
		if v, _ := last[protocol.Verdict](kim); v.State != "replace" || v.Text != "It clips." {
			t.Errorf("the agent is told %+v", v)
		}
		c := w.rings(newCaller(number))
		if kim.ringing() != "" || lee.ringing() == "" {
			t.Error("the flagged headset rings though another agent is free")
		}
		c.leaves()
	})
}
