package events

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Event is something that happened. Data must not be changed by anyone once published:
// every subscriber gets the same value.
type Event struct {
	Kind string    `json:"kind"`
	At   time.Time `json:"at"`
	Data any       `json:"data,omitempty"`
}

// Bus hands every event to every subscriber, in one order for all. The zero Bus is not
// usable; see NewBus. It is safe for concurrent use and has no goroutine of its own.
type Bus struct {
	mu     sync.Mutex
	subs   []*Subscription
	closed bool
}

// NewBus returns a bus without subscribers.
func NewBus() *Bus { return &Bus{} }

// Subscription is one reader's place on the bus.
type Subscription struct {
	// C gives the events in the order they were published. It is closed by Close of the
	// subscription or of the bus; what was buffered can still be read.
	C <-chan Event

	bus     *Bus
	ch      chan Event
	dropped atomic.Uint64
}

// Publish hands e to every subscriber without ever waiting for one. Where the buffer is
// full, the oldest event in it is dropped and counted. After Close it does nothing.
func (b *Bus) Publish(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, s := range b.subs {
		s.put(e)
	}
}

// Subscribe adds a reader that sees everything published from now on. The buffer is how
// many events it may be behind; less than one is taken as one. On a closed bus the
// subscription is closed from the start.
func (b *Bus) Subscribe(buffer int) *Subscription {
	ch := make(chan Event, max(buffer, 1))
	s := &Subscription{C: ch, bus: b, ch: ch}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		close(ch)
		return s
	}
	b.subs = append(b.subs, s)
	return s
}

// Subscribers is how many readers there are.
func (b *Bus) Subscribers() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.subs)
}

// Close ends every subscription. It may be called more than once.
func (b *Bus) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	for _, s := range b.subs {
		close(s.ch)
	}
	b.subs = nil
}

// Dropped is how many events this reader was too slow for.
func (s *Subscription) Dropped() uint64 { return s.dropped.Load() }

// Close ends the subscription and closes C. It may be called more than once, and while
// somebody publishes.
func (s *Subscription) Close() {
	s.bus.mu.Lock()
	defer s.bus.mu.Unlock()
	if i := slices.Index(s.bus.subs, s); i >= 0 {
		s.bus.subs = slices.Delete(s.bus.subs, i, i+1)
		close(s.ch)
	}
}

// put is called with the bus locked, so this is the only writer: after one event has
// been taken out there is room, whatever the reader does meanwhile.
func (s *Subscription) put(e Event) {
	select {
	case s.ch <- e:
		return
	default:
	}
	select {
	case <-s.ch:
		s.dropped.Add(1)
	default: // the reader was faster
	}
	s.ch <- e
}
