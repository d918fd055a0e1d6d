package acd

import "time"

// State is the floor: queues, agents and the callers that wait. It knows no clock; the
// time comes with every event. It is not safe for concurrent use: one goroutine owns it.
type State struct{}

// New returns an empty floor; SiteChanged gives it queues.
func New() *State { return &State{} }

// Apply takes one event at a time and returns what is to be done, in order. Deadlines
// that have passed by now take effect before the event.
func (s *State) Apply(now time.Time, e Event) []Action { return nil }

// NextDeadline is when Tick is due, or false when nothing waits for a time.
func (s *State) NextDeadline() (time.Time, bool) { return time.Time{}, false }

// Snapshot is a picture of the floor at now that shares nothing with it.
func (s *State) Snapshot(now time.Time) Snapshot { return Snapshot{At: now} }
