package model

import "time"

// QueueAnnouncements are what callers are told while they wait in a queue. All of it is off where
// nothing is said.
type QueueAnnouncements struct {
	Welcome       string        `yaml:"welcome" json:"welcome,omitempty"`               // a WAV file, played once to who comes
	PositionEvery time.Duration `yaml:"position_every" json:"position_every,omitempty"` // how often they hear their place
	Voice         string        `yaml:"voice" json:"voice,omitempty"`                   // a folder of snippets for that; empty = English
}
