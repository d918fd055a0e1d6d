package phone

import "sync"

// steps are what a line is to do next, in order. Posting never waits. What is in it is
// bounded by what the line's phones and session do in the time of one step.
type steps struct {
	wake   chan struct{} // holds a token while there is something to take
	mu     sync.Mutex
	queue  []func()
	closed bool
}

func newSteps() *steps { return &steps{wake: make(chan struct{}, 1)} }

// post delivers a step; false when the line has ended.
func (s *steps) post(step func()) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.queue = append(s.queue, step)
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return true
}

// run takes what there is and does it.
func (s *steps) run() {
	s.mu.Lock()
	queue := s.queue
	s.queue = nil
	s.mu.Unlock()
	for _, step := range queue {
		step()
	}
}

func (s *steps) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.run() // what was posted has somebody who waits for it
}
