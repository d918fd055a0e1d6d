package call_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// talking is a caller who speaks with kim.
func (w *world) talking() (*caller, *desk) {
	w.t.Helper()
	kim := w.desk("kim")
	kim.starts()
	c := w.rings(newCaller(number))
	kim.accepts()
	w.wantTalking(c, kim)
	return c, kim
}

func (w *world) wantApart(c *caller, d *desk) {
	w.t.Helper()
	p := d.peers[len(d.peers)-1]
	if !w.music.plays(c.leg) {
		w.t.Error("the caller hears no music")
	}
	if hears(c.leg, p.Leg) || hears(p.Leg, c.leg) {
		w.t.Error("caller and agent hear each other")
	}
}

func (w *world) wantJoined(c *caller, to *callee) {
	w.t.Helper()
	if w.music.plays(c.leg) {
		w.t.Error("the caller still hears music")
	}
	if !hears(c.leg, to.leg) || !hears(to.leg, c.leg) {
		w.t.Error("caller and callee do not hear each other")
	}
}

func TestACallerIsPassedOnToANumber(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		to := kim.passesOn(friend)
		if _, ok := kim.answersTo("pass-" + friend)[0].(protocol.Ack); !ok {
			t.Errorf("answered %+v", kim.answersTo("pass-"+friend))
		}
		if r := w.out.requests[0]; !r.Transfer || r.Call != w.rec.only(t).ID || r.Queue != "sales" || r.User != "kim" {
			t.Errorf("asked %+v", r)
		}
		w.wantApart(c, kim)
		to.rings()
		to.speaksEarly()
		w.wantApart(c, kim)
		w.wantState("kim", model.OnCall, "")
		to.picksUp()
		w.wantJoined(c, to)
		w.wantState("kim", model.WrapUp, "")
		kim.wantProgress("The caller was put through.", protocol.Trying, protocol.Ringing, protocol.Answered)
		if p, _ := last[protocol.Progress](kim); !p.Transfer || p.To != friend {
			t.Errorf("told %+v", p)
		}
		if e, _ := last[protocol.Ended](kim); e.Cause != string(model.CauseTransferred) {
			t.Errorf("told %+v", e)
		}
		if hears(kim.peer(0).Leg, c.leg) || hears(c.leg, kim.peer(0).Leg) {
			t.Error("the agent is still on the line")
		}
		w.pass(wrapUp)
		w.wantState("kim", model.Ready, "")
		to.leaves()
		w.wantCause(model.CauseCalleeHungUp)
		if c.Ended() != "local" {
			t.Errorf("the caller's line ended %q", c.Ended())
		}
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "transfer", "progress", "progress", "transferred", "ended")
		var legs []string
		for _, l := range w.rec.legs {
			legs = append(legs, string(l.Kind)+" "+string(l.Cause))
		}
		slices.Sort(legs)
		if want := []string{"agent transferred", "trunk callee_hung_up", "trunk callee_hung_up"}; !slices.Equal(legs, want) {
			t.Errorf("legs %v, wanted %v", legs, want)
		}
		w.wantSaid("INVITE", "INVITE")
	})
}

func TestACallerWhoWasPassedOnHangsUp(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		to := kim.passesOn(friend)
		to.picksUp()
		c.leaves()
		w.wantCause(model.CauseCallerHungUp)
		if to.Ended() != "local" {
			t.Errorf("the callee's line ended %q", to.Ended())
		}
	})
}

func TestATransferThatFailsGivesTheAgentTheCallerBack(t *testing.T) {
	inWorld(t, call.Config{DialTimeout: 30 * time.Second}, func(w *world) {
		c, kim := w.talking()
		kim.passesOn(friend).refuses(486, "Busy Here")
		w.wantTalking(c, kim)
		kim.wantProgress("The number is busy.", protocol.Trying, protocol.Failed)
		w.wantState("kim", model.OnCall, "")

		slow := kim.passesOn(brief)
		w.pass(31 * time.Second)
		w.wantTalking(c, kim)
		if slow.Ended() != "cancelled" {
			t.Errorf("it ended %q", slow.Ended())
		}
		back := kim.passesOn(emergency)
		kim.say("c", protocol.CancelTransfer{CallID: kim.callID()})
		w.wantTalking(c, kim)
		if back.Ended() != "cancelled" {
			t.Errorf("it ended %q", back.Ended())
		}
		kim.say("c2", protocol.CancelTransfer{CallID: kim.callID()})
		kim.wantDenied("c2", protocol.CodeNotNow)
		c.leaves()
		w.wantCause(model.CauseCallerHungUp)
		w.wantLegCauses(model.CauseCallerHungUp, model.CauseCallerHungUp)
	})
}

func TestATransferGoesOnWhenTheAgentHangsUp(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		to := kim.passesOn(friend)
		kim.say("h", protocol.Hangup{CallID: kim.callID()})
		w.wantState("kim", model.WrapUp, "")
		if c.Ended() != "" || !w.music.plays(c.leg) {
			t.Error("the caller was thrown out, or hears nothing")
		}
		to.picksUp()
		w.wantJoined(c, to)
		c.leaves()
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "transfer", "progress", "parted", "transferred", "ended")
	})
}

func TestATransferThatFailsWithoutItsAgentPutsTheCallerAtTheHead(t *testing.T) {
	for name, leave := range map[string]func(w *world, kim *desk){
		"hung up": func(_ *world, kim *desk) { kim.say("h", protocol.Hangup{CallID: kim.callID()}) },
		"lost": func(w *world, kim *desk) {
			kim.agent.LinkLost(kim.link)
			w.pass(11 * time.Second)
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, call.Config{}, func(w *world) {
				c, kim := w.talking()
				to := kim.passesOn(friend)
				second := w.rings(newCaller(number))
				leave(w, kim)
				to.refuses(486, "Busy Here")
				if !w.music.plays(c.leg) {
					t.Error("the caller hears nothing")
				}
				lee := w.desk("lee")
				lee.starts()
				if o, ok := last[protocol.Offer](lee); !ok || o.Call.ID != kim.callID() {
					t.Errorf("lee is offered %+v, wanted the caller who was passed on", o)
				}
				lee.accepts()
				w.wantTalking(c, lee)
				c.leaves()
				second.leaves()
			})
		})
	}
}

func TestACalleeOfNoQueueWhoseTransferFailsAfterTheAgentLeftIsLetGo(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		first := kim.dials(friend, "")
		first.picksUp()
		to := kim.passesOn(brief)
		kim.say("h", protocol.Hangup{CallID: kim.callID()})
		to.refuses(404, "Not Found")
		w.wantCause(model.CauseTransferFailed)
		if first.Ended() != "local" {
			t.Errorf("it ended %q", first.Ended())
		}
	})
}

func TestACallerWhoHangsUpWhileBeingPassedOnEndsIt(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		to := kim.passesOn(friend)
		c.leaves()
		w.wantCause(model.CauseCallerHungUp)
		if to.Ended() != "cancelled" {
			t.Errorf("it ended %q", to.Ended())
		}
		w.wantState("kim", model.WrapUp, "")
	})
}

func TestACallerIsPassedOnToAQueue(t *testing.T) {
	for name, to := range map[string]string{"by its name": "strict", "by its number": "2000"} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, call.Config{}, func(w *world) {
				early := w.rings(newCaller("2000"))
				w.pass(time.Second)
				kim := w.desk("kim")
				kim.user.Queues = []model.QueueID{"sales"}
				kim.starts()
				c := w.rings(newCaller(number))
				kim.accepts()
				w.pass(time.Second)
				late := w.rings(newCaller("2000"))
				kim.say("t", protocol.Transfer{CallID: kim.callID(), To: to})
				if a := kim.answersTo("t"); len(a) != 1 || a[0] != (protocol.Ack{}) {
					t.Errorf("answered %v", a)
				}
				w.wantState("kim", model.WrapUp, "")
				kim.wantProgress("The caller waits in strict.", protocol.Answered)
				if !w.music.plays(c.leg) {
					t.Error("the caller hears nothing")
				}
				for _, next := range []*caller{early, c, late} { // by the time of the call
					lee := w.desk("lee")
					lee.user.Queues = []model.QueueID{"strict"}
					lee.starts()
					lee.accepts()
					w.wantTalking(next, lee)
					next.leaves()
					lee.say("out", protocol.SignOut{})
				}
			})
		})
	}
}

func TestTransfersAreRefusedInWords(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		id := kim.callID()
		kim.say("closed", protocol.Transfer{CallID: id, To: closed})
		kim.wantDenied("closed", protocol.CodeNotAllowed)
		kim.say("stray", protocol.Transfer{CallID: "another", To: friend})
		kim.wantDenied("stray", protocol.CodeStale)
		kim.say("stray hold", protocol.Hold{CallID: "another", On: true})
		if e, _ := kim.say("stray hold 2", protocol.Hold{CallID: "another", On: true}).(protocol.Error); e.Code != protocol.CodeStale {
			t.Errorf("%+v", e)
		}
		w.wantTalking(c, kim)
		kim.passesOn(friend)
		kim.say("twice", protocol.Transfer{CallID: id, To: brief})
		kim.wantDenied("twice", protocol.CodeNotNow)
		kim.say("queue", protocol.Transfer{CallID: id, To: "strict"})
		kim.wantDenied("queue", protocol.CodeNotNow)
		kim.say("hold", protocol.Hold{CallID: id, On: true})
		kim.wantDenied("hold", protocol.CodeNotNow)
		c.leaves()
	})
}

func TestACallThatRingsCannotBePassedOnOrHeld(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		to := kim.dials(friend, "sales")
		id := kim.callID()
		kim.say("t", protocol.Transfer{CallID: id, To: brief})
		kim.wantDenied("t", protocol.CodeNotNow)
		kim.say("q", protocol.Transfer{CallID: id, To: "strict"})
		kim.wantDenied("q", protocol.CodeNotNow)
		kim.say("h", protocol.Hold{CallID: id, On: true})
		kim.wantDenied("h", protocol.CodeNotNow)
		to.picksUp()
		w.wantTalking(to.caller, kim)
		to.leaves()
	})
}

func TestOnHoldTheCallerHearsMusicAndTheMeterKnows(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		id := kim.callID()
		s := newSpeaker(t, kim.peer(0).Leg)
		s.says(5 * time.Second)
		kim.say("h", protocol.Hold{CallID: id, On: true})
		kim.say("h2", protocol.Hold{CallID: id, On: true})
		w.wantApart(c, kim)
		s.says(5 * time.Second)
		if err := kim.signIn(kim.welcome.Resume); err != nil {
			t.Fatal(err)
		}
		if kim.welcome.Call == nil || !kim.welcome.Call.Held {
			t.Errorf("welcomed with %+v", kim.welcome.Call)
		}
		kim.connect() // over another connection, and with another headset
		w.wantApart(c, kim)
		kim.say("hc", protocol.HeadsetChanged{Headset: protocol.Headset{Model: "H2", Serial: "2"}})
		w.wantApart(c, kim)
		kim.say("u", protocol.Hold{CallID: id})
		w.wantTalking(c, kim)
		c.leaves()
		synctest.Wait()
		scored := 0.0
		for _, ch := range w.rec.chunks {
			for _, r := range ch.Readings {
				if ch.Tap == headset.TapWire {
					scored += r.Scored
				}
			}
		}
		if scored < 4 || scored > 6 {
			t.Errorf("%.1f seconds count for the headset, wanted the five before the hold", scored)
		}
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "held", "rejoined", "rejoined", "resumed", "ended")
	})
}

func TestATransferFromHoldAndOverANewConnection(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		kim.say("h", protocol.Hold{CallID: kim.callID(), On: true})
		to := kim.passesOn(friend)
		kim.connect()
		w.wantApart(c, kim)
		to.refuses(486, "Busy Here")
		w.wantTalking(c, kim)
		kim.passesOn(brief).picksUp()
		w.pass(61 * time.Second)
		w.wantCause(model.CauseTimeLimit)
		if c.Ended() != "local" {
			t.Errorf("it ended %q", c.Ended())
		}
	})
}
