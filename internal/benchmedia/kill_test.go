//go:build linux

package main

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/internal/testenv"
	"github.com/headroom-voice/headroom/media"
)

// TestAfterAKillAgentsAndCallersComeBack is what the load is for, too: the service is killed while
// people talk and started again, and without anybody's doing they talk again.
func TestAfterAKillAgentsAndCallersComeBack(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the service")
	}
	program, dir := testenv.Build(t, "cmd/headroom"), t.TempDir()
	b, err := newBench(t.Context(), program, dir, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.service.start(t.Context(), program, b.dir); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := b.service.stop(); err != nil {
			t.Error(err)
		}
	}()
	floor, err := talk.New(t.Context(), talk.Config{URL: b.service.url(), Target: b.service.target(meteredQueue), Password: secret,
		Users: b.service.users[meteredQueue][:2], Codecs: []media.Codec{media.Opus, media.PCMU}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 3*time.Minute)
	defer stop()
	var work sync.WaitGroup
	work.Go(func() {
		if err := floor.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := floor.AgentsReady(ctx, 2); err != nil {
		t.Fatal(err)
	}
	good, lost := make(chan talk.Outcome, 1000), make(chan talk.Outcome, 1000)
	work.Go(func() {
		plan := talk.Plan{Lines: 2, Shortest: 2 * time.Second, Longer: time.Second, Pause: 100 * time.Millisecond}
		floor.Churn(ctx, plan, func() {}, func(o talk.Outcome) {
			if o.Err != nil {
				lost <- o
			} else {
				good <- o
			}
		})
	})
	wait := func(what string, from <-chan talk.Outcome) {
		t.Helper()
		select {
		case o := <-from:
			t.Logf("%s: line %d, %v", what, o.Line, o.Err)
		case <-ctx.Done():
			t.Fatalf("%s: not before the time was over", what)
		}
	}
	wait("a call before", good)
	if err := floor.Talking(ctx, 2); err != nil {
		t.Fatal(err)
	}
	if err := b.service.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = b.service.cmd.Wait()
	wait("a call that broke", lost)
	for len(good) > 0 { // of before the kill
		<-good
	}
	if err := b.service.start(ctx, program, b.dir); err != nil {
		t.Fatal(err)
	}
	wait("a call afterwards", good)
	stop()
	work.Wait()
}
