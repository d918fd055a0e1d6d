package call_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// tapes is a working call.Recorder that keeps what it hears in memory.
type tapes struct {
	mu     sync.Mutex
	broken bool
	all    []*tape
	kept   []model.Recording // as they ended
}

type tape struct {
	rec           model.Recording
	keep          time.Duration
	caller, agent heard
	paused        atomic.Bool
	secret        atomic.Bool
	stopped       atomic.Bool
	ended         chan model.Recording
}

// heard counts frames, and tells those that were on hold.
type heard struct{ all, held atomic.Int64 }

func (h *heard) Offer(_ []float32, _ int, _ media.Codec, mark dsp.Mark) {
	h.all.Add(1)
	if mark&dsp.Held != 0 {
		h.held.Add(1)
	}
}

func (t *tape) Caller() media.Tap             { return &t.caller }
func (t *tape) Agent() media.Tap              { return &t.agent }
func (t *tape) Pause(on bool) bool            { return t.paused.Swap(on) != on }
func (t *tape) Secret(on bool) bool           { return t.secret.Swap(on) != on }
func (t *tape) Ended() <-chan model.Recording { return t.ended }
func (t *tape) Stop() {
	if !t.stopped.Swap(true) {
		t.rec.State = model.RecordingComplete
		t.ended <- t.rec
	}
}

func (t *tapes) Begin(r model.Recording, keep time.Duration) (call.Recording, model.Recording, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken {
		return nil, r, errors.New("no recorder")
	}
	r.StartedAt, r.State = time.Now(), model.RecordingLive
	one := &tape{rec: r, keep: keep, ended: make(chan model.Recording, 1)}
	t.all = append(t.all, one)
	return one, r, nil
}

func (t *tapes) Started(context.Context, model.Recording) error { return nil }

func (t *tapes) Ended(_ context.Context, r model.Recording) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept = append(t.kept, r)
	return nil
}

// only gives the single recording there is.
func (t *tapes) only(tt *testing.T) *tape {
	tt.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.all) != 1 {
		tt.Fatalf("%d recordings", len(t.all))
	}
	return t.all[0]
}

func (t *tapes) count() (begun, kept int) {
	synctest.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.all), len(t.kept)
}

// records has every queue recorded by a rule.
func (w *world) records(rule model.QueueRecording) {
	s := site()
	for i := range s.Queues {
		s.Queues[i].Recording = rule
	}
	w.sb.SiteChanged(s)
	synctest.Wait()
}

func (w *world) wantRecorded(t *tape, caller, agent *mediatest.Leg, want bool) {
	w.t.Helper()
	for name, side := range map[string]struct {
		leg *mediatest.Leg
		ear *heard
	}{"the caller": {caller, &t.caller}, "the other side": {agent, &t.agent}} {
		before := side.ear.all.Load()
		for i := range 3 {
			side.leg.Say(&media.Packet{Source: 7000, Seq: uint64(before) + uint64(i), Timestamp: (uint64(before) + uint64(i)) * 160, Codec: media.PCMU, Payload: make([]byte, 160)})
		}
		if got := side.ear.all.Load() > before; got != want {
			w.t.Errorf("%s is recorded: %v, wanted %v", name, got, want)
		}
	}
}

func (w *world) recordingEvents() []string {
	synctest.Wait()
	return slices.DeleteFunc(w.rec.story(w.rec.only(w.t).ID), func(s string) bool { return !strings.HasPrefix(s, "recording_") })
}

func TestAQueueThatRecordsAlwaysRecordsFromTheFirstWord(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.records(model.QueueRecording{Policy: model.RecordAlways, KeepDays: 30})
		c, kim := w.talking()
		one := w.tapes.only(t)
		w.wantRecorded(one, c.leg, kim.peers[0].Leg, true)
		if one.rec.Call != w.rec.only(t).ID || one.rec.Queue != "sales" || one.rec.Agent != "kim" || one.keep != 30*24*time.Hour {
			t.Errorf("%+v, kept %v", one.rec, one.keep)
		}
		c.leaves()
		if begun, kept := w.tapes.count(); begun != 1 || kept != 1 {
			t.Errorf("%d begun, %d written down", begun, kept)
		}
		if got := w.recordingEvents(); !slices.Equal(got, []string{"recording_started", "recording_stopped"}) {
			t.Errorf("the story has %v", got)
		}
	})
}

func TestNothingIsRecordedWithoutARule(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, _ := w.talking()
		id := w.rec.only(t).ID
		var denied *call.Denial
		if err := w.sb.Record(w.ctx, id, call.RecordStart, "sup", false); !errors.As(err, &denied) || denied.Code != protocol.CodeNotAllowed {
			t.Errorf("asked for: %v", err)
		}
		c.leaves()
		if begun, _ := w.tapes.count(); begun != 0 {
			t.Errorf("%d recordings", begun)
		}
		if err := w.sb.Record(w.ctx, id, call.RecordStart, "sup", false); !errors.Is(err, call.ErrNoCall) {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestARecordingOnDemandIsStartedPausedAndStopped(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.records(model.QueueRecording{Policy: model.RecordOnDemand})
		c, kim := w.talking()
		id := w.rec.only(t).ID
		do := func(action call.RecordAction, want string) {
			t.Helper()
			err := w.sb.Record(w.ctx, id, action, "sup", false)
			var denied *call.Denial
			if errors.As(err, &denied) != (want != "") || denied != nil && denied.Code != want {
				t.Errorf("%s: %v", action, err)
			}
		}
		do(call.RecordPause, protocol.CodeNotNow)
		do(call.RecordStop, protocol.CodeNotNow)
		do(call.RecordStart, "")
		do(call.RecordStart, "")
		one := w.tapes.only(t)
		w.wantRecorded(one, c.leg, kim.peers[0].Leg, true)
		kim.say("p1", protocol.Record{CallID: string(id), Action: "pause"})
		synctest.Wait()
		if !one.paused.Load() {
			t.Error("the agent could not pause it")
		}
		do(call.RecordResume, "")
		if one.paused.Load() {
			t.Error("it was not resumed")
		}
		do("destroy", protocol.CodeBadMessage)
		do(call.RecordStop, "")
		w.wantRecorded(one, c.leg, kim.peers[0].Leg, false)
		do(call.RecordStart, "")
		if begun, kept := w.tapes.count(); begun != 2 || kept != 1 {
			t.Errorf("%d begun, %d written down", begun, kept)
		}
	})
}

func TestConsentBeginsARecording(t *testing.T) {
	rule := model.QueueRecording{Policy: model.RecordConsent, ConsentKey: "1"}
	t.Run("by a key while the caller waits", func(t *testing.T) {
		inWorld(t, call.Config{}, func(w *world) {
			w.records(rule)
			c := w.rings(newCaller(number))
			c.digits <- '5'
			c.digits <- '1'
			synctest.Wait()
			if begun, _ := w.tapes.count(); begun != 0 {
				t.Error("the music is recorded")
			}
			kim := w.desk("kim")
			kim.starts()
			w.pass(time.Second)
			kim.accepts()
			w.wantRecorded(w.tapes.only(t), c.leg, kim.peers[0].Leg, true)
			if got := w.recordingEvents(); !slices.Equal(got, []string{"recording_consented", "recording_started"}) {
				t.Errorf("the story has %v", got)
			}
		})
	})
	t.Run("by what the agent says", func(t *testing.T) {
		inWorld(t, call.Config{}, func(w *world) {
			w.records(rule)
			c, kim := w.talking()
			id := w.rec.only(t).ID
			var denied *call.Denial
			if err := w.sb.Record(w.ctx, id, call.RecordStart, "kim", true); !errors.As(err, &denied) || denied.Code != protocol.CodeNotNow {
				t.Errorf("without consent: %v", err)
			}
			if err := w.sb.Record(w.ctx, id, call.RecordConsented, "eve", true); !errors.Is(err, call.ErrNoCall) {
				t.Errorf("by an agent who is not in the call: %v", err)
			}
			kim.say("r1", protocol.Record{CallID: string(id), Action: "consent"})
			synctest.Wait()
			w.wantRecorded(w.tapes.only(t), c.leg, kim.peers[0].Leg, true)
		})
	})
}

func TestOneRecordingGoesThroughHoldAndTransfer(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.records(model.QueueRecording{Policy: model.RecordAlways})
		c, kim := w.talking()
		one := w.tapes.only(t)
		id := string(w.rec.only(t).ID)
		kim.say("h1", protocol.Hold{CallID: id, On: true})
		synctest.Wait()
		w.wantRecorded(one, c.leg, kim.peers[0].Leg, true)
		if one.caller.held.Load() == 0 || one.agent.held.Load() == 0 {
			t.Error("what is said on hold is not told from the rest")
		}
		kim.say("h2", protocol.Hold{CallID: id})
		synctest.Wait()
		to := kim.passesOn(friend)
		to.picksUp()
		w.wantJoined(c, to)
		w.wantRecorded(one, c.leg, to.leg, true)
		c.leaves()
		if begun, kept := w.tapes.count(); begun != 1 || kept != 1 {
			t.Errorf("%d begun, %d written down", begun, kept)
		}
	})
}

func TestACallGoesOnWithoutItsRecording(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.tapes.broken = true
		w.records(model.QueueRecording{Policy: model.RecordAlways})
		c, kim := w.talking()
		w.wantTalking(c, kim)
		if got := w.recordingEvents(); !slices.Equal(got, []string{"recording_failed"}) {
			t.Errorf("the story has %v", got)
		}
	})
}

func TestBothSidesHearABeep(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.records(model.QueueRecording{Policy: model.RecordAlways, Beep: 15 * time.Second})
		c, kim := w.talking()
		agent := kim.peers[0].Leg
		beeps := func() bool { return w.beeps.plays(c.leg) && w.beeps.plays(kim.peers[0]) }
		for range 3 {
			n := 0
			for range 150 {
				w.passTalking(100*time.Millisecond, kim)
				if beeps() {
					n++
					if hears(c.leg, agent) {
						t.Error("the agent hears the caller and the beep at once")
					}
				}
			}
			if n == 0 || n > 3 {
				t.Errorf("in 15 s a beep is heard in %d of 150 looks", n)
			}
		}
		kim.say("h1", protocol.Hold{CallID: string(w.rec.only(t).ID), On: true})
		for range 200 {
			w.passTalking(100*time.Millisecond, kim)
			if beeps() {
				t.Fatal("a caller on hold hears a beep into the music")
			}
		}
		w.wantApart(c, kim)
		kim.say("h2", protocol.Hold{CallID: string(w.rec.only(t).ID)})
		synctest.Wait()
		w.wantTalking(c, kim)
		c.leaves()
		synctest.Wait()
		if beeps() {
			t.Error("a beep outlives the call")
		}
	})
}

func TestASecretIsNotRecordedEvenIfTheRecordingBeginsMeanwhile(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.records(model.QueueRecording{Policy: model.RecordOnDemand})
		_, kim := w.talking()
		id := kim.callID()
		kim.say("s1", protocol.Secret{CallID: id, On: true})
		kim.say("r1", protocol.Record{CallID: id, Action: string(call.RecordStart)})
		synctest.Wait()
		tape := w.tapes.only(t)
		if !tape.secret.Load() {
			t.Error("a recording that began while a secret was keyed in has it")
		}
		kim.say("s2", protocol.Secret{CallID: id, On: false})
		if synctest.Wait(); tape.secret.Load() {
			t.Error("the recording stays silent after the secret")
		}
		kim.say("s3", protocol.Secret{CallID: id, On: true})
		if synctest.Wait(); !tape.secret.Load() {
			t.Error("the secret is recorded")
		}
	})
}
