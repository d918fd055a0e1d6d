package call_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

func TestCallSurvivesFiveSecondsWithoutTheClientsLink(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		kim.agent.LinkLost(kim.link)
		w.passTalking(5*time.Second, kim)
		w.wantTalking(c, kim)
		if w.sb.Live()[0].Connected {
			t.Error("the agent is shown as connected")
		}
		if err := kim.signIn(kim.welcome.Resume); err != nil {
			t.Fatal(err)
		}
		if !kim.welcome.Resumed || kim.welcome.State.State != string(model.OnCall) || kim.welcome.Call == nil || kim.welcome.Call.From != "+4930111" {
			t.Errorf("welcome %+v", kim.welcome)
		}
		w.pass(time.Minute)
		w.wantTalking(c, kim)
		c.leaves()
		w.wantCause(model.CauseCallerHungUp)
		w.wantLegCauses(model.CauseCallerHungUp, model.CauseCallerHungUp)
	})
}

func TestCallerOfAClientThatFellSilentHearsMusicUntilItIsBack(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		w.passTalking(time.Second, kim)
		kim.agent.LinkLost(kim.link)
		w.pass(2 * time.Second)
		if !w.music.plays(c.leg) {
			t.Error("the line is dead")
		}
		w.passTalking(1500*time.Millisecond, kim) // audio is back before the link
		w.wantTalking(c, kim)
		w.pass(2 * time.Second)
		if !w.music.plays(c.leg) {
			t.Error("the line is dead the second time")
		}
		if err := kim.signIn(kim.welcome.Resume); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Millisecond)
		w.wantTalking(c, kim)
		c.leaves()
		w.wantCause(model.CauseCallerHungUp)
		if w.music.plays(c.leg) {
			t.Error("music plays on to nobody")
		}
	})
}

func TestCallerReturnsToTheHeadWhenTheClientDies(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		other := w.rings(newCaller(number)) // waits behind
		kim.agent.LinkLost(kim.link)
		w.pass(10 * time.Second)
		w.wantState("kim", model.Offline, "")
		if !w.music.plays(c.leg) {
			t.Error("the caller hears nothing")
		}
		if hears(c.leg, kim.peer(0).Leg) {
			t.Error("the dead client still gets the caller's voice")
		}
		lee.starts()
		lee.accepts()
		w.wantTalking(c, lee)
		if other.Ended() != "" || !w.music.plays(other.leg) {
			t.Error("the one who waited behind does not wait any more")
		}
		other.leaves()
		c.leaves()
		synctest.Wait()
		e, ok := w.rec.event("requeued")
		if !ok || e.Agent != "kim" || e.Detail["why"] != "agent_lost" {
			t.Errorf("story: %+v", e)
		}
		agents := map[model.AgentID]model.Cause{}
		for _, l := range w.rec.legs {
			if l.Kind == model.AgentLeg {
				agents[l.Agent] = l.Cause
			}
		}
		if agents["kim"] != model.CauseAgentLost || agents["lee"] != model.CauseCallerHungUp {
			t.Errorf("agents' legs ended %v", agents)
		}
		if _, err := kim.agent.Handle(w.ctx, "", protocol.SetState{State: "ready"}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("the dead session answers: %v", err)
		}
		if w.sb.Stats().Requeued != 1 {
			t.Error("requeue not counted")
		}
	})
}

func TestNoCallerRingsForAClientThatIsNotThere(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		kim.agent.LinkLost(kim.link)
		w.wantState("kim", model.Break, call.ReasonReconnecting)
		c := w.rings(newCaller(number))
		if kim.ringing() != "" {
			t.Error("a call rings into the void")
		}
		if err := kim.signIn(kim.welcome.Resume); err != nil {
			t.Fatal(err)
		}
		if kim.ringing() == "" {
			t.Error("the agent who came back gets no call")
		}
		// Gone again while it rings: the caller does not wait for the offer to expire.
		lee := w.desk("lee")
		lee.starts()
		kim.agent.LinkLost(kim.link)
		synctest.Wait()
		if lee.ringing() == "" {
			t.Error("the call waits for a client that is not there")
		}
		lee.accepts()
		w.wantTalking(c, lee)
		c.leaves()
	})
}

func TestAgentLeavesAnOutageThatDoesNotEnd(t *testing.T) {
	inWorld(t, call.Config{OutageGrace: 7 * time.Second}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		token := kim.welcome.Resume
		kim.agent.LinkLost(kim.link)
		w.pass(7 * time.Second)
		w.wantState("kim", model.Offline, "")
		if len(w.sb.Live()) != 0 {
			t.Error("a session is left")
		}
		select {
		case <-kim.peer(0).done:
		default:
			t.Error("the media connection is left")
		}
		// The token is of no use any more; the client is signed in anew.
		if err := kim.signIn(token); err != nil || kim.welcome.Resumed {
			t.Errorf("welcome %+v, %v", kim.welcome, err)
		}
		w.wantState("kim", model.Break, "signed in")
	})
}

func TestSecondSignInReplacesTheFirst(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		first := w.desk("kim")
		first.starts()
		c := w.rings(newCaller(number))
		first.accepts()

		second := &desk{t: t, w: w, user: first.user, set: first.set, answers: map[string][]protocol.Message{}}
		w.desks["kim"] = second
		second.starts()
		if e, _ := last[protocol.Error](first); e.Code != protocol.CodeReplaced {
			t.Errorf("the first client is told %+v", e)
		}
		if _, err := first.agent.Handle(w.ctx, "", protocol.Mute{On: true}); !errors.Is(err, call.ErrEnded) {
			t.Errorf("the first session answers: %v", err)
		}
		first.agent.LinkLost(first.link) // the old WebSocket closes, late
		w.pass(20 * time.Second)
		_ = c
		// The caller was put back to the head and rang at the second client (and again after RONA).
		w.wantState("kim", model.Break, "no answer")
		second.say("", protocol.SetState{State: "ready"})
		second.accepts()
		w.wantTalking(c, second)
		c.leaves()
	})
}

func TestWrongTokenResumesNothing(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		lee.starts()
		other := &desk{t: t, w: w, user: lee.user, set: lee.set, answers: map[string][]protocol.Message{}}
		w.desks["lee"] = other
		if err := other.signIn(kim.welcome.Resume); err != nil || other.welcome.Resumed || other.welcome.Agent != "lee" {
			t.Errorf("lee with kim's token: %+v, %v", other.welcome, err)
		}
		w.wantState("kim", model.Ready, "")
	})
}

func TestWhoIsNoAgentOrSpeaksAnotherVersionIsRefused(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		it := w.desk("it")
		it.user.Roles = []model.Role{model.RoleIT}
		if err := it.signIn(""); !errors.Is(err, call.ErrNotAgent) {
			t.Errorf("an IT person signs in as agent: %v", err)
		}
		kim := w.desk("kim")
		_, _, err := w.sb.SignIn(w.ctx, kim.user, protocol.Hello{Version: 99}, &link{d: kim})
		if !errors.Is(err, call.ErrVersion) || call.Refusal(err).Code != protocol.CodeVersion {
			t.Errorf("version 99: %v", err)
		}
	})
}

func TestReadyNeedsAudio(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		if err := kim.signIn(""); err != nil {
			t.Fatal(err)
		}
		e, ok := kim.say("r1", protocol.SetState{State: "ready"}).(protocol.Error)
		if !ok || e.Code != protocol.CodeNotNow || e.Message == "" {
			t.Fatalf("ready without audio: %+v", e)
		}
		w.wantState("kim", model.Break, "signed in")

		kim.dead = true
		p := kim.connect()
		if _, ok := kim.say("r2", protocol.SetState{State: "ready"}).(protocol.Ack); !ok {
			t.Fatal("ready while connecting is refused")
		}
		w.wantState("kim", model.Break, "signed in")
		close(p.connected)
		synctest.Wait()
		w.wantState("kim", model.Ready, "")
	})
}

func TestMediaThatNeverConnectsIsToldAndGivenUp(t *testing.T) {
	inWorld(t, call.Config{MediaSetup: 15 * time.Second}, func(w *world) {
		kim := w.desk("kim")
		kim.dead = true
		if err := kim.signIn(""); err != nil {
			t.Fatal(err)
		}
		p := kim.connect()
		kim.say("", protocol.SetState{State: "ready"})
		w.pass(16 * time.Second)
		if e, _ := last[protocol.Error](kim); e.Code != protocol.CodeMedia {
			t.Errorf("the client is told %+v", e)
		}
		select {
		case <-p.done:
		default:
			t.Error("the connection is left")
		}
		w.wantState("kim", model.Break, "signed in")
	})
}

func TestRefusedOfferIsAnsweredWithTheReason(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		if err := kim.signIn(""); err != nil {
			t.Fatal(err)
		}
		kim.refuse = true
		kim.say("o1", protocol.SDPOffer{SDP: "kim"})
		got := kim.answersTo("o1")
		if e, ok := got[0].(protocol.Error); len(got) != 1 || !ok || e.Code != protocol.CodeMedia {
			t.Errorf("answers %+v", got)
		}
	})
}

func TestCallMovesToANewMediaConnection(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		kim.peer(0).dies()
		w.pass(3 * time.Second)
		if e, _ := last[protocol.Error](kim); e.Code != protocol.CodeMedia {
			t.Errorf("the client is not asked to connect again: %+v", e)
		}
		kim.connect()
		w.wantTalking(c, kim)
		w.pass(time.Minute)
		w.wantTalking(c, kim)
		c.leaves()
		w.wantLegCauses(model.CauseMediaReplaced, model.CauseCallerHungUp, model.CauseCallerHungUp)
		w.wantState("kim", model.WrapUp, "")
	})
}

func TestCallerIsNotLeftWithAnAgentWithoutAudio(t *testing.T) {
	inWorld(t, call.Config{MediaGrace: 8 * time.Second}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		kim.peer(0).dies()
		w.pass(9 * time.Second)
		if !w.music.plays(c.leg) || c.Ended() != "" {
			t.Error("the caller does not wait for the next agent")
		}
		w.wantState("kim", model.Offline, "")
		c.leaves()
		w.wantLegCauses(model.CauseAgentLost, model.CauseAbandoned)
	})
}

func TestReadyAgentWhoseAudioIsLostIsReadyAgainWithNewAudio(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		kim.peer(0).dies()
		synctest.Wait()
		w.wantState("kim", model.Break, call.ReasonReconnecting)
		w.pass(time.Minute)
		kim.connect()
		w.wantState("kim", model.Ready, "")
		// A break of their own is theirs to end.
		kim.say("", protocol.SetState{State: "break", Reason: "lunch"})
		kim.peer(1).dies()
		synctest.Wait()
		kim.connect()
		w.wantState("kim", model.Break, "lunch")
	})
}

func TestOutageDoesNotEndABreakTheAgentJustTook(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		for range 20 { // the order in which the two arrive is chance
			kim.starts()
			_, _ = kim.agent.Handle(w.ctx, "", protocol.SetState{State: "break", Reason: "lunch"})
			kim.agent.LinkLost(kim.link)
			w.pass(time.Second)
			if err := kim.signIn(kim.welcome.Resume); err != nil {
				t.Fatal(err)
			}
			w.wantState("kim", model.Break, "lunch")
		}
	})
}

func TestSignOutInACallTakesEffectAfterIt(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		if _, ok := kim.say("s", protocol.SignOut{}).(protocol.Ack); !ok {
			t.Error("sign-out is not acknowledged")
		}
		w.wantTalking(c, kim)
		c.leaves()
		w.wantState("kim", model.Offline, "")
		select {
		case <-kim.agent.Done():
		default:
			t.Error("the session is left")
		}
	})
}

func TestCallerOfAnAgentWhoQuitsInACallIsServedAtOnce(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		kim.accepts()
		w.wantTalking(c, kim)
		lee := w.desk("lee")
		lee.starts()
		kim.say("s", protocol.SignOut{})
		kim.agent.LinkLost(kim.link) // the program has ended
		synctest.Wait()
		lee.accepts()
		w.wantTalking(c, lee)
		w.wantState("kim", model.Offline, "")
		c.leaves()
	})
}

func TestMessageSentAgainIsCarriedOutOnce(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		kim.say("b1", protocol.SetState{State: "break", Reason: "tea"})
		kim.say("r1", protocol.SetState{State: "ready"})
		if _, ok := kim.say("b1", protocol.SetState{State: "break", Reason: "tea"}).(protocol.Ack); !ok {
			t.Error("the repeated message is not acknowledged")
		}
		w.wantState("kim", model.Ready, "")
	})
}

func TestUserTakenOffTheSiteIsSignedOut(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, lee := w.desk("kim"), w.desk("lee")
		kim.starts()
		lee.starts()
		w.sb.SiteChanged(site(lee.user))
		w.wantState("kim", model.Offline, "")
		w.wantState("lee", model.Ready, "")
	})
}

func TestSilentClientCannotHoldACallItAccepted(t *testing.T) {
	// Accepted, and the media connection dies in the same moment.
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		c := w.rings(newCaller(number))
		id := kim.ringing()
		p := kim.peer(0)
		go p.dies()
		_, _ = kim.agent.Handle(w.ctx, "", protocol.Accept{CallID: id})
		w.pass(20 * time.Second)
		if a := w.state("kim"); a.State == model.OnCall || a.State == model.Ready {
			t.Errorf("kim is %s without audio", a.State)
		}
		if !w.music.plays(c.leg) {
			t.Error("the caller does not wait any more")
		}
		c.leaves()
	})
}

func TestScreensLearnThatAClientIsAway(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		kim.say("", protocol.SetState{State: "break", Reason: "lunch"})
		w.pass(time.Second)
		sub := w.bus.Subscribe(100)
		defer sub.Close()
		kim.agent.LinkLost(kim.link)
		w.pass(time.Second)
		if w.sb.Live()[0].Connected {
			t.Error("shown as connected")
		}
		if len(sub.C) != 1 {
			t.Fatalf("%d events, wanted one", len(sub.C))
		}
		if a, ok := (<-sub.C).Data.(acd.AgentView); !ok || a.ID != "kim" || a.Reason != "lunch" {
			t.Errorf("event %+v", a)
		}
	})
}

func TestAgentLearnsAtSignInWhatIsKnownOfTheHeadset(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		w.rec.verdict["H1/kim"] = model.VerdictWatch
		kim.starts()
		if v, _ := last[protocol.Verdict](kim); v.State != "watch" || v.Text == "" {
			t.Errorf("told %+v", v)
		}
	})
}
