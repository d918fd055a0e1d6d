package call_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// phones signs a desk in as one with a SIP phone.
func (d *desk) phones() {
	d.t.Helper()
	l := &link{d: d}
	a, w, err := d.w.sb.SignInPhone(d.w.ctx, d.user, model.HeadsetInfo(d.set), l)
	if err != nil {
		d.t.Fatal(err)
	}
	d.agent, d.welcome, d.link = a, w, l
	synctest.Wait()
	if e, bad := d.say("", protocol.SetState{State: "ready"}).(protocol.Error); bad {
		d.t.Fatalf("not ready without audio: %v", e)
	}
}

// brings gives the session a phone's audio.
func (d *desk) brings() *peer {
	d.t.Helper()
	p := newPeer()
	close(p.connected)
	if err := d.agent.Bring(d.w.ctx, p); err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	d.peers = append(d.peers, p)
	d.mu.Unlock()
	return p
}

func isOver(p *peer) bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func TestAPhoneBringsItsAudioWithEachCall(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.phones()
		w.wantState("kim", model.Ready, "")
		if live := w.sb.Live(); len(live) != 1 || !live[0].Phone || !live[0].Media || !kim.agent.OnPhone() || w.sb.Session("kim") != kim.agent || w.sb.Session("nobody") != nil {
			t.Errorf("live %+v", live)
		}
		for range 2 {
			c := w.rings(newCaller("49301000"))
			id := kim.ringing()
			if _, refused := kim.say("", protocol.Accept{CallID: id}).(protocol.Error); !refused {
				t.Error("accepted without audio")
			}
			p := kim.brings()
			if err := kim.agent.Bring(w.ctx, newPeer()); !errors.Is(err, call.ErrBusy) {
				t.Errorf("a second audio: %v", err)
			}
			kim.accepts()
			w.wantTalking(c, kim)
			c.leaves()
			w.pass(wrapUp)
			if !isOver(p) {
				t.Error("the phone is not hung up")
			}
			w.wantState("kim", model.Ready, "")
		}
	})
}

func TestAPhoneThatIsLostInACallGivesTheCallerBackAtOnce(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim, joe := w.desk("kim"), w.desk("joe")
		kim.phones()
		c := w.rings(newCaller("49301000"))
		p := kim.brings()
		kim.accepts()
		w.wantTalking(c, kim)
		joe.phones()
		p.dies()
		synctest.Wait()
		if joe.ringing() == "" {
			t.Fatal("nobody else is offered the caller")
		}
		w.wantState("kim", model.Offline, "")
		if e, _ := last[protocol.Error](kim); e.Code != protocol.CodeMedia {
			t.Errorf("the phone is told %+v", e)
		}
		joe.brings()
		joe.accepts()
		w.wantTalking(c, joe)
		c.leaves()
		w.wantLegCauses(model.CauseAgentLost, model.CauseCallerHungUp, model.CauseCallerHungUp)
	})
}

func TestAPhoneLostBetweenAnswerAndAcceptCostsNobodyTheCall(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.phones()
		w.rings(newCaller("49301000"))
		p := kim.brings()
		p.dies()
		synctest.Wait()
		if _, refused := kim.say("", protocol.Accept{CallID: kim.ringing()}).(protocol.Error); !refused {
			t.Error("accepted with audio that is gone")
		}
		kim.brings()
		kim.accepts()
		w.wantState("kim", model.OnCall, "")
	})
}

func TestAPhonesSessionOutlivesAnOutageAndIsTakenUpAgain(t *testing.T) {
	inWorld(t, call.Config{OutageGrace: 10 * time.Second}, func(w *world) {
		kim := w.desk("kim")
		kim.phones()
		kim.agent.LinkLost(kim.link)
		w.pass(5 * time.Second)
		w.wantState("kim", model.Break, call.ReasonReconnecting)
		kim.link = &link{d: kim}
		if err := kim.agent.Relink(w.ctx, model.HeadsetInfo(kim.set), kim.link); err != nil {
			t.Fatal(err)
		}
		w.wantState("kim", model.Ready, "")
		kim.agent.LinkLost(kim.link)
		w.pass(11 * time.Second)
		w.wantState("kim", model.Offline, "")
		if err := kim.agent.Relink(w.ctx, model.HeadsetInfo(kim.set), kim.link); !errors.Is(err, call.ErrEnded) {
			t.Errorf("a session that is over is taken up: %v", err)
		}
		if err := kim.agent.Bring(w.ctx, newPeer()); !errors.Is(err, call.ErrEnded) {
			t.Errorf("and given audio: %v", err)
		}
	})
}

func TestAClientBringsNoAudioAndNobodyElseSignsInByPhone(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		if err := kim.agent.Bring(w.ctx, newPeer()); err == nil {
			t.Error("a client brought audio")
		}
		if _, _, err := w.sb.SignInPhone(w.ctx, model.User{ID: "it", Roles: []model.Role{model.RoleIT}}, model.HeadsetInfo{}, &link{d: kim}); !errors.Is(err, call.ErrNotAgent) {
			t.Errorf("one who is no agent: %v", err)
		}
	})
}

func TestWhoIsOnAPhoneIsToldToDialThere(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.desk("kim").phones()
		var d *call.Denial
		if _, err := w.sb.Dial(w.ctx, "kim", "112", ""); !errors.As(err, &d) || d.Text != "You take calls on a phone: dial the number there." {
			t.Errorf("%v", err)
		}
	})
}
