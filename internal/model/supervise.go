package model

// SuperviseMode is how a supervisor is part of somebody else's call.
type SuperviseMode string

// The modes.
const (
	Listen   SuperviseMode = "listen"    // hears all, is heard by nobody
	Whisper  SuperviseMode = "whisper"   // is heard by the agent alone
	Barge    SuperviseMode = "barge"     // is heard by all
	TakeOver SuperviseMode = "take_over" // has the call from then on, and the agent is let go
)

// SupervisionRules are what holds for supervisors in agents' calls.
type SupervisionRules struct {
	Announce string `yaml:"announce" json:"announce,omitempty"` // AnnounceShown, which is also empty, or AnnounceHidden
}

// Whether an agent's client shows that a supervisor listens. One who whispers or barges in is
// always shown.
const (
	AnnounceShown  = "shown"
	AnnounceHidden = "hidden"
)

// MayWork reports whether somebody may sign in with a client of their own, to take calls or to
// supervise them.
func (u User) MayWork() bool { return u.Has(RoleAgent) || u.Has(RoleSupervisor) }
