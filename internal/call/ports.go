package call

import (
	"context"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// Party is somebody on a trunk, before and after the answer (media/sip.Call). Methods may be
// called from any goroutine.
type Party interface {
	ID() string // the SIP Call-ID; not ours, not unique for ever
	Trunk() string
	// Hangup ends the call from our side, answered or not.
	Hangup(ctx context.Context) error
	// Done is closed when the call is over, whoever ended it; Ended then says how.
	Done() <-chan struct{}
	Ended() string
	Digits() <-chan rune
	// Gone is closed when, after Done, nothing more is owed to the other side; what was said
	// in SIP is whole then.
	Gone() <-chan struct{}
	Ladder() ladder.Record
}

// Inbound is one caller.
type Inbound interface {
	Party
	From() (number, name string)
	To() string
	Ring() error
	// Answer accepts the call; the leg can be sent to from then on.
	Answer(ctx context.Context) (media.Leg, error)
	// Reject refuses a call that was not answered. Retry-After is left out when zero.
	Reject(status int, retryAfter time.Duration) error
}

// Peer is an agent's media connection (media/webrtc.Peer).
type Peer interface {
	media.Leg
	Connected() <-chan struct{} // closed once audio can flow
	Done() <-chan struct{}      // closed when the connection failed or was closed
	Close() error
}

// Gateway makes a media connection from a client's SDP offer.
type Gateway interface {
	Accept(ctx context.Context, offerSDP string) (Peer, string, error)
}

// GatewayFunc makes a Gateway of a function.
type GatewayFunc func(ctx context.Context, offerSDP string) (Peer, string, error)

// Accept calls the function.
func (f GatewayFunc) Accept(ctx context.Context, offerSDP string) (Peer, string, error) {
	return f(ctx, offerSDP)
}

// Link is the way to an agent's client. Send never blocks; a link that cannot keep up
// closes itself and reports LinkLost. Links are compared by identity.
type Link interface {
	Send(id string, m protocol.Message)
}

// CallJournal records what a caller experienced. Every method is durable when it returns nil.
type CallJournal interface {
	CallStarted(ctx context.Context, c model.Call) error
	CallUpdated(ctx context.Context, c model.Call) error
	CallEnded(ctx context.Context, id model.CallID, at time.Time, cause model.Cause) error
	AddEvent(ctx context.Context, e model.CallEvent) error
}

// LegJournal records the parties and what the meters heard. Durable as CallJournal.
type LegJournal interface {
	// AgentLegs gives the legs that an agent had in a call, newest first; none when the
	// agent was not in it.
	AgentLegs(ctx context.Context, call model.CallID, agent model.AgentID) ([]model.Leg, error)
	LegStarted(ctx context.Context, l model.Leg) error
	LegEnded(ctx context.Context, l model.Leg) error
	AddReadings(ctx context.Context, c model.ReadingChunk) error
	AddLadder(ctx context.Context, l model.CallLadder) error
}

// Journal is the call record (internal/store).
type Journal interface {
	CallJournal
	LegJournal
}

// Evidence turns reports into verdicts (internal/headset.Service).
type Evidence interface {
	// Reported is durable before it returns.
	Reported(ctx context.Context, r model.ReportRecord) (model.Verdict, error)
	// Verdict gives what is known of a headset; VerdictUnknown when it was never judged.
	Verdict(ctx context.Context, id model.HeadsetID) (model.Verdict, error)
}

// Headsets remembers the devices that were seen (internal/store).
type Headsets interface {
	SeenHeadset(ctx context.Context, h model.Headset) error
}

// Bus tells screens what changed; Publish never blocks (internal/events.Bus).
type Bus interface {
	Publish(e events.Event)
}

// Music plays to a caller who waits. Neither Play nor stop blocks; nothing is sent to
// the leg after stop has returned.
type Music interface {
	Play(leg media.Leg) (stop func())
}

// MusicFunc makes Music of a function.
type MusicFunc func(leg media.Leg) (stop func())

// Play calls the function.
func (f MusicFunc) Play(leg media.Leg) (stop func()) { return f(leg) }

// musicLead is how long music waits before it begins: what was heard before fades meanwhile.
const musicLead = 40 * time.Millisecond

// HoldMusic plays media/prompt's music on a Pacer, which somebody else runs.
func HoldMusic(p *prompt.Pacer) Music {
	src := prompt.HoldMusic()
	return MusicFunc(func(leg media.Leg) func() { return p.PlayAfter(leg, src, musicLead) })
}
