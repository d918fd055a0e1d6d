package carrier

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// Health is how it is with one address of a trunk.
type Health string

// The states. An address is up or down by the last that is known of it: a reply to OPTIONS,
// or what became of a call.
const (
	Unknown Health = "unknown"
	Up      Health = "up"
	Down    Health = "down"
)

// maxHops bounds the addresses of one trunk that are asked.
const maxHops = 32

// hop is one address of a trunk.
type hop struct {
	trunk string
	locate.Target
}

// health is what is known of a hop; guarded by Carrier.mu.
type health struct {
	uri     string
	state   Health
	since   time.Time
	checked time.Time     // last asked by OPTIONS
	until   time.Time     // passed over till then
	status  int           // of the last reply; 0 = there was none
	words   string        // why it is down
	trip    time.Duration // of the last OPTIONS
}

// keepAlive asks each address of a trunk for as long as ctx lasts.
func (c *Carrier) keepAlive(ctx context.Context, l *loop) {
	for {
		wait := l.trunk.KeepAlive
		if !c.askAll(ctx, l) {
			wait = min(wait, c.cfg.DownEvery)
		}
		wait -= rand.N(wait/10 + 1) // so that many trunks do not ask at once
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// askAll asks each address once; true if all are up.
func (c *Carrier) askAll(ctx context.Context, l *loop) bool {
	found := make(map[locate.Target]string)
	for _, t := range l.trunk.Targets {
		hops, err := c.cfg.Locator.LocateURI(ctx, t.URI)
		if err != nil {
			if ctx.Err() == nil {
				c.log.Warn("trunk's server not found", "trunk", l.trunk.ID, "target", t.URI, "error", err)
			}
			continue
		}
		for _, h := range hops {
			if _, known := found[h]; !known && len(found) < maxHops {
				found[h] = t.URI
			}
		}
	}
	if len(found) > 0 {
		c.forget(l.trunk.ID, found)
	}
	var wg sync.WaitGroup
	for h, uri := range found {
		wg.Go(func() { c.ask(ctx, l, h, uri) })
	}
	wg.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	for h := range found {
		if k := c.health[hop{l.trunk.ID, h}]; k == nil || k.state != Up {
			return false
		}
	}
	return len(found) > 0
}

// forget drops the addresses that the DNS no longer has.
func (c *Carrier) forget(trunk string, found map[locate.Target]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for h := range c.health {
		if _, there := found[h.Target]; h.trunk == trunk && !there {
			delete(c.health, h)
		}
	}
}

// ask sends OPTIONS to one address. Any answer shows that somebody is there, but for one that
// says it wants no calls, or that nobody behind it answered (RFC 3261 sections 11, 21.5.4).
func (c *Carrier) ask(ctx context.Context, l *loop, to locate.Target, uri string) {
	limited, cancel := context.WithTimeout(ctx, l.trunk.FirstReply)
	defer cancel()
	reply, err := c.options(limited, uri, to)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	c.mu.Lock()
	k := c.known(hop{l.trunk.ID, to}, uri, now)
	k.checked, k.status, k.trip = now, 0, 0
	if err == nil {
		k.status, k.trip = reply.Status, reply.Took
	}
	c.mu.Unlock()
	switch {
	case err != nil && errors.Is(err, context.DeadlineExceeded):
		c.down(l.trunk.ID, to, uri, fmt.Sprintf("no reply to OPTIONS within %v", l.trunk.FirstReply), 0)
	case err != nil:
		c.down(l.trunk.ID, to, uri, err.Error(), 0)
	case reply.Status == 503 || reply.Status == 408:
		c.down(l.trunk.ID, to, uri, fmt.Sprintf("it says %d %s", reply.Status, reply.Reason), reply.RetryAfter())
	default:
		c.up(l.trunk.ID, to, uri, false)
	}
}

// options sends OPTIONS to one address of a target.
func (c *Carrier) options(ctx context.Context, uri string, to locate.Target) (*sip.Reply, error) {
	return c.cfg.Phone.Ask(ctx, sip.Request{Method: "OPTIONS", URI: "sip:" + hostOf(uri) + transportParam(uri), Via: to,
		Headers: []sip.Header{{Name: "Accept", Value: "application/sdp"}}})
}

// known gives what is known of a hop; c.mu is held.
func (c *Carrier) known(h hop, uri string, now time.Time) *health {
	k := c.health[h]
	if k == nil {
		k = &health{uri: uri, state: Unknown, since: now}
		c.health[h] = k
	}
	return k
}

// up notes that a hop does its work. One that asked to be left alone is not up before that
// time is over, unless it has just carried a call all the same.
func (c *Carrier) up(trunk string, to locate.Target, uri string, carried bool) {
	now := time.Now()
	c.mu.Lock()
	k := c.known(hop{trunk, to}, uri, now)
	changed := k.state != Up && (carried || !now.Before(k.until))
	if changed {
		k.state, k.since, k.words, k.until = Up, now, "", time.Time{}
	}
	c.mu.Unlock()
	if changed {
		c.log.Info("trunk's server is up", "trunk", trunk, "server", to.String())
	}
}

// down notes that a hop does not, and is to be passed over for a while.
func (c *Carrier) down(trunk string, to locate.Target, uri, words string, hold time.Duration) {
	now := time.Now()
	c.mu.Lock()
	k := c.known(hop{trunk, to}, uri, now)
	changed := k.state != Down
	if changed {
		k.state, k.since = Down, now
	}
	k.words = words
	if until := now.Add(min(hold, c.cfg.HoldMax)); until.After(k.until) {
		k.until = until
	}
	l, at := c.loops[trunk], c.states[trunk]
	lost := changed && l != nil && at != nil && at.State == Here && at.via == to
	c.mu.Unlock()
	if changed {
		c.log.Warn("trunk's server is down", "trunk", trunk, "server", to.String(), "why", words)
	}
	if lost { // what it had registered, another server must
		select {
		case l.kick <- struct{}{}:
		default:
		}
	}
}

// usable says that calls should go to a hop: it is not known to be down, or it is time to find
// out anew where nothing else does.
func (c *Carrier) usable(t *Trunk, to locate.Target) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.health[hop{t.ID, to}]
	return k == nil || k.state != Down || t.KeepAlive == 0 && time.Now().After(k.until)
}
