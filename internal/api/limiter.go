package api

import (
	"math"
	"net/netip"
	"sync"
	"time"
)

// limiter holds one token bucket per key: so many at once, then one per interval. It
// remembers a bounded number of keys; a key whose bucket has filled up again is forgotten
// first, and when every remembered key is busy a new one is refused, so that a flood of
// made-up names cannot push out the memory of a real one.
type limiter struct {
	burst float64
	every time.Duration
	max   int // keys

	mu      sync.Mutex
	buckets map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

func newLimiter(burst int, every time.Duration, maxKeys int) *limiter {
	return &limiter{burst: float64(burst), every: every, max: maxKeys, buckets: make(map[string]bucket)}
}

// take uses up one token of the key. When there is none it says how long until there is.
func (l *limiter) take(key string, now time.Time) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[key]
	if !known {
		if len(l.buckets) >= l.max {
			l.forgetFull(now)
		}
		if len(l.buckets) >= l.max {
			return l.every, false
		}
		b = bucket{tokens: l.burst, at: now}
	}
	b = l.filled(b, now)
	if b.tokens < 1 {
		l.buckets[key] = b
		return time.Duration(math.Ceil((1 - b.tokens) * float64(l.every))), false
	}
	b.tokens--
	l.buckets[key] = b
	return 0, true
}

// giveBack returns the token of an attempt that should not have counted.
func (l *limiter) giveBack(key string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	b, known := l.buckets[key]
	if !known {
		return
	}
	b = l.filled(b, now)
	b.tokens = min(b.tokens+1, l.burst)
	l.buckets[key] = b
}

func (l *limiter) filled(b bucket, now time.Time) bucket {
	if d := now.Sub(b.at); d > 0 {
		b.tokens = min(b.tokens+float64(d)/float64(l.every), l.burst)
		b.at = now
	}
	return b
}

func (l *limiter) forgetFull(now time.Time) {
	for k, b := range l.buckets {
		if l.filled(b, now).tokens >= l.burst {
			delete(l.buckets, k)
		}
	}
}

// addressKey is whom an address counts as: an IPv6 customer has a whole /64.
func addressKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		p, _ := a.Prefix(64) // 64 is in range
		return p.String()
	}
	return a.String()
}
