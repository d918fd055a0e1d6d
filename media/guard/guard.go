package guard

import (
	"sync/atomic"

	"github.com/headroom-voice/headroom/dsp/shock"
	"github.com/headroom-voice/headroom/media"
)

// Rules say what is done. Both can be changed while legs are guarded.
type Rules struct {
	Limit bool // acoustic shocks and steady tones are limited
	Level bool // callers too quiet or too loud are levelled
}

// Guard is what all guarded legs have in common: the rules, and what was done.
type Guard struct {
	limit, level atomic.Bool

	began    [shock.NumKinds]atomic.Uint64
	repacked atomic.Uint64
	dropped  atomic.Uint64
	levelled atomic.Uint64 // microseconds
}

// New makes a Guard.
func New(rules Rules) *Guard {
	g := &Guard{}
	g.Set(rules)
	return g
}

// Set changes the rules for every leg, from its next packet on.
func (g *Guard) Set(rules Rules) {
	g.limit.Store(rules.Limit)
	g.level.Store(rules.Level)
}

// Stats count what was done since the start.
type Stats struct {
	Began    [shock.NumKinds]uint64 // limitings begun, by kind
	Repacked uint64                 // packets sent otherwise than they came
	Dropped  uint64                 // packets left out, for they could not be encoded again
	Levelled float64                // seconds given another level
}

// Stats gives the counters.
func (g *Guard) Stats() Stats {
	s := Stats{Repacked: g.repacked.Load(), Dropped: g.dropped.Load(), Levelled: float64(g.levelled.Load()) / 1e6}
	for kind := range g.began {
		s.Began[kind] = g.began[kind].Load()
	}
	return s
}

// Wrap guards a leg. Only what is sent by way of the result is.
func (g *Guard) Wrap(leg media.Leg) *Leg { return &Leg{Leg: leg, guard: g} }
