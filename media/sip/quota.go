package sip

import (
	"fmt"
	"strings"
	"time"
)

// Limits bound what goes over one trunk, both directions together, or what the phones of one
// user place; zero is no limit.
type Limits struct {
	Calls     int // at once
	PerSecond int // new ones
}

// limit is a bound that a call can meet.
type limit int

const (
	limitCalls limit = iota
	limitRate
	limitsKnown
)

// limitTable says of each limit how it is counted for its trunk, in words, and why a call that
// meets it is refused (refusal.go).
var limitTable = [limitsKnown]struct {
	name  string
	words string
	why   error
}{
	limitCalls: {"calls", "has as many calls as it may", errTrunkFull},
	limitRate:  {"rate", "has had as many new calls this second as it may", errTrunkRate},
}

// LimitError means that a trunk may carry no more calls now.
type LimitError struct {
	Trunk      string
	Words      string
	RetryAfter time.Duration
}

func (e *LimitError) Error() string { return fmt.Sprintf("sip: trunk %q %s", e.Trunk, e.Words) }

// TrunkStats counts what went over a trunk. It starts anew with the service only.
type TrunkStats struct {
	Calls   int               // live now, and being set up
	In, Out uint64            // calls that were let through to be set up
	Refused map[string]uint64 // by the limit that they met: "calls", "rate"
}

// quota is how much of its limits a trunk has used.
type quota struct {
	calls   int
	in, out uint64
	rate    limiter
	refused [limitsKnown]uint64
}

// quotaOf names what a call is counted by: its trunk, or the user whose phone placed it. Calls to
// phones are counted together; each of a user's phones is rung by one.
func quotaOf(c *Call) string {
	if c.phone != "" && c.out != nil {
		return PhonesTrunk
	}
	return c.trunk
}

// admitCall counts a call in, or says which limit stands in its way. Its place is given
// back when it is over. A call of no trunk is not counted.
func (e *endpoint) admitCall(c *Call, limits Limits) (limit, bool) {
	if c.trunk == "" {
		return 0, true
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	q := e.quotas[quotaOf(c)]
	if q == nil {
		q = &quota{}
		e.quotas[quotaOf(c)] = q
	}
	if limits.Calls > 0 && q.calls >= limits.Calls {
		q.refused[limitCalls]++
		return limitCalls, false
	}
	q.rate.rate = float64(limits.PerSecond)
	if limits.PerSecond > 0 && !q.rate.allow(time.Now()) {
		q.refused[limitRate]++
		return limitRate, false
	}
	if c.counted = true; c.out != nil {
		q.out++
	} else {
		q.in++
	}
	q.calls++
	return 0, true
}

// uncount gives a call's place to another, once; e.mu is held.
func (e *endpoint) uncount(c *Call) {
	if c.counted {
		e.quotas[quotaOf(c)].calls--
	}
	c.counted = false
}

// Trunks counts by trunk what the server has carried and refused for its limits, and for all
// phones together as PhonesTrunk.
func (s *Server) Trunks() map[string]TrunkStats {
	s.ep.mu.Lock()
	defer s.ep.mu.Unlock()
	out := make(map[string]TrunkStats, len(s.ep.quotas))
	for id, q := range s.ep.quotas {
		if strings.HasPrefix(id, phonePrefix) {
			id = PhonesTrunk
		}
		stats := out[id]
		if stats.Refused == nil {
			stats.Refused = make(map[string]uint64, limitsKnown)
		}
		stats.Calls, stats.In, stats.Out = stats.Calls+q.calls, stats.In+q.in, stats.Out+q.out
		for l, n := range q.refused {
			stats.Refused[limitTable[l].name] += n
		}
		out[id] = stats
	}
	return out
}
