package call_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
)

// clerk is an agent's client that takes every call, listens for a moment and hangs up.
type clerk struct {
	id    model.AgentID
	agent *call.Agent
	said  chan protocol.Message
}

func (c *clerk) Send(_ string, m protocol.Message) {
	select {
	case c.said <- m:
	default:
		panic("the clerk is told too much")
	}
}

func (c *clerk) work(ctx context.Context) {
	answer := func(m protocol.Message) { _, _ = c.agent.Handle(ctx, "", m) }
	answer(protocol.SDPOffer{SDP: string(c.id)})
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-c.said:
			switch m := m.(type) {
			case protocol.SDPAnswer:
				answer(protocol.SetState{State: "ready"})
			case protocol.Offer:
				answer(protocol.Accept{CallID: m.Call.ID})
			case protocol.Connected:
				answer(protocol.Hangup{CallID: m.Call.ID})
			case protocol.State:
				if m.State == string(model.WrapUp) {
					answer(protocol.EndWrapUp{})
				}
			}
		}
	}
}

type freshPeers struct{}

func (freshPeers) Accept(context.Context, string) (call.Peer, string, error) {
	p := newPeer()
	close(p.connected)
	return p, "answer", nil
}

// Two hundred callers, five agents, in real time, with real music: whoever came has been
// served, and nothing is left running.
func TestTwoHundredCallsLeaveNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	rec, pacer := newRecord(), prompt.NewPacer()
	sb, err := call.New(call.Config{}, call.Deps{
		Journal: rec, Evidence: rec, Headsets: rec, Gateway: freshPeers{}, Bus: events.NewBus(), Music: call.HoldMusic(pacer),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var house sync.WaitGroup
	running := make(chan error, 1)
	house.Go(func() { _ = pacer.Run(ctx) })
	go func() { running <- sb.Run(ctx) }()
	waitUntil(ctx, t, "the switchboard", sb.Running)
	sb.SiteChanged(site())

	for _, id := range []model.AgentID{"a", "b", "c", "d", "e"} {
		c := &clerk{id: id, said: make(chan protocol.Message, 4096)}
		user := model.User{ID: id, Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{"sales"}}
		hello := protocol.Hello{Version: protocol.Version, Headset: protocol.Headset{Model: "H1", Serial: string(id)}}
		if c.agent, _, err = sb.SignIn(ctx, user, hello, c); err != nil {
			t.Fatal(err)
		}
		house.Go(func() { c.work(ctx) })
	}
	callers := make([]*caller, 200)
	for i := range callers {
		callers[i] = newCaller(number)
		callers[i].leg = mediatest.NewLeg(20*time.Millisecond, media.PCMU)
		sb.Incoming(callers[i])
	}
	for i, c := range callers {
		select {
		case <-c.done:
		case <-ctx.Done():
			t.Fatalf("caller %d was not served; stats %+v", i, sb.Stats())
		}
	}
	if err := sb.Drain(ctx); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-running; err != nil {
		t.Error(err)
	}
	house.Wait()
	if s := sb.Stats(); s.CallsAnswered != 200 || s.Backlog != 0 || s.Reports != 200 {
		t.Errorf("stats %+v", s)
	}
	for _, fault := range rec.faults() {
		t.Error(fault)
	}
}
