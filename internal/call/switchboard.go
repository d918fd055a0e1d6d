package call

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/guard"
	"github.com/headroom-voice/headroom/media/tap"
)

// Switchboard owns the floor, the calls and the agents' sessions. All methods may be
// called from any goroutine.
type Switchboard struct {
	cfg    Config
	deps   Deps
	log    *slog.Logger
	floor  *floor
	count  counters
	ears   *guard.Guard
	meters *tap.Pool

	numbers  atomic.Pointer[map[string]model.QueueID] // dialable number to queue
	queues   atomic.Pointer[map[model.QueueID]model.Queue]
	faults   atomic.Pointer[headset.Limits] // what counts as one at this site; see limits
	snapshot atomic.Pointer[acd.Snapshot]
	agents   atomic.Pointer[[]*Agent]
	calls    atomic.Pointer[[]*call]
	draining atomic.Bool

	quietListening atomic.Bool // agents are not told of a supervisor who only listens

	mu      sync.Mutex
	running bool            // between Run and its end: owners may start
	work    context.Context // of work beside the owners; ends with Run's
	paper   context.Context // of the journals; ends once they are flushed
	owners  sync.WaitGroup  // calls, agents and the work beside them
	writers sync.WaitGroup  // journals
}

// New makes a switchboard with an empty site; it starts nothing.
func New(cfg Config, deps Deps) (*Switchboard, error) {
	if err := deps.validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	s := &Switchboard{cfg: cfg, deps: deps, log: deps.Log, ears: guard.New(guard.Rules{Limit: true, Level: true}), meters: tap.NewPool(0)}
	s.numbers.Store(&map[string]model.QueueID{})
	s.queues.Store(&map[model.QueueID]model.Queue{})
	s.snapshot.Store(&acd.Snapshot{At: time.Now(), Queues: []acd.QueueView{}, Agents: []acd.AgentView{}})
	s.agents.Store(&[]*Agent{})
	s.calls.Store(&[]*call{})
	s.floor = newFloor(s)
	return s, nil
}

// Run keeps the floor until ctx ends; then it ends every call ("drained") and session,
// and returns when all of them are over and the journals are written or
// Config.FlushTimeout has passed. It may be called once.
func (s *Switchboard) Run(ctx context.Context) error {
	paper, stopPaper := context.WithCancel(context.WithoutCancel(ctx))
	defer stopPaper()
	floorCtx, stopFloor := context.WithCancel(context.WithoutCancel(ctx))
	defer stopFloor()
	s.mu.Lock()
	if s.work != nil {
		s.mu.Unlock()
		return errors.New("call: Run called twice")
	}
	s.work, s.paper, s.running = ctx, paper, true
	s.mu.Unlock()

	var floor sync.WaitGroup
	floor.Go(func() { s.floor.run(floorCtx) })
	floor.Go(func() { _ = s.meters.Run(floorCtx) }) // it has no errors
	<-ctx.Done()
	s.mu.Lock()
	s.running = false // no new owner from now on
	s.mu.Unlock()
	s.floor.endAll()
	s.owners.Wait()
	stopFloor()
	floor.Wait()

	flushed := time.AfterFunc(s.cfg.FlushTimeout, stopPaper)
	s.writers.Wait()
	flushed.Stop()
	if n := s.count.backlog.Load(); n > 0 {
		return fmt.Errorf("call: %d lines of the call record were not stored", n)
	}
	return nil
}

// enter starts an owner from outside; false when the switchboard is not running.
func (s *Switchboard) enter(owner func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.running {
		return false
	}
	s.owners.Go(owner)
	return true
}

// Running reports whether callers and agents are taken: between Run and the end of its context.
func (s *Switchboard) Running() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}

// beside runs slow work for an owner, which is why the group cannot be waited out
// meanwhile. The context ends with the switchboard or after the deadline.
func (s *Switchboard) beside(deadline time.Duration, work func(ctx context.Context)) {
	s.owners.Go(func() {
		ctx, cancel := context.WithTimeout(s.work, deadline)
		defer cancel()
		work(ctx)
	})
}

// goodbye is beside for what must be done even while the switchboard ends.
func (s *Switchboard) goodbye(deadline time.Duration, work func(ctx context.Context)) {
	s.owners.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(s.work), deadline)
		defer cancel()
		work(ctx)
	})
}

// Incoming takes a new caller; it returns at once. Every call is recorded, also those
// refused, except when the record itself is too far behind (Config.MaxBacklog) or the
// switchboard is not running: such callers are turned away and counted.
func (s *Switchboard) Incoming(in Inbound) {
	if s.count.backlog.Load() <= int64(s.cfg.MaxBacklog) {
		c := newCall(s, in)
		if s.enter(c.run) {
			return
		}
	}
	s.count.turnedAway.Add(1)
	if err := in.Reject(statusUnavailable, s.cfg.RetryAfter); err != nil {
		s.log.Warn("caller could not be turned away", "sip_call_id", in.ID(), "err", err)
	}
}

// SiteChanged takes over queues, numbers and users, and renews the queues of the agents
// who are signed in. Who is no agent any more is signed out after the call in progress.
func (s *Switchboard) SiteChanged(site model.Site) {
	numbers, queues := map[string]model.QueueID{}, map[model.QueueID]model.Queue{}
	for _, q := range site.Queues {
		queues[q.ID] = q
		for _, n := range q.Numbers {
			numbers[model.Dialable(n)] = q.ID
		}
	}
	// The floor is told first: a call that finds a new number comes to a floor that knows its queue.
	s.quietListening.Store(site.Supervision.Announce == model.AnnounceHidden)
	s.ears.Set(guard.Rules{Limit: site.Ears.Limit(), Level: site.Ears.Level()})
	s.faults.Store(&site.Headset.Limits) // before the agents are told of them
	s.floor.siteChanged(site)
	s.numbers.Store(&numbers)
	s.queues.Store(&queues)
}

// limits is what counts as a headset's fault at this site.
func (s *Switchboard) limits() headset.Limits {
	if l := s.faults.Load(); l != nil && *l != (headset.Limits{}) {
		return *l
	}
	return headset.DefaultLimits()
}

// Drain refuses new callers and waits until the last call is over. When ctx ends first
// the calls that are left are ended with cause "drained", and ctx's error is returned.
// Agents stay signed in; Run's context ends their sessions.
func (s *Switchboard) Drain(ctx context.Context) error {
	s.draining.Store(true)
	empty := s.floor.drain()
	select {
	case <-empty:
		return nil
	case <-ctx.Done():
	}
	s.floor.endCalls()
	select {
	case <-empty:
	case <-s.floor.done:
	}
	return ctx.Err()
}

// Draining reports whether new callers are refused.
func (s *Switchboard) Draining() bool { return s.draining.Load() }

// HeadsetJudged tells what is now thought of a headset: offers follow it from now on,
// whoever wears it is told, and the bus too. The switchboard does this itself for every
// report it hands over; others call it for verdicts that came about otherwise. Telling
// the same verdict twice changes nothing.
func (s *Switchboard) HeadsetJudged(v model.Verdict) {
	if v.Headset != "" {
		s.floor.headsetJudged(v)
	}
}
