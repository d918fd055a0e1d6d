package api

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/headset"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media"
)

// realSwitchboard is internal/call's over a real store, without trunk or media.
func realSwitchboard(t *testing.T, h *house) *call.Switchboard {
	t.Helper()
	st, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "headroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	sb, err := call.New(call.Config{}, call.Deps{
		Journal: st, Headsets: st, Evidence: headset.NewService(st, model.HeadsetRules{}, h.server.now), Bus: h.bus,
		Gateway: call.GatewayFunc(func(context.Context, string) (call.Peer, string, error) { return nil, "", errors.New("no media here") }),
		Music:   call.MusicFunc(func(media.Leg) func() { return func() {} }),
		Log:     slog.New(slog.NewTextHandler(h.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return sb
}

func TestAnAgentTalksWithTheRealSwitchboard(t *testing.T) {
	h := build(t)
	sb := realSwitchboard(t, h)
	sb.SiteChanged(h.record.site)
	h.server.deps.Switchboard, h.server.hub.board = FromSwitchboard(sb), sb
	h.run()

	early := h.as("agent").call()
	early.say("h", hello())
	if e := hears[protocol.Error](early, "h"); e.Code != protocol.CodeBusy {
		t.Errorf("before the switchboard runs: %+v", e)
	}
	if code := early.ends(); code != websocket.StatusTryAgainLater {
		t.Errorf("%v", code)
	}

	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- sb.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ran; err != nil {
			t.Error(err)
		}
	}()
	h.hubReady()
	watch := h.as("supervisor").tune()
	want[Floor](watch, "floor")

	c := welcomedByTheReal(t, h)
	c.say("b", protocol.SetState{State: "break", Reason: "tea"})
	awaitOn(c, func(id string, m protocol.Message) bool { _, ack := m.(protocol.Ack); return ack && id == "b" })
	// The same under the same id is not done twice, and answered the same.
	c.say("b", protocol.SetState{State: "break", Reason: "tea"})
	awaitOn(c, func(id string, m protocol.Message) bool { _, ack := m.(protocol.Ack); return ack && id == "b" })
	for {
		kind, data, err := watch.next()
		if err != nil {
			t.Fatal(err)
		}
		if kind == kindAgent && strings.Contains(data, "tea") && strings.Contains(data, "The agent") {
			break
		}
	}
	a := read[Agent](h.as("supervisor"), "/api/v1/agents/agent")
	if a.State != model.Break || a.Reason != "tea" || !a.Connected || a.Headset == nil || a.Headset.ID != clippedHeadset {
		t.Errorf("%+v", a)
	}

	c.say("bye", protocol.SignOut{})
	awaitOn(c, func(id string, m protocol.Message) bool { _, ack := m.(protocol.Ack); return ack && id == "bye" })
	if code := c.ends(); code != websocket.StatusNormalClosure {
		t.Errorf("after signing out: %v", code)
	}
}

// welcomedByTheReal signs the agent in once the switchboard runs: until then it is busy.
func welcomedByTheReal(t *testing.T, h *house) *caller {
	t.Helper()
	for range 1000 {
		c := h.as("agent").call()
		c.say("h", hello())
		_, m, err := c.read()
		if err != nil {
			t.Fatal(err)
		}
		if w, ok := m.(protocol.Welcome); ok {
			if w.Agent != "agent" || w.Name != "The agent" {
				t.Errorf("%+v", w)
			}
			return c
		}
		c.ends()
	}
	t.Fatal("never welcomed")
	return nil
}

// awaitOn reads until a message fits.
func awaitOn(c *caller, fits func(id string, m protocol.Message) bool) {
	c.t.Helper()
	for {
		id, m, err := c.read()
		if err != nil {
			c.t.Fatal(err)
		}
		if fits(id, m) {
			return
		}
	}
}
