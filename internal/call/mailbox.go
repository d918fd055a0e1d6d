package call

import (
	"sync"
	"time"
)

// mailbox carries messages to one owner; a message is a step that the owner runs on its
// own goroutine. Posting never waits, so that no owner can hold up another. What is in it
// is bounded by what people and the network do in the time the owner needs for one step,
// which is short because owners do not wait either.
type mailbox struct {
	wake   chan struct{} // holds a token while there is something to take
	mu     sync.Mutex
	queue  []func()
	closed bool
}

func newMailbox() *mailbox { return &mailbox{wake: make(chan struct{}, 1)} }

// post delivers a step, or reports false because the owner has ended.
func (b *mailbox) post(step func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.queue = append(b.queue, step)
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return true
}

// run takes what there is and runs it, oldest first.
func (b *mailbox) run() {
	b.mu.Lock()
	steps := b.queue
	b.queue = nil
	b.mu.Unlock()
	for _, step := range steps {
		step()
	}
}

// close refuses further messages and runs those that were never taken, so that nothing
// handed over with one of them is left behind; the owner has ended by then and its steps
// must look.
func (b *mailbox) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.run()
}

// alarm is a deadline that may or may not be set. The zero alarm is not.
type alarm struct {
	timer *time.Timer
	C     <-chan time.Time // nil while not set
}

func (a *alarm) set(d time.Duration) {
	if a.timer == nil {
		a.timer = time.NewTimer(d)
	} else {
		a.timer.Reset(d)
	}
	a.C = a.timer.C
}

func (a *alarm) clear() {
	if a.timer != nil {
		a.timer.Stop()
	}
	a.C = nil
}

func (a *alarm) isSet() bool { return a.C != nil }
