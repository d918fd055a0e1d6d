package call_test

import (
	"errors"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// said wants one call in the record, and what was kept of its SIP.
func (w *world) wantSaid(want ...string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.rec.said()[w.rec.only(w.t).ID]; !reflect.DeepEqual(got, want) {
		w.t.Errorf("kept of SIP: %v, wanted %v", got, want)
	}
}

func TestTheSIPLadderIsKeptOnceTheLastMessageHasGone(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := newCaller(number)
		c.gone = make(chan struct{})
		w.rings(c)
		kim := w.desk("kim")
		kim.starts()
		kim.accepts()
		w.wantTalking(c, kim)
		c.leaves()
		w.pass(10 * time.Second) // the answer to the BYE is on its way
		w.wantSaid()
		c.says("BYE")
		close(c.gone)
		w.wantSaid("INVITE", "BYE")
		if l := w.rec.ladders[0]; w.rec.legs[l.Leg].Kind != model.TrunkLeg {
			t.Errorf("it belongs to leg %q, not the caller's", l.Leg)
		}
		if last := w.rec.order[len(w.rec.order)-1]; last != "ladder" {
			t.Errorf("the last line of the record is %q", last)
		}
	})
}

func TestTheSIPLadderOfACallThatWasRefusedIsKept(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		w.rings(newCaller("999"))
		w.wantSaid("INVITE")
	})
}

func TestADialogThatNeverComesToAnEndIsKeptAsFarAsItWent(t *testing.T) {
	inWorld(t, call.Config{}, func(w *world) {
		c := newCaller(number)
		c.gone = make(chan struct{})
		w.rings(c)
		c.leaves()
		w.pass(time.Minute)
		w.wantSaid()
		w.pass(2 * time.Minute)
		w.wantSaid("INVITE")
	})
}

func TestAServiceThatStopsKeepsTheLaddersOfDialogsThatAreNotOver(t *testing.T) {
	inWorld(t, call.Config{HangupTimeout: time.Second}, func(w *world) {
		c := newCaller(number)
		c.gone = make(chan struct{})
		w.rings(c)
		c.leaves()
		synctest.Wait()
		began := time.Now()
		if err := w.stop(); err != nil {
			t.Error(err)
		}
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("the stop took %v", d)
		}
		w.runs = false
		w.wantSaid("INVITE")
	})
}

func TestLaddersThatAStoreIsTooSlowForAreCountedAndCostNothingElse(t *testing.T) {
	inWorld(t, call.Config{MaxLadders: 3}, func(w *world) {
		w.rec.setDown(errors.New("disk full"))
		for range 5 {
			w.rings(newCaller("999"))
		}
		if s := w.sb.Stats(); s.LaddersShed != 2 {
			t.Errorf("%d ladders were given up, wanted 2", s.LaddersShed)
		}
		w.rec.setDown(nil)
		w.pass(time.Minute)
		if n := len(w.rec.said()); n != 3 {
			t.Errorf("%d ladders are kept, wanted 3", n)
		}
		w.rings(newCaller("999"))
		w.pass(time.Second)
		if s := w.sb.Stats(); s.LaddersShed != 2 || s.Backlog != 0 || s.JournalLost != 0 || len(w.rec.said()) != 4 {
			t.Errorf("afterwards %+v, %d kept", s, len(w.rec.said()))
		}
	})
}
