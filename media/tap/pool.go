package tap

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	round   = 20 * time.Millisecond // from one look at some of the meters to the next
	shifts  = 12                    // rounds until all have been looked at
	maxDue  = 1024                  // meters that wait for a worker at the most
	isLate  = 350                   // ms that a meter's oldest frame has waited: a turn was missed
	noMeter = 0
)

// Pool has meters drained: by a few workers for all of them, each four times a second, so
// that no packet wakes anybody and a meter's memory is fetched once for many packets. Meters that
// wait for a worker are served in turn. When the workers
// cannot keep up the meters' queues fill, and the meters shed: first the far parties, from 0.4 s
// on, then the oldest of all. Audio never waits: one processor is left to it where there is more than one.
type Pool struct {
	workers int
	due     chan *Meter
	wake    chan struct{}

	mu     sync.Mutex
	meters []*Meter
	gone   [parties]uint64 // shed by meters that have left

	behind, age atomic.Int64
}

// NewPool makes a pool of as many workers; 0 is one for every processor that the process may use
// but one.
func NewPool(workers int) *Pool {
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	return &Pool{workers: workers, due: make(chan *Meter, maxDue), wake: make(chan struct{}, 1)}
}

// Run works until ctx ends. What is queued then is left to Finish.
func (p *Pool) Run(ctx context.Context) error {
	var workers sync.WaitGroup
	defer workers.Wait()
	for range p.workers {
		workers.Go(func() { p.work(ctx) })
	}
	timer := time.NewTimer(round)
	defer timer.Stop()
	for turn := 0; ; turn++ {
		if p.look(turn) == noMeter {
			select {
			case <-ctx.Done():
				return nil
			case <-p.wake:
			}
		}
		timer.Reset(round)
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
	}
}

func (p *Pool) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case m := <-p.due:
			m.drain()
			m.claimed.Store(false)
		}
	}
}

// look puts the meters whose shift it is in line, those that have something to hear, and gives how
// many meters there are.
func (p *Pool) look(turn int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	behind, oldest := 0, 0
	for i := range p.meters {
		at := (turn/shifts + i) % len(p.meters) // another one first each time
		m := p.meters[at]
		age, has := m.waiting()
		if age > isLate {
			behind++
		}
		oldest = max(oldest, age)
		if !has || at%shifts != turn%shifts || !m.claimed.CompareAndSwap(false, true) {
			continue // nothing to do, another's shift, or in line since the last one
		}
		select {
		case p.due <- m:
		default:
			m.claimed.Store(false)
		}
	}
	p.behind.Store(int64(behind))
	p.age.Store(int64(oldest))
	return len(p.meters)
}

// Join has a meter drained from now on.
func (p *Pool) Join(m *Meter) {
	p.mu.Lock()
	p.meters = append(p.meters, m)
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Leave ends that. What is still queued Finish will hear.
func (p *Pool) Leave(m *Meter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.Index(p.meters, m)
	if i < 0 {
		return
	}
	p.meters = slices.Delete(p.meters, i, i+1)
	near, far := m.Shed()
	p.gone[nearParty] += near
	p.gone[farParty] += far
}

// PoolStats are a pool's counters and what it is like now.
type PoolStats struct {
	ShedNear, ShedFar uint64        // frames of up to 20 ms that no meter heard
	Meters            int           // now
	Behind            int           // of them, those whose oldest frame has waited for more than 350 ms
	Age               time.Duration // how long the oldest of all frames has waited
}

// Stats gives them; cheap enough for every scrape.
func (p *Pool) Stats() PoolStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := PoolStats{ShedNear: p.gone[nearParty], ShedFar: p.gone[farParty], Meters: len(p.meters)}
	for _, m := range p.meters {
		near, far := m.Shed()
		s.ShedNear += near
		s.ShedFar += far
	}
	if s.Meters > 0 {
		s.Behind, s.Age = int(p.behind.Load()), time.Duration(p.age.Load())*time.Millisecond
	}
	return s
}
