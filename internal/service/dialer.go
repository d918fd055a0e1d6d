package service

import (
	"context"
	"errors"

	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
)

// dialer places the switchboard's calls on the trunks.
type dialer struct{ s *Service }

// Dial is part of call.Dialer.
func (d dialer) Dial(ctx context.Context, o call.Outgoing) (call.Party, media.Leg, error) {
	order := carrier.Order{
		To: o.Permit.Number, From: carrier.From{Number: o.From, Name: o.FromName}, Urgent: o.Permit.Emergency,
		Progress: o.Progress, EarlyMedia: o.EarlyMedia, Placed: func(c *sip.Call) { o.Begun(c) },
	}
	if o.Permit.Trunks != nil { // nil is any, and none is none
		order.Trunks = make([]string, 0, len(o.Permit.Trunks))
		for _, id := range o.Permit.Trunks {
			order.Trunks = append(order.Trunks, string(id))
		}
	}
	c, err := d.s.carrier.Dial(ctx, order)
	if err != nil {
		return nil, nil, dialError(err)
	}
	return c, c.Leg(), nil
}

// dialError is an error of the carrier as the switchboard understands it.
func dialError(err error) *call.DialError {
	e := &call.DialError{Err: err}
	var refused *sip.RejectedError
	var full *sip.LimitError
	switch {
	case errors.As(err, &refused):
		e.Fault, e.Status, e.Reason = call.FaultRefused, refused.Status, refused.Reason
	case errors.As(err, &full):
		e.Fault = call.FaultFull
	case errors.Is(err, carrier.ErrNoRinging):
		e.Fault = call.FaultSilent
	case errors.Is(err, sip.ErrNoReply), errors.Is(err, sip.ErrUnreachable):
		e.Fault = call.FaultUnreachable
	case errors.Is(err, carrier.ErrNoTrunk):
		e.Fault = call.FaultNoTrunk
	}
	return e
}
