package model

import "time"

// RecordingID names one recording; it is also its file's name.
type RecordingID string

// RecordingPolicy says when a queue's calls are recorded.
type RecordingPolicy string

// The policies.
const (
	RecordOff      RecordingPolicy = "off"       // never; also when empty
	RecordAlways   RecordingPolicy = "always"    // from the moment caller and agent are joined
	RecordOnDemand RecordingPolicy = "on_demand" // when somebody asks for it
	RecordConsent  RecordingPolicy = "consent"   // once the caller has consented
)

// QueueRecording is how a queue's calls are recorded.
type QueueRecording struct {
	Policy     RecordingPolicy `yaml:"policy" json:"policy,omitempty"`
	KeepDays   int             `yaml:"keep_days" json:"keep_days,omitempty"`     // then it is deleted; 0 keeps it
	ConsentKey string          `yaml:"consent_key" json:"consent_key,omitempty"` // by which a caller consents; empty = none
	Beep       time.Duration   `yaml:"beep" json:"beep,omitempty"`               // both sides hear one so often; 0 = never
}

// RecordingState is what became of a recording.
type RecordingState string

// The states.
const (
	RecordingLive      RecordingState = "recording" // goes on
	RecordingComplete  RecordingState = "complete"
	RecordingRecovered RecordingState = "recovered" // the service died in it; what was written until then is there
	RecordingFailed    RecordingState = "failed"    // nothing, or not all, could be written
	RecordingDeleting  RecordingState = "deleting"  // its file is about to go
	RecordingDeleted   RecordingState = "deleted"
)

// Recording is what was said in a call, or a part of it.
type Recording struct {
	ID        RecordingID
	Call      CallID
	Queue     QueueID
	Agent     AgentID // who was in it when it began
	StartedAt time.Time
	EndedAt   *time.Time
	Length    time.Duration // of what can be played
	Format    string        // wav or opus
	Rate      int           // Hz
	File      string        // under the recordings' folder, with slashes
	Key       string        // what it is sealed for, at first
	Size      int64         // of the file, in bytes
	Hash      string        // SHA-256 of its sealed chunks
	State     RecordingState
	Lost      time.Duration // of what was said and could not be written, both sides together
	ExpiresAt *time.Time    // when it is deleted; nil is never
	Hold      *RecordingHold
	DeletedAt *time.Time
	DeletedBy string // a user, or "retention"
}

// RecordingHold keeps a recording beyond its time.
type RecordingHold struct {
	By  AgentID   `json:"by"`
	At  time.Time `json:"at"`
	Why string    `json:"why"`
}

// Playable says whether there is something to hear.
func (r Recording) Playable() bool {
	return r.State == RecordingLive || r.State == RecordingComplete || r.State == RecordingRecovered || r.State == RecordingFailed && r.Hash != ""
}
