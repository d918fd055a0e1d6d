package agentclient

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff says how long to wait between attempts: a random time between half of a step
// and the step, which doubles from Min to Max. Hundreds of clients of a service that
// restarts so come back spread out.
type Backoff struct {
	Min, Max time.Duration // default 0.25 s and 10 s
}

func (b Backoff) withDefaults() Backoff {
	return Backoff{Min: orElse(b.Min, 250*time.Millisecond), Max: orElse(b.Max, 10*time.Second)}
}

// delay before attempt n, counted from 0.
func (b Backoff) delay(n int) time.Duration {
	step := b.Max
	if n < 32 {
		step = min(b.Max, b.Min<<n)
	}
	if step < b.Min { // the shift went over
		step = b.Max
	}
	return step/2 + rand.N(step/2+1)
}

// sleep waits for d and reports whether ctx still stands.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
