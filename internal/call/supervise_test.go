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
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// supervisor is a desk of somebody who takes no calls of their own unless asked to.
func (w *world) supervisor() *desk {
	w.t.Helper()
	d := w.desk("boss")
	d.user.Roles, d.user.Queues = []model.Role{model.RoleSupervisor}, nil
	if err := d.signIn(""); err != nil {
		w.t.Fatal(err)
	}
	d.connect()
	return d
}

// supervises has a supervisor join the only call there is, or change how.
func (d *desk) supervises(mode model.SuperviseMode) error {
	d.t.Helper()
	err := d.w.sb.Supervise(d.w.ctx, d.user, d.w.sb.Calls()[0].ID, mode)
	synctest.Wait()
	return err
}

// tones lets each of legs say a tone for a second, and tells whom each hears.
func (w *world) tones3(legs ...*mediatest.Leg) [][]bool {
	w.t.Helper()
	hz := []float64{500, 640, 830} // from 900 Hz on they would be turned down
	encoders, before := make([]codec.Encoder, len(legs)), make([]int, len(legs))
	for i, l := range legs {
		encoders[i], _ = codec.NewEncoder(media.PCMU, 8000)
		before[i] = len(l.Heard())
	}
	source := media.NewSource()
	for n := range 50 {
		for i, l := range legs {
			payload := make([]byte, 160)
			if _, err := encoders[i].Encode(mediatest.Tone(8000, hz[i], -20, 8000)[n*160:(n+1)*160], payload); err != nil {
				w.t.Fatal(err)
			}
			l.Say(&media.Packet{Source: source + uint32(i), Seq: uint64(n), Timestamp: uint64(n * 160), Codec: media.PCMU, Payload: payload})
		}
		w.pass(20 * time.Millisecond)
	}
	heard := make([][]bool, len(legs))
	for i, l := range legs {
		heard[i] = make([]bool, len(legs))
		packets := l.Heard()[before[i]:]
		if len(packets) < 30 {
			continue
		}
		dec := map[media.Codec]codec.Decoder{}
		var pcm []float32
		frame := make([]float32, 960)
		for _, p := range packets[15:] {
			if dec[p.Codec] == nil {
				dec[p.Codec], _ = codec.NewDecoder(p.Codec, 8000)
			}
			k, _ := dec[p.Codec].Decode(p.Payload, frame)
			pcm = append(pcm, frame[:k]...)
		}
		for k := range legs {
			heard[i][k] = mediatest.ToneDBov(pcm, 8000, hz[k]) > -30
		}
	}
	return heard
}

// wantHeard says who is to hear whom: "01" is that the first is heard by the second.
func (w *world) wantHeard(when string, want []string, legs ...*mediatest.Leg) {
	w.t.Helper()
	got := w.tones3(legs...)
	for to := range legs {
		for from := range legs {
			expect := false
			for _, pair := range want {
				expect = expect || pair == string(rune('0'+from))+string(rune('0'+to))
			}
			if got[to][from] != expect {
				w.t.Errorf("%s: %d hears %d: %v", when, to, from, got[to][from])
			}
		}
	}
}

func TestASupervisorListensWhispersBargesInAndLeaves(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		boss := w.supervisor()
		w.wantState("boss", model.Break, acd.ReasonSignedIn)
		legs := []*mediatest.Leg{c.leg, kim.peer(0).Leg, boss.peer(0).Leg}
		both := []string{"01", "10", "02", "12"}
		for _, step := range []struct {
			mode model.SuperviseMode
			more []string
		}{{model.Listen, nil}, {model.Whisper, []string{"21"}}, {model.Barge, []string{"21", "20"}}, {model.Listen, nil}} {
			if err := boss.supervises(step.mode); err != nil {
				t.Fatalf("%s: %v", step.mode, err)
			}
			w.wantState("boss", model.OnCall, acd.ReasonSupervising)
			if m, _ := last[protocol.Supervised](kim); m.Mode != string(step.mode) || m.Supervisor != "boss" || m.Name == "" {
				t.Errorf("%s: the agent is told %+v", step.mode, m)
			}
			if m, _ := last[protocol.Supervising](boss); m.Mode != string(step.mode) || m.Call == nil || m.Agent == "" {
				t.Errorf("%s: the supervisor is told %+v", step.mode, m)
			}
			w.wantHeard(string(step.mode), append(step.more, both...), legs...)
		}
		if err := w.sb.Unsupervise(w.ctx, "boss", w.sb.Calls()[0].ID); err != nil {
			t.Fatal(err)
		}
		w.pass(300 * time.Millisecond)
		w.wantState("boss", model.Break, acd.ReasonSignedIn)
		if m, _ := last[protocol.Supervised](kim); m.Mode != "" {
			t.Errorf("the agent is told %+v", m)
		}
		w.wantHeard("after", []string{"01", "10"}, legs...)
		c.leaves()
		w.wantCause(model.CauseCallerHungUp)
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "supervised", "supervised", "supervised", "supervised", "supervision_ended", "ended")
	})
}

func TestASupervisorTakesACallOver(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		boss := w.supervisor()
		if err := boss.supervises(model.TakeOver); err != nil {
			t.Fatal(err)
		}
		w.wantState("kim", model.WrapUp, "")
		w.wantState("boss", model.OnCall, "")
		if e, _ := last[protocol.Ended](kim); e.Cause != string(model.CauseTakenOver) {
			t.Errorf("the agent is told %+v", e)
		}
		if m, ok := last[protocol.Connected](boss); !ok || m.Call.ID == "" {
			t.Errorf("the supervisor is told %+v", m)
		}
		w.wantHeard("taken over", []string{"01", "10"}, c.leg, boss.peer(0).Leg, kim.peer(0).Leg)
		if got := w.sb.Calls(); got[0].Agent != "boss" {
			t.Errorf("the call is %s's", got[0].Agent)
		}
		c.leaves()
		w.wantCause(model.CauseCallerHungUp)
		w.wantState("boss", model.WrapUp, "")
		w.wantStory("arrived", "queued", "offered", "accepted", "connected", "supervised", "taken_over", "ended")
		w.wantLegCauses(model.CauseCallerHungUp, model.CauseTakenOver, model.CauseCallerHungUp)
	})
}

func TestASupervisionEndsWithTheAgentsPartAndFollowsItsMedia(t *testing.T) {
	for _, c := range []struct {
		name string
		do   func(w *world, c *caller, kim, boss *desk)
		why  string
		boss model.AgentState
	}{
		{"the caller hangs up", func(_ *world, c *caller, _, _ *desk) { c.leaves() }, string(model.CauseCallerHungUp), model.Break},
		{"the agent hangs up", func(w *world, _ *caller, kim, _ *desk) {
			kim.say("h", protocol.Hangup{CallID: string(w.sb.Calls()[0].ID)})
		}, string(model.CauseAgentHungUp), model.Break},
		{"the caller is passed on", func(w *world, _ *caller, kim, _ *desk) {
			kim.say("t", protocol.Transfer{CallID: string(w.sb.Calls()[0].ID), To: "strict"})
		}, string(model.CauseTransferred), model.Break},
		{"the supervisor's media is lost", func(w *world, _ *caller, _, boss *desk) { boss.peer(0).dies(); w.pass(time.Second) }, "media_lost", model.Break},
		{"the supervisor signs out", func(_ *world, _ *caller, _, boss *desk) { boss.say("s", protocol.SignOut{}) }, "left", model.Offline},
		{"the supervisor's client is gone", func(w *world, _ *caller, _, boss *desk) {
			boss.agent.LinkLost(boss.link)
			w.pass(11 * time.Second)
		}, "supervisor_gone", model.Offline},
		{"the supervisor dials", func(w *world, _ *caller, _, boss *desk) {
			_, _ = w.sb.Dial(w.ctx, "boss", friend, "")
			w.pass(time.Second)
		}, "own_call", model.OnCall},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, call.Config{}, func(w *world) {
				caller, kim := w.talking()
				boss := w.supervisor()
				if err := boss.supervises(model.Whisper); err != nil {
					t.Fatal(err)
				}
				w.pass(300 * time.Millisecond)
				c.do(w, caller, kim, boss)
				w.pass(300 * time.Millisecond)
				if got := w.state("boss"); got.State != c.boss || got.Reason == acd.ReasonSupervising {
					t.Errorf("the supervisor is %s (%q)", got.State, got.Reason)
				}
				why := ""
				if e, ok := w.rec.event("supervision_ended"); ok {
					why = e.Detail["why"]
				}
				if why != c.why {
					t.Errorf("the supervision ended with %q, want %q", why, c.why)
				}
			})
		})
	}
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		boss := w.supervisor()
		if err := boss.supervises(model.Whisper); err != nil {
			t.Fatal(err)
		}
		kim.connect()
		boss.connect()
		w.pass(300 * time.Millisecond)
		w.wantHeard("over new connections", []string{"01", "10", "02", "12", "21"}, c.leg, kim.peer(1).Leg, boss.peer(1).Leg)
		kim.say("hold", protocol.Hold{CallID: string(w.sb.Calls()[0].ID), On: true})
		w.wantHeard("on hold", []string{"12", "21"}, c.leg, kim.peer(1).Leg, boss.peer(1).Leg)
		if !w.music.plays(c.leg) {
			t.Error("the caller hears no music")
		}
		c.leaves()
	})
}

func TestWhoMaySuperviseAndWhen(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := w.rings(newCaller(number))
		boss := w.supervisor()
		denied := func(err error, code string) {
			t.Helper()
			var d *call.Denial
			if !errors.As(err, &d) || d.Code != code || d.Text == "" {
				t.Errorf("%v, want a denial %s", err, code)
			}
		}
		denied(boss.supervises(model.Listen), protocol.CodeNotNow) // nobody talks yet
		kim := w.desk("kim")
		kim.starts()
		kim.accepts()
		id := w.sb.Calls()[0].ID
		if err := w.sb.Supervise(w.ctx, kim.user, id, model.Listen); !errors.Is(err, call.ErrNotSupervisor) {
			t.Errorf("an agent: %v", err)
		}
		if err := w.sb.Supervise(w.ctx, boss.user, "no-such", model.Listen); !errors.Is(err, call.ErrNoCall) {
			t.Errorf("no call: %v", err)
		}
		away := model.User{ID: "away", Roles: []model.Role{model.RoleAdmin}}
		if err := w.sb.Supervise(w.ctx, away, id, model.Listen); !errors.Is(err, call.ErrNotSignedIn) {
			t.Errorf("not signed in: %v", err)
		}
		denied(w.sb.Unsupervise(w.ctx, "boss", id), protocol.CodeStale)
		deaf := w.desk("deaf")
		deaf.user.Roles = []model.Role{model.RoleSupervisor}
		if err := deaf.signIn(""); err != nil {
			t.Fatal(err)
		}
		denied(deaf.supervises(model.Listen), protocol.CodeNotNow)
		kim.user.Roles = append(kim.user.Roles, model.RoleSupervisor)
		denied(kim.supervises(model.Listen), protocol.CodeNotNow)
		if err := boss.supervises(model.Listen); err != nil {
			t.Fatal(err)
		}
		second := w.rings(newCaller(number))
		lee := w.desk("lee")
		lee.starts()
		lee.accepts()
		denied(w.sb.Supervise(w.ctx, boss.user, w.sb.Calls()[1].ID, model.Listen), protocol.CodeNotNow)
		c.leaves()
		second.leaves()
	})
}

func TestASiteMayHideThatASupervisorListens(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		s := site()
		s.Supervision.Announce = model.AnnounceHidden
		s.Users = []model.User{w.desk("kim").user, {ID: "boss", Roles: []model.Role{model.RoleSupervisor}}}
		w.sb.SiteChanged(s)
		c, kim := w.talking()
		boss := w.supervisor()
		if err := boss.supervises(model.Listen); err != nil {
			t.Fatal(err)
		}
		if m, told := last[protocol.Supervised](kim); told && m.Mode != "" {
			t.Errorf("the agent is told %+v", m)
		}
		if err := boss.supervises(model.Whisper); err != nil {
			t.Fatal(err)
		}
		if m, _ := last[protocol.Supervised](kim); m.Mode != protocol.Whispering {
			t.Errorf("the agent is told %+v", m)
		}
		c.leaves()
	})
}
