//go:build linux

package desk

import "sync"

// helpers are a session's goroutines.
type helpers struct{ sync.WaitGroup }

// wait waits for all of them, whatever they still want to say.
func (h *helpers) wait(messages <-chan heard, media <-chan mediaState) {
	done := make(chan struct{})
	go func() {
		h.Wait()
		close(done)
	}()
	for {
		select {
		case <-messages:
		case <-media:
		case <-done:
			return
		}
	}
}
