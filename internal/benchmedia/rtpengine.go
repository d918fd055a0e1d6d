//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/media"
)

// errMissing is a peer that is not installed.
var errMissing = errors.New("rtpengine is not installed; `make deps-bench` installs it (Debian's package rtpengine-daemon)")

// rtpengine is a case of rtpengine, in user space as the service is.
func rtpengine(agents media.Codec) func(context.Context, *bench, int) (*measured, error) {
	transcoded := agents != media.PCMU
	codecs := talk.Codecs{Caller: media.PCMU, Agent: agents, Up: transcoded, Down: transcoded}
	return func(ctx context.Context, b *bench, calls int) (m *measured, err error) {
		program, err := exec.LookPath("rtpengine")
		if err != nil {
			return nil, errMissing
		}
		address, cmd, err := b.startEngine(program)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stopEngine(cmd)) }()
		err = withLoop(ctx, func(ctx context.Context, loop *stream.Loop) (err error) {
			if err := engineTalks(ctx, loop, address, agents, 1, func(*talk.Relay) error { return sleep(ctx, 3*time.Second) }); err != nil {
				return fmt.Errorf("the first call: %w", err)
			}
			if err := sleep(ctx, 2*time.Second); err != nil {
				return err
			}
			pids := family(cmd.Process.Pid)
			before, err := resident(pids)
			if err != nil {
				return err
			}
			return engineTalks(ctx, loop, address, agents, calls, func(r *talk.Relay) error {
				if m, err = watch(ctx, r.Pairs(), loop, codecs, b.during, pids); err != nil {
					return err
				}
				after, err := resident(pids)
				m.resident = after - before
				return err
			})
		})
		return m, err
	}
}

// startEngine runs rtpengine, with no configuration but ours.
func (b *bench) startEngine(program string) (address string, cmd *exec.Cmd, err error) {
	port, err := freePort()
	if err != nil {
		return "", nil, err
	}
	log, err := os.Create(filepath.Join(b.dir, "rtpengine.log"))
	if err != nil {
		return "", nil, err
	}
	defer log.Close()
	address = fmt.Sprintf("127.0.0.1:%d", port)
	cmd = exec.Command(program, "--config-file=none", "--table=-1", "--interface=127.0.0.1", "--listen-ng="+address, //nolint:noctx // ended by stopEngine
		"--port-min=18000", "--port-max=19999", "--foreground", "--log-stderr", "--log-level=4", "--pidfile="+filepath.Join(b.dir, "rtpengine.pid"))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return "", nil, fmt.Errorf("start rtpengine: %w", err)
	}
	return address, cmd, nil
}

func stopEngine(cmd *exec.Cmd) error {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	late := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer late.Stop()
	if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != -1 { // -1: by the signal
		return fmt.Errorf("rtpengine's end: %w", err)
	}
	return nil
}

// withLoop does something with a loop that runs.
func withLoop(ctx context.Context, do func(context.Context, *stream.Loop) error) error {
	loop, err := stream.New()
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- loop.Run(running) }()
	err = do(ctx, loop)
	stop()
	return errors.Join(err, <-ended)
}

// engineTalks does something while so many talk through rtpengine.
func engineTalks(ctx context.Context, loop *stream.Loop, address string, agents media.Codec, calls int, do func(*talk.Relay) error) error {
	relay, err := talk.NewRelay(ctx, loop, address, agents)
	if err != nil {
		return err
	}
	err = func() error {
		for range calls {
			if err := relay.Call(ctx); err != nil {
				return err
			}
			if err := sleep(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
		if err := sleep(ctx, 3*time.Second); err != nil { // until everything has settled
			return err
		}
		return do(relay)
	}()
	return errors.Join(err, relay.Close(context.WithoutCancel(ctx)))
}

// direct is nothing in between: callers and agents send to each other. What it measures is the
// load itself, and the machine's loopback.
func direct(ctx context.Context, b *bench, calls int) (m *measured, err error) {
	err = withLoop(ctx, func(ctx context.Context, loop *stream.Loop) error {
		pairs, err := talk.Direct(loop, calls)
		if err != nil {
			return err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		m, err = watch(ctx, pairs, loop, talk.Codecs{Caller: media.PCMU, Agent: media.PCMU}, b.during, nil)
		return err
	})
	return m, err
}
