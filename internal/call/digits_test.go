package call_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/dtmf"
)

// pad is a working call.Dialpad: it notes what it is sent.
type pad struct {
	padMu sync.Mutex
	sent  string
	tones bool
	full  bool
}

func (p *pad) SendDigits(digits string) error {
	p.padMu.Lock()
	defer p.padMu.Unlock()
	if p.full {
		return fmt.Errorf("pad: %w", dtmf.ErrFull)
	}
	if err := dtmf.Check(digits); err != nil {
		return err
	}
	p.sent += digits
	return nil
}

func (p *pad) TonesOnly() bool { return p.tones }

func (p *pad) got() string {
	synctest.Wait()
	p.padMu.Lock()
	defer p.padMu.Unlock()
	return p.sent
}

// secrets is a working call.Discretion: who records.
type secrets struct {
	mu   sync.Mutex
	told []string
}

func (s *secrets) Secret(_ model.CallID, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.told = append(s.told, fmt.Sprint(on))
}

func (s *secrets) want(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.told, want) {
		t.Errorf("told %v, want %v", s.told, want)
	}
}

// details are those of the story's lines of a kind.
func (r *record) details(kind string) (out []map[string]string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			out = append(out, e.Detail)
		}
	}
	return out
}

func TestAnAgentsKeysGoToTheOtherSide(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		kim := w.desk("kim")
		kim.starts()
		kim.peer(0).keys <- '9' // pressed while idle
		c := w.rings(newCaller(number))
		kim.accepts()
		id := kim.callID()
		kim.say("k1", protocol.DTMF{CallID: id, Digits: "12#"})
		if _, ok := kim.answersTo("k1")[0].(protocol.Ack); !ok {
			t.Errorf("answered %+v", kim.answersTo("k1"))
		}
		kim.peer(0).keys <- '5' // on the browser's keypad
		if got := c.got(); got != "12#5" {
			t.Errorf("the caller was sent %q", got)
		}
		w.pass(5 * time.Second)
		if e, ok := w.rec.event("dtmf_sent"); !ok || e.Agent != "kim" || e.Detail["count"] != "4" || len(e.Detail) != 1 {
			t.Errorf("story: %+v", e)
		}
		c.padMu.Lock()
		c.full = true
		c.padMu.Unlock()
		kim.say("k2", protocol.DTMF{CallID: id, Digits: "1"})
		kim.wantDenied("k2", protocol.CodeNotNow)
		kim.say("h", protocol.Hold{CallID: id, On: true})
		kim.say("k3", protocol.DTMF{CallID: id, Digits: "1"})
		kim.wantDenied("k3", protocol.CodeNotNow)
		kim.peer(0).keys <- '7'
		if got := c.got(); got != "12#5" {
			t.Errorf("on hold the caller was sent %q", got)
		}
		c.leaves()
	})
}

func TestKeysByTheAPIAreForWhoMay(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		lee := w.desk("lee")
		lee.starts()
		id := model.CallID(kim.callID())
		denied := func(code string, err error) {
			t.Helper()
			var d *call.Denial
			if !errors.As(err, &d) || d.Code != code {
				t.Errorf("%v, want %s", err, code)
			}
		}
		if err := w.sb.SendDigits(w.ctx, id, "kim", false, "1"); err != nil {
			t.Error(err)
		}
		denied(protocol.CodeStale, w.sb.SendDigits(w.ctx, id, "lee", false, "2"))
		denied(protocol.CodeStale, w.sb.SendDigits(w.ctx, id, "nobody", false, "2"))
		if err := w.sb.SendDigits(w.ctx, id, "boss", true, "3"); err != nil {
			t.Error(err)
		}
		denied(protocol.CodeNotAllowed, w.sb.SendDigits(w.ctx, id, "boss", true, "x"))
		if err := w.sb.SendDigits(w.ctx, "other", "boss", true, "3"); !errors.Is(err, call.ErrNoCall) {
			t.Errorf("another call: %v", err)
		}
		if got := c.got(); got != "13" {
			t.Errorf("the caller was sent %q", got)
		}
		w.pass(5 * time.Second)
		if got := w.rec.details("dtmf_sent"); len(got) != 2 {
			t.Errorf("story: %v", got)
		}
		c.leaves()
		synctest.Wait()
		if err := w.sb.SendDigits(w.ctx, id, "boss", true, "3"); !errors.Is(err, call.ErrNoCall) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestACallersKeysGoToWhomTheyWerePassedOnTo(t *testing.T) {
	for _, c := range []struct {
		from, to bool // keys are tones
		want     string
	}{{false, false, "42"}, {true, false, "42"}, {false, true, "42"}, {true, true, ""}} {
		inWorld(t, call.Config{}, func(w *world) {
			caller, kim := w.talking()
			to := kim.passesOn(friend)
			to.picksUp()
			caller.tones, to.tones = c.from, c.to
			caller.digits <- '4'
			caller.digits <- '2'
			if got := to.got(); got != c.want {
				t.Errorf("tones %v to tones %v: %q, want %q", c.from, c.to, got, c.want)
			}
			caller.leaves()
		})
	}
}

func TestOfASecretNothingIsKept(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		c.tones = true
		id := kim.callID()
		c.digits <- '1'
		kim.say("s1", protocol.Secret{CallID: id, On: true})
		w.secrets.want(t, "true")
		if got := w.rec.details("dtmf"); len(got) != 1 || got[0]["count"] != "1" {
			t.Errorf("before the secret: %v", got)
		}
		if hears(c.leg, kim.peer(0).Leg) || !hears(kim.peer(0).Leg, c.leg) {
			t.Error("the agent hears the tones, or is not heard")
		}
		for _, d := range "4111111111111111" {
			c.digits <- d
			synctest.Wait()
		}
		// A hold in between changes nothing.
		kim.say("h1", protocol.Hold{CallID: id, On: true})
		kim.say("h2", protocol.Hold{CallID: id, On: false})
		if hears(c.leg, kim.peer(0).Leg) {
			t.Error("the agent hears the tones after a hold")
		}
		kim.say("s2", protocol.Secret{CallID: id, On: false})
		w.secrets.want(t, "true", "false")
		w.wantTalking(c, kim)
		c.digits <- '2'
		c.digits <- '3'
		w.pass(5 * time.Second)
		got := w.rec.details("dtmf")
		if len(got) != 3 || len(got[1]) != 1 || got[1]["secret"] != "true" || got[2]["count"] != "2" {
			t.Errorf("story: %v", got)
		}
		for _, kind := range w.rec.story(model.CallID(id)) {
			for _, detail := range w.rec.details(kind) {
				if strings.Contains(fmt.Sprint(detail), "16") {
					t.Errorf("%s tells how many: %v", kind, detail)
				}
			}
		}
		c.leaves()
	})
}

func TestASecretEndsByItself(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		id := kim.callID()
		kim.say("s1", protocol.Secret{CallID: id, On: true, Seconds: 20})
		w.wantTalking(c, kim) // keys are events: the voice stays
		w.passTalking(15*time.Second, kim)
		kim.say("s2", protocol.Secret{CallID: id, On: true, Seconds: 20}) // goes on
		w.passTalking(15*time.Second, kim)
		w.secrets.want(t, "true")
		w.passTalking(6*time.Second, kim)
		w.secrets.want(t, "true", "false")
		if got := w.rec.details("secret_ended"); len(got) != 1 || got[0]["why"] != "time" {
			t.Errorf("story: %v", got)
		}
		if err := w.sb.KeepSecret(w.ctx, model.CallID(id), "boss", true, true, 0); err != nil {
			t.Error(err)
		}
		c.digits <- '1'
		synctest.Wait()
		c.leaves()
		w.secrets.want(t, "true", "false", "true", "false")
		w.wantCause(model.CauseCallerHungUp)
	})
}

func TestASecretWhileTheCallerIsPassedOnDoesNotUndoTheHold(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c, kim := w.talking()
		c.tones = true
		kim.say("s1", protocol.Secret{CallID: kim.callID(), On: true, Seconds: 5})
		to := kim.passesOn(friend)
		w.pass(6 * time.Second)
		w.secrets.want(t, "true", "false")
		w.wantApart(c, kim)
		to.refuses(486, "Busy Here")
		w.wantTalking(c, kim)
		c.leaves()
	})
}
