package phone

import (
	"context"
	"log/slog"
	"testing"

	"github.com/headroom-voice/headroom/internal/model"
)

// slow is a store that takes its time.
type slow struct {
	States
	came chan model.PhoneState
	goOn chan struct{}
	over chan error // of the context, when it went on
}

func (s *slow) SavePhoneState(ctx context.Context, p model.PhoneState) error {
	s.came <- p
	<-s.goOn
	s.over <- ctx.Err()
	return nil
}

func TestTheLastWordIsKeptLastAndThoughTheServiceStops(t *testing.T) {
	states := &slow{came: make(chan model.PhoneState), goOn: make(chan struct{}), over: make(chan error, 4)}
	work, stop := context.WithCancel(t.Context())
	lines := New(Config{}, Deps{States: states, Log: slog.New(slog.DiscardHandler)})
	lines.work = work
	l := newLine(lines, model.User{ID: "zoe"}, model.PhoneState{})
	l.keep(model.PhoneState{State: model.Ready})
	if p := <-states.came; p.State != model.Ready {
		t.Errorf("kept %+v", p)
	}
	l.keep(model.PhoneState{State: model.Break, Reason: "lunch"})
	l.keep(model.PhoneState{State: model.Break, Reason: "training"})
	stop()
	states.goOn <- struct{}{}
	if p := <-states.came; p.User != "zoe" || p.State != model.Break || p.Reason != "training" {
		t.Errorf("kept %+v", p)
	}
	states.goOn <- struct{}{}
	lines.busy.Wait()
	l.keep(model.PhoneState{State: model.Ready}) // and it begins anew
	<-states.came
	states.goOn <- struct{}{}
	lines.busy.Wait()
	for range 3 {
		if err := <-states.over; err != nil {
			t.Error(err)
		}
	}
}
