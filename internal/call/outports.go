package call

import (
	"context"
	"fmt"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
)

// Dialling says who may call where (internal/toll). A refusal is a *model.DialRefusal; any
// other error means that it could not be found out.
type Dialling interface {
	Permit(ctx context.Context, r model.DialRequest) (model.DialPermit, error)
	// Unused gives a permit back of which no call came, so that it does not count.
	Unused(ctx context.Context, call model.CallID, p model.DialPermit) error
}

// Outgoing is a call to be placed on a trunk. The functions must not block; they are called
// from any goroutine, none after Dial has returned.
type Outgoing struct {
	Call           model.CallID // that it is, or becomes, a party of
	Permit         model.DialPermit
	From, FromName string              // shown to the callee; empty = the trunk's own
	Begun          func(Party)         // each attempt, as it begins
	Progress       func(status int)    // provisional responses beyond 100
	EarlyMedia     func(leg media.Leg) // the callee may be heard; again for another phone
}

// Dialer places calls on trunks (media/sip/carrier.Carrier).
type Dialer interface {
	// Dial returns when the call is answered. If ctx ends before, the call is cancelled. A call
	// that came to nothing is a *DialError.
	Dial(ctx context.Context, o Outgoing) (Party, media.Leg, error)
}

// DialFault is what a call came to nothing by.
type DialFault string

// The faults.
const (
	FaultRefused     DialFault = "refused"     // Status and Reason say how
	FaultNoTrunk     DialFault = "no_trunk"    // none leads to the number
	FaultFull        DialFault = "full"        // the trunk has as many calls as it may
	FaultUnreachable DialFault = "unreachable" // nobody said anything
	FaultSilent      DialFault = "silent"      // nothing rang in time
)

// DialError is why a call came to nothing.
type DialError struct {
	Fault  DialFault
	Status int    // of the final response, for FaultRefused
	Reason string // its phrase
	Err    error
}

func (e *DialError) Error() string { return fmt.Sprintf("call: dial: %s: %v", e.Fault, e.Err) }

// Unwrap gives what was behind it.
func (e *DialError) Unwrap() error { return e.Err }

// Ringback plays media/prompt's ringing tone on a Pacer, which somebody else runs.
func Ringback(p *prompt.Pacer) Music {
	src := prompt.Ringback()
	return MusicFunc(func(leg media.Leg) func() { return p.Play(leg, src) })
}
