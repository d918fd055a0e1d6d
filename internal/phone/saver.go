package phone

import (
	"context"
	"log/slog"
	"sync"

	"github.com/headroom-voice/headroom/internal/model"
)

// saver keeps what a line's user said last, one word after the other: of those that are said
// while the store is busy only the newest is kept.
type saver struct {
	mu      sync.Mutex
	next    *model.PhoneState
	running bool
}

// put says what is to be kept; true when run is to be called for it.
func (s *saver) put(p model.PhoneState) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	begin := !s.running
	s.next, s.running = &p, true
	return begin
}

func (s *saver) take() *model.PhoneState {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.next
	s.next, s.running = nil, p != nil
	return p
}

// run keeps what there is. It goes on when the lines end, since the last word counts after a
// restart; each takes saveTimeout at most.
func (s *saver) run(states States, log *slog.Logger) {
	for p := s.take(); p != nil; p = s.take() {
		ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
		if err := states.SavePhoneState(ctx, *p); err != nil {
			log.Error("the state of a phone's user is not kept over a restart", "err", err)
		}
		cancel()
	}
}
