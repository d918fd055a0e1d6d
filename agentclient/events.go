package agentclient

import (
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// Event is something a person at the desk would want to see. The set is closed.
type Event interface{ event() }

// The events.
type (
	// SignedIn says the service knows the agent; Resumed that nothing was lost in between.
	SignedIn struct {
		Agent, Name string
		Resumed     bool
	}
	// LinkLost says the WebSocket is gone and when it is tried again. A call goes on.
	LinkLost struct {
		Err     error
		RetryIn time.Duration
	}
	// MediaUp says audio can flow, MediaLost that it cannot; it is set up again by itself.
	MediaUp   struct{}
	MediaLost struct{ Err error }
	// StateChanged tells the agent's state.
	StateChanged struct{ State protocol.State }
	// Ringing offers a call until it expires; RingingStopped takes the offer back.
	Ringing        struct{ Offer protocol.Offer }
	RingingStopped struct{ CallID, Why string }
	// CallStarted and CallEnded frame a conversation. Report is what the microphone measured.
	CallStarted struct{ Call protocol.Call }
	CallEnded   struct {
		CallID, Cause string
		Report        headset.Report
	}
	// Progressed tells how a call that was dialled, or the transfer of one, gets on. A dialled
	// call that is answered is CallStarted; one that comes to nothing is CallEnded without a report.
	Progressed struct{ Progress protocol.Progress }
	// Supervised tells of a supervisor in the call, and Supervising of the call that one is part
	// of as a supervisor oneself.
	Supervised  struct{ protocol.Supervised }
	Supervising struct{ protocol.Supervising }
	// Measured is the last second at the microphone.
	Measured struct{ Reading headset.Reading }
	// Judged tells what is known of the headset.
	Judged struct{ Verdict protocol.Verdict }
	// Refused says the service did not do what was asked; Message is for people.
	Refused struct {
		Asked         string // message type, empty when it speaks of the connection
		Code, Message string
	}
)

func (SignedIn) event()       {}
func (LinkLost) event()       {}
func (MediaUp) event()        {}
func (MediaLost) event()      {}
func (StateChanged) event()   {}
func (Ringing) event()        {}
func (RingingStopped) event() {}
func (CallStarted) event()    {}
func (CallEnded) event()      {}
func (Progressed) event()     {}
func (Supervised) event()     {}
func (Supervising) event()    {}
func (Measured) event()       {}
func (Judged) event()         {}
func (Refused) event()        {}
