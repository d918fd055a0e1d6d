package call_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

func (d *desk) wantProgress(text string, want ...string) {
	d.t.Helper()
	got, last := d.progress()
	if !slices.Equal(got, want) || text != "" && last != text {
		d.t.Errorf("told %v and last %q, wanted %v and %q", got, last, want, text)
	}
}

func (d *desk) wantDenied(id, code string) {
	d.t.Helper()
	synctest.Wait()
	got := d.answersTo(id)
	if len(got) != 1 {
		d.t.Errorf("%s was answered %v", id, got)
		return
	}
	if e, ok := got[0].(protocol.Error); !ok || e.Code != code || e.Message == "" {
		d.t.Errorf("%s was answered %+v, wanted %s", id, got[0], code)
	}
}

func TestAnAgentCallsANumberAndBothHearEachOther(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "sales")
		if a, _ := kim.answersTo("dial-" + friend)[0].(protocol.Ack); a.CallID == "" {
			t.Error("the acknowledgement does not say what call it is")
		}
		w.wantState("kim", model.OnCall, "")
		if to.out.From != number || to.out.Permit.Number != friend {
			t.Errorf("placed to %q from %q, wanted the queue's number", to.out.Permit.Number, to.out.From)
		}
		if hears(kim.peer(0).Leg, to.leg) {
			t.Error("the callee hears the agent before the answer")
		}
		to.rings()
		if !w.tones.plays(kim.peer(0)) {
			t.Error("the agent hears no ringing tone")
		}
		to.picksUp()
		if w.tones.plays(kim.peer(0)) {
			t.Error("it rings after the answer")
		}
		w.wantTalking(to.caller, kim)
		m, ok := last[protocol.Connected](kim)
		if !ok || m.Call.Direction != protocol.Outbound || m.Call.To != friend || m.Call.From != number || m.Call.Queue != "sales" {
			t.Errorf("the client is told %+v", m)
		}
		kim.wantProgress("Answered.", protocol.Trying, protocol.Ringing, protocol.Answered)
		to.leaves()
		got := w.wantCause(model.CauseCalleeHungUp)
		if got.Direction != model.Outbound || got.To != friend || got.From != number || got.Agent != "kim" || got.Trunk != "carrier" || got.AnsweredAt == nil {
			t.Errorf("recorded %+v", got)
		}
		w.wantStory("dialled", "progress", "progress", "answered", "connected", "ended")
		w.wantLegCauses(model.CauseCalleeHungUp, model.CauseCalleeHungUp)
		w.wantSaid("INVITE")
		w.wantState("kim", model.WrapUp, "")
		if s := w.sb.Stats(); s.Dialled != 1 || s.CallsOffered != 0 || s.CallsAnswered != 0 || s.Outbound[call.OutboundKey{Trunk: "carrier", Result: "answered"}] != 1 {
			t.Errorf("stats %+v", s)
		}
		if len(w.rec.reports) != 1 || w.rec.reports[0].Agent != "kim" {
			t.Errorf("the agent's voice was not measured: %+v", w.rec.reports)
		}
	})
}

func TestWhatTheCalleesSideSaysBeforeTheAnswerIsHeard(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "")
		to.rings()
		to.speaksEarly()
		if !w.tones.plays(kim.peer(0)) {
			t.Error("the tone ends before anything was heard")
		}
		if !hears(to.leg, kim.peer(0).Leg) || hears(kim.peer(0).Leg, to.leg) {
			t.Error("early media must go one way")
		}
		synctest.Wait()
		if w.tones.plays(kim.peer(0)) {
			t.Error("it rings over the announcement")
		}
		p := kim.connect() // a new media connection while it rings
		if !hears(to.leg, p.Leg) {
			t.Error("early media is not heard over the new connection")
		}
		to.rings()
		if w.tones.plays(p) {
			t.Error("it rings over the announcement")
		}
		to.picksUp()
		w.wantTalking(to.caller, kim)
		kim.wantProgress("", protocol.Trying, protocol.Ringing, protocol.EarlyMedia, protocol.Answered)
		to.leaves()
	})
}

func TestWhatACallCameToIsSaidInWords(t *testing.T) {
	for _, c := range []struct {
		status int
		reason string
		cause  model.Cause
		text   string
	}{
		{486, "Busy Here", model.CauseBusy, "The number is busy."},
		{404, "Not Found", model.CauseNoSuchNumber, "There is no such number."},
		{603, "Decline", model.CauseDeclined, "The call was declined."},
		{480, "Temporarily Unavailable", model.CauseNoAnswer, "Nobody can be reached there now."},
		{503, "Service Unavailable", model.CauseUnreachable, "The trunk could not place the call (503 Service Unavailable)."},
		{403, "Forbidden", model.CauseRejected, "The trunk refused the call (403 Forbidden)."},
	} {
		inWorld(t, call.Config{}, func(w *world) {
			kim := w.desk("kim")
			kim.starts()
			kim.say("b", protocol.SetState{State: "break", Reason: "paperwork"})
			to := kim.dials(friend, "")
			to.refuses(c.status, c.reason)
			w.wantCause(c.cause)
			w.wantStory("dialled", "progress", "failed", "ended")
			kim.wantProgress(c.text, protocol.Trying, protocol.Failed)
			p, _ := last[protocol.Progress](kim)
			e, _ := last[protocol.Ended](kim)
			if p.Status != c.status || e.Cause != string(c.cause) {
				t.Errorf("told %+v, %+v", p, e)
			}
			w.wantSaid("INVITE")
			w.wantState("kim", model.Break, "paperwork")
			if n := w.sb.Stats().Outbound[call.OutboundKey{Trunk: "carrier", Result: string(c.cause)}]; n != 1 {
				t.Errorf("counted %d times", n)
			}
		})
	}
}

func TestANumberThatNoTrunkLeadsTo(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		w.out.notBegun = true
		kim.say("d", protocol.Dial{To: friend})
		w.wantCause(model.CauseUnreachable)
		kim.wantProgress("No trunk leads to this number.", protocol.Trying, protocol.Failed)
		w.wantState("kim", model.Ready, "")
	})
}

func TestNobodyAnswersInTime(t *testing.T) {
	inWorld(t, call.Config{DialTimeout: 40 * time.Second}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "sales")
		to.rings()
		w.pass(41 * time.Second)
		w.wantCause(model.CauseNoAnswer)
		kim.wantProgress("Nobody answered within 40 seconds.", protocol.Trying, protocol.Ringing, protocol.Failed)
		if to.Ended() != "cancelled" || w.tones.plays(kim.peer(0)) {
			t.Errorf("it ended %q, and the tone goes on: %v", to.Ended(), w.tones.plays(kim.peer(0)))
		}
		w.wantState("kim", model.WrapUp, "")
	})
}

func TestHangingUpWhileItRingsCancelsTheCall(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "")
		kim.say("h", protocol.Hangup{CallID: kim.callID()})
		if to.Ended() != "cancelled" {
			t.Errorf("it ended %q", to.Ended())
		}
		w.wantCause(model.CauseCancelled)
		w.wantState("kim", model.Ready, "")
		if e, ok := last[protocol.Ended](kim); !ok || e.Cause != string(model.CauseCancelled) {
			t.Errorf("the client is told %+v", e)
		}
	})
}

func TestAnAnswerThatCrossesTheHangUpIsHungUpToo(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "")
		to.result <- nil // in the same moment
		kim.say("h", protocol.Hangup{CallID: kim.callID()})
		synctest.Wait()
		if to.Ended() == "" {
			t.Error("the callee is left on the line")
		}
		w.wantState("kim", model.Ready, "")
	})
}

func TestAClientThatIsLostBeforeTheAnswerCancelsTheCall(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "sales")
		kim.agent.LinkLost(kim.link)
		w.pass(5 * time.Second)
		if to.Ended() != "" {
			t.Error("the client had time to come back")
		}
		w.pass(6 * time.Second)
		if to.Ended() != "cancelled" {
			t.Errorf("it ended %q", to.Ended())
		}
		w.wantCause(model.CauseAgentLost)
	})
}

func TestACalleeWhoseAgentIsLostIsServedByAnother(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		to := kim.dials(friend, "sales")
		to.picksUp()
		kim.agent.LinkLost(kim.link)
		w.pass(11 * time.Second)
		if !w.music.plays(to.leg) {
			t.Error("the callee hears nothing")
		}
		lee.starts()
		lee.accepts()
		w.wantTalking(to.caller, lee)
		to.leaves()
		w.wantCause(model.CauseCalleeHungUp)
	})
}

func TestACalleeOfNoQueueWhoseAgentIsLostIsLetGo(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "")
		to.picksUp()
		kim.agent.LinkLost(kim.link)
		w.pass(11 * time.Second)
		if to.Ended() != "local" {
			t.Errorf("it ended %q", to.Ended())
		}
		w.wantCause(model.CauseAgentLost)
	})
}

func TestDiallingIsRefusedInWords(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		if err := kim.signIn(""); err != nil {
			t.Fatal(err)
		}
		kim.say("no audio", protocol.Dial{To: friend})
		kim.wantDenied("no audio", protocol.CodeNotNow)
		kim.connect()
		kim.say("closed", protocol.Dial{To: closed})
		kim.wantDenied("closed", protocol.CodeNotAllowed)
		if e := kim.answersTo("closed")[0].(protocol.Error); e.Message != "Satellites may not be called." {
			t.Errorf("told %q", e.Message)
		}
		kim.say("unclear", protocol.Dial{To: unclear})
		kim.wantDenied("unclear", protocol.CodeInternal)
		kim.say("queue", protocol.Dial{To: friend, Queue: "nowhere"})
		kim.wantDenied("queue", protocol.CodeNotAllowed)
		kim.say("r", protocol.SetState{State: "ready"})
		c := w.rings(newCaller(number))
		kim.say("rings", protocol.Dial{To: friend})
		kim.wantDenied("rings", protocol.CodeNotNow)
		kim.accepts()
		kim.say("talks", protocol.Dial{To: friend})
		kim.wantDenied("talks", protocol.CodeNotNow)
		c.leaves()
		if len(w.out.all()) != 0 {
			t.Error("something was dialled")
		}
	})
}

func TestACallThatRingsWhileTheRulesAreAskedComesFirst(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		w.out.slow = time.Second
		kim.say("d", protocol.Dial{To: friend})
		kim.say("again", protocol.Dial{To: friend})
		kim.wantDenied("again", protocol.CodeNotNow)
		c := w.rings(newCaller(number))
		w.pass(2 * time.Second)
		kim.wantDenied("d", protocol.CodeNotNow)
		kim.accepts()
		w.wantTalking(c, kim)
		c.leaves()
		synctest.Wait()
		if w.out.unused != 1 || !w.out.settled() {
			t.Errorf("%d permits, %d given back, %d calls", w.out.permits, w.out.unused, w.out.dialled)
		}
	})
}

func TestWithoutRulesNobodyDials(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		deps := call.Deps{
			Journal: w.rec, Evidence: w.rec, Headsets: w.rec, Gateway: w, Bus: w.bus, Music: w.music, Dialer: w.out, Log: slog.New(slog.DiscardHandler),
		}
		sb, err := call.New(call.Config{}, deps)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(w.ctx)
		ended := make(chan error, 1)
		go func() { ended <- sb.Run(ctx) }()
		sb.SiteChanged(site())
		synctest.Wait()
		own := w.sb
		w.sb = sb
		kim := w.desk("kim")
		kim.starts()
		kim.say("d", protocol.Dial{To: friend})
		kim.wantDenied("d", protocol.CodeNotAllowed)
		_, err = sb.Dial(w.ctx, "kim", friend, "")
		var d *call.Denial
		if !errors.As(err, &d) || d.Code != protocol.CodeNotAllowed {
			t.Errorf("%v", err)
		}
		w.sb = own
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		deps.Dialling, deps.Dialer = w.out, nil
		if _, err := call.New(call.Config{}, deps); err == nil {
			t.Error("rules without a dialer are taken")
		}
	})
}

func TestWhileDrainingOnlyAnEmergencyGoesOut(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		lee.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		ctx, cancel := context.WithCancel(w.ctx)
		drained := make(chan error, 1)
		go func() { drained <- w.sb.Drain(ctx) }()
		synctest.Wait()
		lee.say("d", protocol.Dial{To: friend})
		lee.wantDenied("d", protocol.CodeBusy)
		to := lee.dials(emergency, "")
		if to.out.From != "+49301" || !to.out.Permit.Emergency {
			t.Errorf("placed as %+v", to.out)
		}
		to.picksUp()
		w.wantTalking(to.caller, lee)
		c.leaves()
		to.leaves()
		synctest.Wait()
		cancel()
		if err := <-drained; err != nil {
			t.Errorf("drain: %v", err)
		}
	})
}

func TestAnEmergencyDoesNotWaitForACallThatRings(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		c := w.rings(newCaller(number))
		lee.starts()
		to := kim.dials(emergency, "")
		if kim.ringing() != "" || lee.ringing() == "" {
			t.Error("the caller does not ring at the next")
		}
		to.picksUp()
		lee.accepts()
		w.wantTalking(to.caller, kim)
		w.wantTalking(c, lee)
		to.leaves()
		c.leaves()
	})
}

func TestACallMayNotLastLongerThanAllowed(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(brief, "")
		w.pass(30 * time.Second) // ringing does not count
		to.picksUp()
		w.passTalking(59*time.Second, kim)
		if to.Ended() != "" {
			t.Errorf("ended %q", to.Ended())
		}
		w.pass(2 * time.Second)
		if to.Ended() != "local" {
			t.Errorf("ended %q", to.Ended())
		}
		w.wantCause(model.CauseTimeLimit)
	})
}

func TestTheServiceDialsForWhoAsksByItsAPI(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		if _, err := w.sb.Dial(w.ctx, "kim", friend, ""); !errors.Is(err, call.ErrNotSignedIn) {
			t.Errorf("nobody is here: %v", err)
		}
		kim := w.desk("kim")
		kim.starts()
		var refused *model.DialRefusal
		if _, err := w.sb.Dial(w.ctx, "kim", closed, ""); !errors.As(err, &refused) || refused.Code != "class_not_allowed" {
			t.Errorf("a closed number: %v", err)
		}
		id, err := w.sb.Dial(w.ctx, "kim", friend, "sales")
		synctest.Wait()
		if err != nil || len(w.sb.Calls()) != 1 || w.sb.Calls()[0].ID != id {
			t.Errorf("%q, %v", id, err)
		}
		var d *call.Denial
		if _, err := w.sb.Dial(w.ctx, "kim", friend, "sales"); !errors.As(err, &d) || d.Code != protocol.CodeNotNow {
			t.Errorf("a second call: %v", err)
		}
		w.out.all()[0].picksUp()
		w.wantTalking(w.out.all()[0].caller, kim)
		w.out.all()[0].leaves()
	})
}

func TestAClientThatComesBackLearnsHowItsCallGetsOn(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "")
		to.rings()
		kim.agent.LinkLost(kim.link)
		synctest.Wait()
		if err := kim.signIn(kim.welcome.Resume); err != nil {
			t.Fatal(err)
		}
		kim.wantProgress("It rings.", protocol.Trying, protocol.Ringing, protocol.Ringing)
		if kim.welcome.Call != nil || kim.welcome.State.State != string(model.OnCall) {
			t.Errorf("welcomed with %+v", kim.welcome)
		}
		to.picksUp()
		w.wantTalking(to.caller, kim)
		to.leaves()
	})
}
