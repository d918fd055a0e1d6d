package phone

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// longestRing bounds a call to a phone before its answer; the queue's offer ends it before.
const longestRing = 15 * time.Minute

// ringing is an offer at the user's phones. Each is rung by a call of its own.
type ringing struct {
	call     protocol.Call
	cancel   context.CancelCauseFunc
	left     int  // calls to phones of which nothing is known yet
	declined bool // by one of them
}

// startRinging rings every phone that there is.
func (l *line) startRinging(offered protocol.Call) {
	l.stopRinging()
	able := l.able()
	if len(able) == 0 || l.talk != nil {
		l.unreachable()
		return
	}
	ctx, cancel := context.WithCancelCause(l.lines.work)
	ring := &ringing{call: offered, cancel: cancel, left: len(able)}
	l.ring = ring
	for _, b := range able {
		to := l.outgoing(b, offered)
		l.lines.busy.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, longestRing)
			defer cancel()
			call, err := l.lines.deps.Client.Dial(ctx, to)
			if !l.box.post(func() { l.rang(ring, b, call, err) }) && err == nil {
				l.hangUp(call)
			}
		})
	}
}

// outgoing is the call to one phone, with the caller's number and name.
func (l *line) outgoing(b registrar.Binding, offered protocol.Call) sip.Outgoing {
	to := sip.Outgoing{Target: b.Contact, Via: l.lines.deps.Client.Reach(b), From: speakable(offered.From), FromName: printable(offered.FromName),
		Phone: string(l.user.ID), Patience: l.lines.cfg.Patience, Keys: Keys(l.user.Phone.MediaKeys), Codecs: Codecs(l.user.Phone.Codecs)}
	to.Transfer = func(t *sip.Transfer) {
		if !l.box.post(func() { l.transfer(t) }) {
			_ = t.Refuse(503)
		}
	}
	return to
}

// stopRinging cancels what rings.
func (l *line) stopRinging() { l.endRing(context.Canceled) }

func (l *line) endRing(why error) {
	if l.ring != nil {
		l.ring.cancel(why)
		l.ring = nil
	}
}

// rang is what came of ringing one phone.
func (l *line) rang(ring *ringing, b registrar.Binding, call *sip.Call, err error) {
	current := l.ring == ring
	var refused *sip.RejectedError
	switch {
	case err == nil && current && l.talk == nil:
		l.endRing(sip.ErrElsewhere)
		l.found(b, nil)
		l.accept(ring.call, b, call)
		return
	case err == nil: // another was faster, or the caller left
		l.lines.busy.Go(func() { l.hangUp(call) })
		return
	case errors.As(err, &refused):
		l.found(b, nil)
		ring.declined = ring.declined || busy(refused.Status)
	case current && !errors.Is(err, context.Canceled):
		l.found(b, err)
	}
	if ring.left--; !current || l.ring != ring {
		return
	}
	switch {
	case ring.left > 0 && (refused == nil || refused.Status < 600): // RFC 3261 section 16.7: 6xx speaks for all
		return
	case ring.declined:
		l.stopRinging()
		if err := l.say(protocol.Decline{CallID: ring.call.ID}); err != nil {
			l.log.Debug("declined too late", "err", err)
		}
	default:
		l.unreachable()
	}
}

// busy says that a phone's refusal is its user's: busy, do not disturb, declined.
func busy(status int) bool {
	return status == 480 || status == 486 || status == 600 || status == 603
}

// unreachable gives an offer back that no phone can ring for.
func (l *line) unreachable() {
	l.stopRinging()
	if err := l.say(protocol.SetState{State: string(model.Break), Reason: ReasonUnreachable}); err != nil {
		l.log.Debug("unreachable, and told too late", "err", err)
	}
}

// speakable is a caller's number as it may stand in an address.
func speakable(number string) string {
	if number == "" || strings.ContainsFunc(number, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>@";:,?`, r) }) {
		return "anonymous"
	}
	return number
}

// printable is a caller's name as it may stand in a header.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' || r == '\\' {
			return ' '
		}
		return r
	}, name)
}

// Codecs are those of a site's user or trunk.
func Codecs(names []string) []media.Codec {
	var out []media.Codec
	for _, name := range names {
		switch name {
		case "PCMU":
			out = append(out, media.PCMU)
		case "PCMA":
			out = append(out, media.PCMA)
		}
	}
	return out
}

// Keys is the policy of a site's user.
func Keys(k model.MediaKeys) sip.MediaKeys {
	switch k {
	case model.MediaKeysOff:
		return sip.KeysOff
	case model.MediaKeysRequired:
		return sip.KeysRequired
	default:
		return sip.KeysOptional
	}
}
