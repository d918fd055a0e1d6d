package call_test

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/headset"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
)

// The real store and the real judge take everything that the switchboard tells them.
func TestWholeStoryIsInTheStore(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	st, err := store.Open(ctx, filepath.Join(t.TempDir(), "calls.db"))
	if err != nil {
		t.Fatal(err)
	}
	pacer, judge := prompt.NewPacer(), headset.NewService(st, model.HeadsetRules{}, time.Now)
	sb, err := call.New(call.Config{}, call.Deps{
		Journal: st, Evidence: judge, Headsets: st, Gateway: freshPeers{}, Bus: events.NewBus(), Music: call.HoldMusic(pacer),
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	running := make(chan error, 1)
	var house sync.WaitGroup
	house.Go(func() { _ = pacer.Run(ctx) })
	go func() { running <- sb.Run(ctx) }()
	sb.SiteChanged(site())

	kim := &clerk{id: "kim", said: make(chan protocol.Message, 4096)}
	user := model.User{ID: "kim", Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{"sales"}}
	c := newCaller(number)
	waitUntil(ctx, t, "the switchboard", sb.Running)
	sb.Incoming(c)
	waitUntil(ctx, t, "music", func() bool { return len(c.leg.Heard()) > 3 })
	if p := c.leg.Heard()[0]; p.Codec != media.PCMU {
		t.Errorf("music comes as %v", p.Codec)
	}
	if kim.agent, _, err = sb.SignIn(ctx, user, protocol.Hello{Version: protocol.Version, Headset: protocol.Headset{Model: "H1", Serial: "7"}}, kim); err != nil {
		t.Fatal(err)
	}
	house.Go(func() { kim.work(ctx) })
	select {
	case <-c.done:
	case <-ctx.Done():
		t.Fatal("the caller was not served")
	}
	if err := sb.Drain(ctx); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-running; err != nil {
		t.Error(err)
	}
	house.Wait()

	ctx, cancel = context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	calls, err := st.Calls(ctx, store.CallFilter{Limit: 10})
	if err != nil || len(calls) != 1 {
		t.Fatalf("calls %+v, %v", calls, err)
	}
	story, err := st.Call(ctx, calls[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range story.Events {
		kinds = append(kinds, e.Kind)
	}
	if !slices.Equal(kinds, []string{"arrived", "queued", "offered", "accepted", "connected", "ended"}) {
		t.Errorf("events %v", kinds)
	}
	if story.Call.Cause != model.CauseAgentHungUp || story.Call.Agent != "kim" || len(story.Legs) != 2 || len(story.Reports) != 1 {
		t.Errorf("story %+v", story)
	}
	if h, err := st.Headset(ctx, "H1/7"); err != nil || h.LastAgent != "kim" {
		t.Errorf("headset %+v, %v", h, err)
	}
	if dead, err := st.CloseDeadCalls(ctx, model.CauseServiceLost); err != nil || len(dead) != 0 {
		t.Errorf("left open: %v, %v", dead, err)
	}
	if err := st.Close(); err != nil {
		t.Error(err)
	}
}

// waitUntil looks every millisecond, for as long as ctx lets it.
func waitUntil(ctx context.Context, t *testing.T, what string, ok func() bool) {
	t.Helper()
	for !ok() {
		select {
		case <-time.After(time.Millisecond):
		case <-ctx.Done():
			t.Fatalf("waited in vain for: %s", what)
		}
	}
}
