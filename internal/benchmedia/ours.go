//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/media"
)

// bench is what a case is tried with.
type bench struct {
	program string // headroom
	dir     string
	during  time.Duration // of a measurement
	service *service
}

// test is a row before it is measured.
type test struct {
	name  string
	calls int // wanted
	try   func(ctx context.Context, b *bench, calls int) (*measured, error)
}

// measured is what a test has come to.
type measured struct {
	*talk.Result
	cpu      []float64 // CPU-milliseconds per call-second, of each second
	quiet    []bool    // nobody else worked in it
	load     float64   // the same of the load itself, on average
	resident int64     // bytes more than without calls
}

// ours is a case of the service.
func ours(queue string, codecs talk.Codecs, offered ...media.Codec) func(context.Context, *bench, int) (*measured, error) {
	return func(ctx context.Context, b *bench, calls int) (m *measured, err error) {
		if err := b.service.start(ctx, b.program, b.dir); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, b.service.stop()) }()
		pids := func() []int { return family(b.service.cmd.Process.Pid) }
		plan := talk.Config{URL: b.service.url(), Target: b.service.target(queue), Password: secret, Codecs: offered, Readings: queue == meteredQueue, AtOnce: 1}
		warm, full := plan, plan
		warm.Users, full.Users = b.service.users[queue][:min(5, calls)], b.service.users[queue][:calls]
		if err := on(ctx, warm, 1, func(ctx context.Context, _ *talk.Floor) error { return sleep(ctx, 3*time.Second) }); err != nil {
			return nil, fmt.Errorf("the first call: %w", err)
		}
		if err := errors.Join(b.service.collect(ctx), sleep(ctx, 5*time.Second)); err != nil {
			return nil, err
		}
		before, err := resident(pids())
		if err != nil {
			return nil, err
		}
		err = on(ctx, full, calls, func(ctx context.Context, f *talk.Floor) error {
			if err := errors.Join(b.service.collect(ctx), sleep(ctx, 2*time.Second)); err != nil {
				return err
			}
			m, err = watch(ctx, f.Pairs(), f.Loop(), codecs, b.during, pids())
			if err != nil {
				return err
			}
			after, err := resident(pids())
			m.resident = after - before
			return err
		})
		return m, err
	}
}

// on brings up a floor of as many calls as agents, and does something while they talk.
func on(ctx context.Context, cfg talk.Config, calls int, do func(ctx context.Context, f *talk.Floor) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, errors.New("not done within five minutes"))
	defer cancel()
	troubles := make(chan error, 100)
	cfg.OnEvent = func(e talk.Event) {
		if e.Err != nil {
			select {
			case troubles <- fmt.Errorf("%s: %w", e.Who, e.Err):
			default:
			}
		}
	}
	floor, err := talk.New(ctx, cfg)
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- floor.Run(running) }()
	var talks []*talk.Talk
	err = func() error {
		if err := floor.AgentsReady(ctx, len(cfg.Users)); err != nil {
			return err
		}
		for i := range calls {
			t, err := floor.Call(ctx, i)
			if err != nil {
				return err
			}
			talks = append(talks, t)
			if err := sleep(ctx, 20*time.Millisecond); err != nil {
				return err
			}
		}
		if err := floor.Talking(ctx, calls); err != nil {
			return err
		}
		if err := sleep(ctx, 3*time.Second); err != nil { // until everything has settled
			return err
		}
		return do(ctx, floor)
	}()
	for _, t := range talks {
		err = errors.Join(err, t.Hangup(context.WithoutCancel(ctx)))
	}
	_ = sleep(ctx, 500*time.Millisecond)
	stop()
	err = errors.Join(err, <-ended)
	close(troubles)
	for e := range troubles {
		err = errors.Join(err, e)
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// quietShare is how much of the machine others than the two may use in a quiet second.
const quietShare = 0.10

// watch measures calls, and second by second what the processes use.
func watch(ctx context.Context, pairs []*talk.Pair, loop *stream.Loop, codecs talk.Codecs, during time.Duration, pids []int) (*measured, error) {
	m := &measured{}
	own := []int{selfPID}
	s, err := newSampler(pids, own)
	if err != nil {
		return nil, err
	}
	var ownUse, whole time.Duration
	m.Result, err = talk.Measure(ctx, loop, pairs, codecs, during, func(int) {
		used, mine, others, took, e := s.sample()
		err = errors.Join(err, e)
		m.cpu = append(m.cpu, used.Seconds()*1000/took.Seconds()/float64(len(pairs)))
		m.quiet = append(m.quiet, others.Seconds() < quietShare*took.Seconds()*processors)
		ownUse, whole = ownUse+mine, whole+took
	})
	if m.Result == nil {
		return nil, err
	}
	m.load = ownUse.Seconds() * 1000 / whole.Seconds() / float64(len(pairs))
	return m, nil
}

// perCall is the median of the quiet seconds, or, where there were less than five, of all.
func (m *measured) perCall() (ms float64, quiet int) {
	var calm []float64
	for i, v := range m.cpu {
		if m.quiet[i] {
			calm = append(calm, v)
		}
	}
	quiet = len(calm)
	if quiet < 5 {
		calm = slices.Clone(m.cpu)
	}
	slices.Sort(calm)
	return calm[len(calm)/2], quiet
}
