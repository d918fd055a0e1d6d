package rtp

import (
	"context"
	"net/netip"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/socket"
)

func TestLegsShareTheGoroutinesThatRead(t *testing.T) {
	ports, err := NewPorts(netip.MustParseAddr("127.0.0.1"), 36000, 36999, 0)
	if err != nil {
		t.Fatal(err)
	}
	const legs, shards = 50, 2
	ports.ReadBy(socket.NewPoller(shards))
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	for range legs {
		s, err := Open(ports)
		if err != nil {
			t.Fatal(err)
		}
		running.Go(func() {
			if err := s.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	// One a leg is Run itself, with the timer of its reports.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); <-tick.C {
		if runtime.NumGoroutine()-before >= legs+shards {
			break
		}
	}
	if n := runtime.NumGoroutine() - before; n > legs+shards {
		t.Errorf("%d goroutines for %d legs, want %d", n, legs, legs+shards)
	}
	cancel()
	running.Wait()
}
