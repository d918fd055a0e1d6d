package phone

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// starting is a switchboard that does not run yet.
type starting struct{ asked atomic.Int64 }

func (s *starting) SignInPhone(context.Context, model.User, model.HeadsetInfo, call.Link) (*call.Agent, protocol.Welcome, error) {
	s.asked.Add(1)
	return nil, protocol.Welcome{}, call.ErrStopped
}

func (*starting) Session(model.AgentID) *call.Agent { return nil }

// oneDesk is a registrar with one phone.
type oneDesk struct{ Registrar }

func (oneDesk) Bindings(string) []registrar.Binding {
	return []registrar.Binding{{Contact: "sip:zoe@192.0.2.1", Source: netip.MustParseAddrPort("192.0.2.1:5060"), Transport: "UDP"}}
}

func TestAPhonesUserIsSignedInThoughTheSwitchboardStartsLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		work, stop := context.WithCancel(t.Context())
		board := &starting{}
		lines := New(Config{}, Deps{Board: board, Registrar: oneDesk{}, Log: slog.New(slog.DiscardHandler)})
		lines.work = work
		l := newLine(lines, model.User{ID: "zoe"}, model.PhoneState{State: model.Ready})
		lines.busy.Go(func() { l.run(work) })
		l.box.post(l.registered)
		time.Sleep(3*signInAgain + signInAgain/2)
		synctest.Wait()
		if n := board.asked.Load(); n < 3 {
			t.Errorf("asked %d times", n)
		}
		stop()
		lines.busy.Wait()
	})
}
