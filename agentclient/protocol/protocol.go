package protocol

import (
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// Version is the protocol's major version; Subprotocol is its WebSocket name.
const (
	Version     = 1
	Subprotocol = "headroom.agent.v1"
)

// MaxFrame is the largest frame either side accepts, in bytes.
const MaxFrame = 64 << 10

// Message is a body; the set is closed.
type Message interface{ kind() string }

// TypeOf gives the message's name in the envelope.
func TypeOf(m Message) string { return m.kind() }

// What the client says.
type (
	// Hello is the first message on every WebSocket. Resume carries the token of an earlier
	// Welcome: the session and its media connection go on where they were.
	Hello struct {
		Version int     `json:"version"`
		Client  string  `json:"client"` // program and version
		Headset Headset `json:"headset"`
		Resume  string  `json:"resume,omitempty"`
	}
	// SDPOffer starts or replaces the media connection (JSEP offer, all candidates in it or none).
	SDPOffer struct {
		SDP string `json:"sdp"`
	}
	// SetState asks for "ready" or "break" (with a reason).
	SetState struct {
		State  string `json:"state"`
		Reason string `json:"reason,omitempty"`
	}
	// Accept and Decline answer an Offer.
	Accept struct {
		CallID string `json:"call_id"`
	}
	Decline struct {
		CallID string `json:"call_id"`
	}
	// Hangup ends the caller's call, or one that is being dialled. While the caller is being
	// passed on to a number it only ends the agent's part.
	Hangup struct {
		CallID string `json:"call_id"`
	}
	// Dial calls a number, on behalf of a queue if one is named: the agent is on a call from
	// then on. The Ack holds the call's identity; Progress follows.
	Dial struct {
		To    string `json:"to"`
		Queue string `json:"queue,omitempty"`
	}
	// Transfer passes the caller on (blind): to a queue, by its name or one of its numbers, or to
	// a telephone number. The agent stays on the call until that is settled; Progress follows.
	Transfer struct {
		CallID string `json:"call_id"`
		To     string `json:"to"`
	}
	// CancelTransfer takes the caller back from a transfer that is not settled.
	CancelTransfer struct {
		CallID string `json:"call_id"`
	}
	// Hold parts agent and caller for a while, who hears music, or joins them again.
	Hold struct {
		CallID string `json:"call_id"`
		On     bool   `json:"on"`
	}
	// Record starts, stops, pauses or resumes the recording of the call, or says that the caller
	// has consented to one (Action: start, stop, pause, resume, consent).
	Record struct {
		CallID string `json:"call_id"`
		Action string `json:"action"`
	}
	// DTMF presses keys of a telephone towards the other side of the call, one after the other.
	DTMF struct {
		CallID string `json:"call_id"`
		Digits string `json:"digits"` // 0 to 9, *, #, A to D
	}
	// Secret says that the caller is about to key in what nobody may know, a card's number say, or
	// that this is over. Meanwhile the keys are written nowhere, and not heard by the agent.
	Secret struct {
		CallID  string `json:"call_id"`
		On      bool   `json:"on"`
		Seconds int    `json:"seconds,omitempty"` // after which it ends by itself; 0 = 60, at most 300
	}
	// EndWrapUp cuts the wrap-up short.
	EndWrapUp struct{}
	// Mute says the person muted or unmuted the microphone, so that no meter counts the silence.
	Mute struct {
		On bool `json:"on"`
	}
	// MicReading is one second at the microphone. CallID is empty between calls.
	MicReading struct {
		CallID  string          `json:"call_id,omitempty"`
		Reading headset.Reading `json:"reading"`
	}
	// MicReport is the microphone's report of one call, sent with an id after Ended; of one
	// headset in it, when that was changed on the way. Headset is the one that was measured.
	MicReport struct {
		CallID  string         `json:"call_id"`
		Headset Headset        `json:"headset,omitzero"`
		Report  headset.Report `json:"report"`
	}
	// HeadsetChanged says another device was plugged in.
	HeadsetChanged struct {
		Headset Headset `json:"headset"`
	}
	// SignOut ends the session.
	SignOut struct{}
)

// Headset is the device as the client knows it.
type Headset struct {
	Model  string `json:"model"`
	Serial string `json:"serial"`
}

// What the service says.
type (
	// Welcome answers Hello.
	Welcome struct {
		Version int    `json:"version"`
		Resume  string `json:"resume"`  // give this in the next Hello
		Resumed bool   `json:"resumed"` // the session and, if it still stands, the media connection were taken up again
		Agent   string `json:"agent"`
		Name    string `json:"name"`
		State   State  `json:"state"`
		Call    *Call  `json:"call,omitempty"` // the call in progress

		ICEServers []ICEServer `json:"ice_servers,omitempty"` // as in ICEServers
	}
	// ICEServers are the relays to offer media with, where a network lets nothing else through.
	// What came before is not to be used for a new offer; a connection that stands goes on.
	ICEServers struct {
		ICEServers []ICEServer `json:"ice_servers"`
	}
	// SDPAnswer answers SDPOffer.
	SDPAnswer struct {
		SDP string `json:"sdp"`
	}
	// State tells the agent's state whenever it changes.
	State struct {
		State  string     `json:"state"` // model.AgentState
		Reason string     `json:"reason,omitempty"`
		Since  time.Time  `json:"since"`
		Until  *time.Time `json:"until,omitempty"`
	}
	// Offer rings. It stands until Expires.
	Offer struct {
		Call    Call      `json:"call"`
		Expires time.Time `json:"expires"`
	}
	// OfferWithdrawn stops the ringing.
	OfferWithdrawn struct {
		CallID string `json:"call_id"`
		Why    string `json:"why"`
	}
	// Connected says caller and agent hear each other.
	Connected struct {
		Call Call `json:"call"`
	}
	// Ended says the agent's part of the call is over.
	Ended struct {
		CallID string `json:"call_id"`
		Cause  string `json:"cause"`
	}
	// Progress tells how a dialled call, or a transfer, gets on. After Answered a dialled call is
	// Connected, and the agent's part of a transferred one Ended; after Failed a dialled call is
	// Ended, and a transferred one the agent's again.
	Progress struct {
		CallID   string `json:"call_id"`
		Transfer bool   `json:"transfer,omitempty"` // of the call's transfer, not of the call itself
		To       string `json:"to"`
		State    string `json:"state"`            // Trying and so on
		Status   int    `json:"status,omitempty"` // of SIP, where there was one
		Text     string `json:"text"`             // for people
	}
	// Supervised tells the agent that a supervisor is part of the call, and how, or not any more.
	Supervised struct {
		CallID     string `json:"call_id"`
		Supervisor string `json:"supervisor"`
		Name       string `json:"name"` // for people
		Mode       string `json:"mode"` // Listening and so on; empty when they have left
	}
	// Supervising tells a supervisor what call they are part of, and how, or that they are not
	// any more. What they say leaves the desk only in the modes in which somebody hears it.
	Supervising struct {
		CallID string `json:"call_id"`
		Mode   string `json:"mode"`            // Listening and so on; empty when it is over
		Agent  string `json:"agent,omitempty"` // whose call it is, for people
		Call   *Call  `json:"call,omitempty"`
	}
	// Verdict tells what is known of the agent's headset.
	Verdict struct {
		State string `json:"state"`
		Text  string `json:"text"`
	}
	// Limits tells what counts as a fault at this site, after Welcome and whenever it
	// changes. The client's reports follow it from then on.
	Limits struct {
		Limits headset.Limits `json:"limits"`
	}
	// Ack answers a message that carried an id and was carried out (and is durable). CallID is the
	// call that Dial began.
	Ack struct {
		CallID string `json:"call_id,omitempty"`
	}
	// Error answers a message that was not; without an id it speaks of the connection.
	Error struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
)

// ICEServer is a relay and what it takes to use it, as browsers know it (RTCIceServer).
type ICEServer struct {
	URLs       []string `json:"urls"`
	Username   string   `json:"username"`
	Credential string   `json:"credential"`
}

// Call is what an agent is told of a call.
type Call struct {
	ID        string    `json:"id"`
	Direction string    `json:"direction,omitempty"` // Inbound or Outbound; empty is inbound
	Queue     string    `json:"queue"`               // empty for a call dialled for none
	From      string    `json:"from"`                // of an outbound call, the number that is shown to the callee
	FromName  string    `json:"from_name,omitempty"`
	To        string    `json:"to"`
	Arrived   time.Time `json:"arrived"`        // of an outbound call, when it was dialled
	Held      bool      `json:"held,omitempty"` // by Hold
}

// Directions of a Call.
const (
	Inbound  = "inbound"
	Outbound = "outbound"
)

// States of Progress.
const (
	Trying     = "trying"      // a trunk was asked
	Ringing    = "ringing"     // the callee is being told
	EarlyMedia = "early_media" // and heard before the answer: a tone, an announcement
	Answered   = "answered"    // or, of a transfer to a queue: the caller waits there
	Failed     = "failed"      // it came to nothing, or was cancelled; Text says why
)

// Modes of Supervised and Supervising.
const (
	Listening  = "listen"  // heard by nobody
	Whispering = "whisper" // heard by the agent alone
	Barging    = "barge"   // heard by all
)

func (Hello) kind() string          { return "hello" }
func (SDPOffer) kind() string       { return "sdp_offer" }
func (SetState) kind() string       { return "set_state" }
func (Accept) kind() string         { return "accept" }
func (Decline) kind() string        { return "decline" }
func (Hangup) kind() string         { return "hangup" }
func (Dial) kind() string           { return "dial" }
func (Transfer) kind() string       { return "transfer" }
func (CancelTransfer) kind() string { return "cancel_transfer" }
func (Hold) kind() string           { return "hold" }
func (Record) kind() string         { return "record" }
func (DTMF) kind() string           { return "dtmf" }
func (Secret) kind() string         { return "secret" }
func (EndWrapUp) kind() string      { return "end_wrap_up" }
func (Mute) kind() string           { return "mute" }
func (MicReading) kind() string     { return "mic_reading" }
func (MicReport) kind() string      { return "mic_report" }
func (HeadsetChanged) kind() string { return "headset_changed" }
func (SignOut) kind() string        { return "sign_out" }
func (Welcome) kind() string        { return "welcome" }
func (ICEServers) kind() string     { return "ice_servers" }
func (SDPAnswer) kind() string      { return "sdp_answer" }
func (State) kind() string          { return "state" }
func (Offer) kind() string          { return "offer" }
func (OfferWithdrawn) kind() string { return "offer_withdrawn" }
func (Connected) kind() string      { return "connected" }
func (Ended) kind() string          { return "ended" }
func (Progress) kind() string       { return "progress" }
func (Supervised) kind() string     { return "supervised" }
func (Supervising) kind() string    { return "supervising" }
func (Verdict) kind() string        { return "verdict" }
func (Limits) kind() string         { return "limits" }
func (Ack) kind() string            { return "ack" }
func (Error) kind() string          { return "error" }
