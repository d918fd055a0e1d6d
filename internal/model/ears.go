package model

// EarRules say what protects the ears of agents. What is empty is done.
type EarRules struct {
	Shocks string `yaml:"shocks" json:"shocks,omitempty"` // EarsLimit or EarsPass
	Levels string `yaml:"levels" json:"levels,omitempty"` // EarsLevel or EarsPass
}

// What can be done.
const (
	EarsLimit = "limit" // sudden loud sounds and steady tones
	EarsLevel = "level" // callers too quiet or too loud
	EarsPass  = "pass"  // nothing: what comes is heard
)

// Limit reports whether loud sounds are limited.
func (r EarRules) Limit() bool { return r.Shocks != EarsPass }

// Level reports whether callers are levelled.
func (r EarRules) Level() bool { return r.Levels != EarsPass }
