//go:build linux

package talk_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/media"
)

// TestRTPEngineIsDrivenTheSameWay is for machines that have one; the bench measures beside it.
func TestRTPEngineIsDrivenTheSameWay(t *testing.T) {
	program, err := exec.LookPath("rtpengine")
	if err != nil {
		t.Skip("rtpengine is not installed; `make deps-bench` installs it")
	}
	free, err := net.ListenPacket("udp", "127.0.0.1:0") //nolint:noctx // opened to know a port that is free a line later
	if err != nil {
		t.Fatal(err)
	}
	address := free.LocalAddr().String()
	_ = free.Close()
	cmd := exec.Command(program, "--config-file=none", "--table=-1", "--interface=127.0.0.1", "--listen-ng="+address, //nolint:noctx // ended below
		"--port-min=17800", "--port-max=17899", "--foreground", "--log-stderr", "--log-level=4", "--pidfile="+filepath.Join(t.TempDir(), "pid"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for _, agents := range []media.Codec{media.PCMU, media.Opus} {
		t.Run(fmt.Sprint(agents), func(t *testing.T) {
			loop, err := stream.New()
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() { done <- loop.Run(ctx) }()
			defer func() {
				stop()
				if err := <-done; err != nil {
					t.Error(err)
				}
			}()
			relay, err := talk.NewRelay(t.Context(), loop, address, agents)
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := relay.Call(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(time.Second) // until it has learnt where both sides are
			coded := agents != media.PCMU
			r, err := talk.Measure(t.Context(), loop, relay.Pairs(), talk.Codecs{Caller: media.PCMU, Agent: agents, Up: coded, Down: coded}, 4*time.Second, nil)
			if err != nil {
				t.Fatal(err)
			}
			if torn := r.Describe(); torn != "" || r.Up.Loss() > 0.05 || r.Down.Loss() > 0.05 {
				t.Errorf("%q; up %d of %d, down %d of %d", torn, r.Up.Heard, r.Up.Sent, r.Down.Heard, r.Down.Sent)
			}
			if err := relay.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}
