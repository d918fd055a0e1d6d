package call_test

import (
	"io"
	"log/slog"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/headset"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/webrtc"
)

// What the service plugs in fits.
var (
	_ call.Inbound  = (*sip.Call)(nil)
	_ call.Peer     = (*webrtc.Peer)(nil)
	_ call.Journal  = (*store.Store)(nil)
	_ call.Headsets = (*store.Store)(nil)
	_ call.Evidence = (*headset.Service)(nil)
	_ call.Bus      = (*events.Bus)(nil)
)

func TestWhatCannotWorkIsRefusedAtOnce(t *testing.T) {
	rec := newRecord()
	whole := call.Deps{
		Journal: rec, Evidence: rec, Headsets: rec, Gateway: freshPeers{}, Bus: events.NewBus(), Music: &music{},
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	if _, err := call.New(call.Config{}, whole); err != nil {
		t.Errorf("defaults: %v", err)
	}
	if _, err := call.New(call.Config{OutageGrace: -time.Second}, whole); err == nil {
		t.Error("a negative deadline is taken")
	}
	if _, err := call.New(call.Config{MaxBacklog: -1}, whole); err == nil {
		t.Error("a negative bound is taken")
	}
	if _, err := call.New(call.Config{MeterRate: 1234}, whole); err == nil {
		t.Error("a rate that no meter knows is taken")
	}
	whole.Journal = nil
	if _, err := call.New(call.Config{}, whole); err == nil {
		t.Error("a missing journal is taken")
	}
}
