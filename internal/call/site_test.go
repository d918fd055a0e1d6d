package call_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// withoutSales is the site with these users and without one of its queues.
func withoutSales(users ...model.User) model.Site {
	const queue = model.QueueID("sales")
	s := site()
	var queues []model.Queue
	for _, q := range s.Queues {
		if q.ID != queue {
			queues = append(queues, q)
		}
	}
	s.Queues = queues
	for _, u := range users { // the file may not name a queue that is not in it
		var serves []model.QueueID
		for _, q := range u.Queues {
			if q != queue {
				serves = append(serves, q)
			}
		}
		u.Queues = serves
		s.Users = append(s.Users, u)
	}
	return s
}

func TestCallersOfARemovedQueueAreServedByThoseWhoServedIt(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		kim.say("", protocol.SetState{State: "break", Reason: "tea"})
		c := w.rings(newCaller(number))
		w.sb.SiteChanged(withoutSales(kim.user))
		synctest.Wait()
		w.sb.SiteChanged(withoutSales(kim.user)) // applied once more
		synctest.Wait()
		if late := w.rings(newCaller(number)); late.status != 404 {
			t.Errorf("a new caller got %d, wanted 404", late.status)
		}
		kim.say("", protocol.SetState{State: "ready"})
		kim.accepts()
		w.wantTalking(c, kim)
		c.leaves()
	})
}

func TestCallersOfARemovedQueueWithoutAgentsDoNotWaitForHours(t *testing.T) {
	const patience = 7 * time.Minute
	inWorld(t, call.Config{ClosedWait: patience}, func(w *world) {
		c := w.rings(newCaller(number))
		w.pass(time.Minute)
		w.sb.SiteChanged(withoutSales())
		synctest.Wait()
		w.pass(patience - time.Second)
		if c.Ended() != "" {
			t.Errorf("ended by %q before the time", c.Ended())
		}
		w.pass(2 * time.Second)
		w.wantCause(model.CauseWaitExpired)
	})
}

func TestAQueueThatComesBackKeepsItsCallers(t *testing.T) {
	inWorld(t, call.Config{ClosedWait: time.Minute}, func(w *world) {
		kim := w.desk("kim")
		c := w.rings(newCaller(number))
		w.sb.SiteChanged(withoutSales())
		w.pass(10 * time.Second)
		back := site(kim.user)
		w.sb.SiteChanged(back)
		w.pass(30 * time.Second)
		kim.starts()
		kim.accepts()
		w.wantTalking(c, kim)
		w.pass(2 * time.Minute)
		w.wantTalking(c, kim)
		c.leaves()
	})
}

func TestWhoIsRemovedInACallFinishesItAndGetsNoOther(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		next := w.rings(newCaller(number))
		w.sb.SiteChanged(site())
		synctest.Wait()
		w.wantTalking(c, kim)
		// Asking for calls does not take the removal back.
		if e, _ := kim.say("r", protocol.SetState{State: "ready"}).(protocol.Error); e.Code != protocol.CodeNotNow {
			t.Errorf("asking for calls was answered %+v", e)
		}
		w.wantTalking(c, kim)
		c.leaves()
		synctest.Wait()
		w.wantState("kim", model.Offline, "")
		select {
		case <-kim.agent.Done():
		default:
			t.Error("the session goes on")
		}
		if kim.ringing() != "" {
			t.Error("the next caller was offered to somebody who is removed")
		}
		next.leaves()
	})
}

func TestWhoIsTakenBackInACallStays(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		w.sb.SiteChanged(site())
		synctest.Wait()
		w.sb.SiteChanged(site(kim.user))
		synctest.Wait()
		c.leaves()
		w.pass(wrapUp + time.Second)
		w.wantState("kim", model.Ready, "")
	})
}

func TestAVerdictThatComesDuringTheSignInCounts(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		// The store knew nothing yet when kim's sign-in asked it.
		w.sb.HeadsetJudged(model.Verdict{Headset: "H1/kim", State: model.VerdictReplace, Text: "It clips.", At: time.Now().Add(time.Second)})
		kim := w.desk("kim")
		kim.starts()
		if a := w.state("kim"); a.Verdict != model.VerdictReplace {
			t.Errorf("kim's headset counts as %q, wanted %q", a.Verdict, model.VerdictReplace)
		}
		if v, ok := last[protocol.Verdict](kim); !ok || v.State != string(model.VerdictReplace) {
			t.Errorf("kim was told %+v", v)
		}
	})
}
