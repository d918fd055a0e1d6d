package acd

import (
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// Event is something that happened. Apply takes one at a time.
type Event interface{ event() }

// The events.
type (
	// SiteChanged replaces the queues; callers of a queue that is gone stay until they leave.
	SiteChanged struct{ Queues []model.Queue }
	// AgentSignedIn brings an agent from offline to break, reason "signed in". For an agent
	// who is not offline it only renews queues and verdict (a reconnect).
	AgentSignedIn struct {
		Agent   model.AgentID
		Queues  []model.QueueID
		Verdict model.VerdictState
	}
	// AgentReady asks for calls; during a call or wrap-up it takes effect afterwards (wrap-up ends now).
	AgentReady struct{ Agent model.AgentID }
	// AgentBreak asks for a break; during a call it takes effect after it, wrap-up included. It
	// ends a wrap-up, and it declines an offer that rings.
	AgentBreak struct {
		Agent  model.AgentID
		Reason string
	}
	// AgentSignedOut ends the shift; in mid-call it takes effect when the call ends.
	AgentSignedOut struct{ Agent model.AgentID }
	// AgentLost says the client died: offers are withdrawn, a caller on the line goes back to the head of the queue.
	AgentLost struct{ Agent model.AgentID }
	// HeadsetJudged renews what is known of the agent's headset.
	HeadsetJudged struct {
		Agent   model.AgentID
		Verdict model.VerdictState
	}
	// CallQueued puts a caller at the end of a queue.
	CallQueued struct {
		Call  model.CallID
		Queue model.QueueID
	}
	// CallGone says the caller left, wherever the call was; an offered agent goes back to ready, one on the call to wrap-up.
	CallGone struct{ Call model.CallID }
	// OfferAccepted and OfferDeclined are the agent's answers; one who declines is on a break, "declined". A late or
	// foreign answer changes nothing and yields OfferWithdrawn; one that repeats what was done yields nothing.
	OfferAccepted struct {
		Agent model.AgentID
		Call  model.CallID
	}
	OfferDeclined struct {
		Agent model.AgentID
		Call  model.CallID
	}
	// ConnectFailed says an accepted call could not be bridged: the caller goes back to the head, the agent to break "connection failed".
	ConnectFailed struct {
		Agent model.AgentID
		Call  model.CallID
	}
	// WrapUpDone ends the agent's wrap-up early.
	WrapUpDone struct{ Agent model.AgentID }
	// Tick lets deadlines take effect.
	Tick struct{}
)

func (SiteChanged) event()    {}
func (AgentSignedIn) event()  {}
func (AgentReady) event()     {}
func (AgentBreak) event()     {}
func (AgentSignedOut) event() {}
func (AgentLost) event()      {}
func (HeadsetJudged) event()  {}
func (CallQueued) event()     {}
func (CallGone) event()       {}
func (OfferAccepted) event()  {}
func (OfferDeclined) event()  {}
func (ConnectFailed) event()  {}
func (WrapUpDone) event()     {}
func (Tick) event()           {}

// Why an offer was withdrawn or a caller requeued.
const (
	WhyExpired       = "expired"            // not answered in time
	WhyCallerGone    = "caller_gone"        // the caller left
	WhyElsewhere     = "answered_elsewhere" // a late answer: another agent has the caller
	WhyAgentLost     = "agent_lost"         // the client died
	WhyStale         = "stale"              // a late or foreign answer
	WhyDeclined      = "declined"           // the agent declined or went on a break
	WhySignedOut     = "signed_out"         // the agent signed out while it rang
	WhyConnectFailed = "connect_failed"     // the accepted call could not be bridged
)

// Why an agent who did not ask for it is on a break.
const (
	ReasonSignedIn      = "signed in"
	ReasonNoAnswer      = "no answer"
	ReasonDeclined      = "declined"
	ReasonConnectFailed = "connection failed"
)

// Action is something to be done about it, in order.
type Action interface{ action() }

// The actions.
type (
	// Offer rings an agent's client until the deadline.
	Offer struct {
		Agent      model.AgentID
		Call       model.CallID
		Queue      model.QueueID
		Until      time.Time
		LastResort bool // the agent's headset is flagged and nobody else was free
	}
	// OfferWithdrawn stops the ringing. Why is one of the Why constants.
	OfferWithdrawn struct {
		Agent model.AgentID
		Call  model.CallID
		Why   string
	}
	// Connect joins caller and agent.
	Connect struct {
		Agent model.AgentID
		Call  model.CallID
	}
	// Requeued says the caller is back at the head of the queue and hears music again.
	Requeued struct {
		Call model.CallID
		Why  string // WhyAgentLost, WhyConnectFailed, WhyTransferFailed
	}
	// AgentChanged tells an agent's new state. Until is zero when nothing ends it by itself.
	AgentChanged struct {
		Agent  model.AgentID
		State  model.AgentState
		Reason string // of a break: what the agent said, or one of the Reason constants
		Until  time.Time
	}
)

func (Offer) action()          {}
func (OfferWithdrawn) action() {}
func (Connect) action()        {}
func (Requeued) action()       {}
func (AgentChanged) action()   {}

// Snapshot is the floor at one moment, for screens. It shares nothing with the State.
type Snapshot struct {
	At     time.Time   `json:"at"`
	Queues []QueueView `json:"queues"` // in the site's order
	Agents []AgentView `json:"agents"` // by identity
}

// QueueView is one queue as a supervisor sees it.
type QueueView struct {
	ID            model.QueueID       `json:"id"`
	Title         string              `json:"title"`
	HeadsetPolicy model.HeadsetPolicy `json:"headset_policy"`
	Waiting       []WaitingCall       `json:"waiting"`              // head first, offered callers included
	Ready         int                 `json:"agents_ready"`         // flagged ones included
	ReadyFlagged  int                 `json:"agents_ready_flagged"` // ready, but their headset is flagged
	SignedIn      int                 `json:"agents_signed_in"`
	Answered      int                 `json:"answered"`        // since start
	Abandoned     int                 `json:"abandoned"`       // since start
	WithinLevel   int                 `json:"answered_within"` // answered within the queue's service level, since start
}

// WaitingCall is one caller in a queue.
type WaitingCall struct {
	Call    model.CallID  `json:"call_id"`
	Since   time.Time     `json:"since"`
	Offered model.AgentID `json:"offered_to,omitempty"`
}

// AgentView is one agent who is not offline.
type AgentView struct {
	ID      model.AgentID      `json:"id"`
	State   model.AgentState   `json:"state"`
	Reason  string             `json:"reason,omitempty"` // of a break, or ReasonSupervising
	Since   time.Time          `json:"since"`
	Until   time.Time          `json:"until,omitzero"`
	Call    model.CallID       `json:"call_id,omitempty"`
	Queues  []model.QueueID    `json:"queues"`
	Verdict model.VerdictState `json:"verdict"`
	Handled int                `json:"handled"`        // calls since sign-in
	Then    model.AgentState   `json:"then,omitempty"` // break or offline: wished for after this call
}
