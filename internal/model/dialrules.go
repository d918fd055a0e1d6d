package model

import "time"

// DialRules say who may call where; internal/toll carries them out. The zero value opens
// nothing: emergency numbers alone can be called.
type DialRules struct {
	Numbers     TrunkNumbers  `yaml:"numbers" json:"numbers,omitzero"`      // how what people type is meant
	Region      string        `yaml:"region" json:"region,omitempty"`       // ISO 3166, such as CA; empty = the country code's main one
	Emergency   []string      `yaml:"emergency" json:"emergency,omitempty"` // besides those that the region is known to have; empty = 112 and 911
	Blocked     []string      `yaml:"blocked" json:"blocked,omitempty"`     // starts of numbers that nothing opens
	CallerID    CallerID      `yaml:"caller_id" json:"caller_id,omitzero"`  // of calls for no queue, or for one that has none
	Timezone    string        `yaml:"timezone" json:"timezone,omitempty"`   // of hours; empty = UTC
	Hours       []string      `yaml:"hours" json:"hours,omitempty"`         // such as "mon-fri 08:00-20:00"; empty = always
	LongestCall time.Duration `yaml:"longest_call" json:"longest_call"`     // 0 = no limit
	Limits      DialLimits    `yaml:"limits" json:"limits,omitzero"`        // over all classes
	Classes     []DialClass   `yaml:"classes" json:"classes,omitempty"`     // the site's own, and what differs for those there are
	Roles       []DialRole    `yaml:"roles" json:"roles,omitempty"`         // what is not here is closed
	Trunks      []DialTrunk   `yaml:"trunks" json:"trunks,omitempty"`       // empty = each that leads there
}

// CallerID is what the callee is shown of who calls.
type CallerID struct {
	Number string `yaml:"number" json:"number,omitempty"` // +E.164; empty = the trunk's own
	Name   string `yaml:"name" json:"name,omitempty"`
}

// DialClass is a class of destinations: one that there is, with what differs for it, or one
// of the site's own, which has prefixes.
type DialClass struct {
	Name        string        `yaml:"name" json:"name"`
	Prefixes    []string      `yaml:"prefixes" json:"prefixes,omitempty"` // such as +33, or 10 for short numbers
	AnyKind     bool          `yaml:"any_kind" json:"any_kind,omitempty"` // premium and unknown numbers behind them, too
	Hours       []string      `yaml:"hours" json:"hours,omitempty"`       // empty = the general ones
	LongestCall time.Duration `yaml:"longest_call" json:"longest_call"`   // 0 = the general one
	Limits      DialLimits    `yaml:"limits" json:"limits,omitzero"`      // of this class
}

// DialRole says which classes a role opens.
type DialRole struct {
	Name    Role     `yaml:"name" json:"name"`
	Classes []string `yaml:"classes" json:"classes,omitempty"`
}

// DialTrunk says which classes go by a trunk.
type DialTrunk struct {
	Name    TrunkID  `yaml:"name" json:"name"`
	Classes []string `yaml:"classes" json:"classes,omitempty"`
}

// DialLimits bound what one user, and all together, may use.
type DialLimits struct {
	User DialLimit `yaml:"user" json:"user,omitzero"`
	Site DialLimit `yaml:"site" json:"site,omitzero"`
}

// DialLimit bounds calls that were permitted, in any 24 hours. 0 is no limit.
type DialLimit struct {
	Calls  int           `yaml:"calls" json:"calls,omitempty"`
	Talk   time.Duration `yaml:"talk" json:"talk,omitempty"`       // a call in progress counts with the longest it may last
	AtOnce int           `yaml:"at_once" json:"at_once,omitempty"` // calls in progress
}

// DialUse is what was used of a DialLimit in the last 24 hours.
type DialUse struct {
	Calls  int
	Talk   time.Duration
	AtOnce int
}

// Plus adds up.
func (u DialUse) Plus(v DialUse) DialUse {
	return DialUse{u.Calls + v.Calls, u.Talk + v.Talk, u.AtOnce + v.AtOnce}
}

// DialUsage is what was used of every limit that a call has to keep.
type DialUsage struct {
	User, Site           DialUse // of all classes
	ClassUser, ClassSite DialUse // of the class that is asked for
}

// Dialled is a call that was permitted.
type Dialled struct {
	Call    CallID
	User    AgentID
	Number  string // as it is permitted
	Class   string
	At      time.Time
	Longest time.Duration // how long it may last; 0 = no limit
}
