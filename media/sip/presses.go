package sip

import (
	"sync"
	"time"
)

// way is how a key came.
type way uint8

const (
	byEvent way = iota
	byInfo
	bySound
)

// sameKey is how far apart one key may come by two ways. Some gateways send an INFO when the key
// is up again, and it may be sent twice over a bad network.
const sameKey = 1500 * time.Millisecond

// presses tells the keys of a party that sends them by more than one way: each counts once. The
// zero presses is ready. Its methods may be called from any goroutine.
type presses struct {
	mu     sync.Mutex
	recent [8]press // a ring
	next   int
	events bool // keys come as telephone-events, which are the more certain
}

// press is a key that counted and was not yet seen by another way.
type press struct {
	key rune
	by  way
	at  time.Time // zero: none
}

// agreed begins anew what is known of a party without telephone-events.
func (p *presses) agreed(events bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = p.events && events
}

// counts reports whether a key is another one than those that counted before. Who sends
// telephone-events is heard by those alone.
func (p *presses) counts(key rune, by way, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.events && by != byEvent {
		return false
	}
	p.events = p.events || by == byEvent
	for i := range p.recent { // from the oldest
		r := &p.recent[(p.next+i)%len(p.recent)]
		if !r.at.IsZero() && r.key == key && r.by != by && now.Sub(r.at) < sameKey {
			r.at = time.Time{}
			return false
		}
	}
	p.recent[p.next] = press{key, by, now}
	p.next = (p.next + 1) % len(p.recent)
	return true
}
