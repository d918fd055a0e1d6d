package carrier

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// maxAttempts bounds the servers that one call is tried at.
const maxAttempts = 6

// Order is a call to place.
type Order struct {
	To       string // the number: +E.164, a short one, or a name
	From     From
	Trunks   []string // only these; nil = any
	PTime    time.Duration
	Progress func(status int) // see sip.Outgoing
	// EarlyMedia and Placed are those of sip.Outgoing; each attempt is placed.
	EarlyMedia func(media.Leg)
	Placed     func(*sip.Call)
	Urgent     bool // an emergency: the limits of trunks do not count
}

// Attempt is one server that a call was tried at.
type Attempt struct {
	Trunk  string
	Server locate.Target // not valid where no server was found
	Words  string        // why it did not come of it
	Took   time.Duration
}

// FailedError is a call that came of no attempt; the last one's error is behind it.
type FailedError struct {
	Attempts []Attempt
	err      error
}

func (e *FailedError) Error() string {
	var b strings.Builder
	b.WriteString("carrier: no call: ")
	for i, a := range e.Attempts {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(a.Trunk)
		if a.Server.Addr.IsValid() {
			b.WriteString(" at " + a.Server.String())
		}
		b.WriteString(": " + a.Words)
	}
	return b.String()
}

func (e *FailedError) Unwrap() error { return e.err }

// ErrNoRinging means that a trunk took the call, and that nothing rang for Trunk.Ringing.
var ErrNoRinging = errors.New("carrier: nothing rang in time")

// Dial places a call and returns when it is answered. It goes through the trunks and their
// servers in order, each with Trunk.FirstReply to say anything and Trunk.Ringing to ring; the
// next is tried when one is silent, cannot be reached, or refuses for its own sake (5xx, 408).
// Once it rings, or where the refusal is about the call (486, 404, 603), there is no next. An
// error is a *FailedError, with the attempts, or ErrNoTrunk. If ctx ends before the answer the
// call is cancelled.
func (c *Carrier) Dial(ctx context.Context, o Order) (*sip.Call, error) {
	trunks := c.choose(o)
	if len(trunks) == 0 {
		return nil, ErrNoTrunk
	}
	failed := &FailedError{err: ErrNoTrunk}
	var last []step // servers that are down: better than nothing
	for i := range trunks {
		up, down := c.steps(ctx, &trunks[i], failed)
		last = append(last, down...)
		if call, over := c.tryAll(ctx, o, up, failed); over {
			return call, finish(call, failed)
		}
	}
	if call, over := c.tryAll(ctx, o, last, failed); over {
		return call, finish(call, failed)
	}
	return nil, failed
}

func finish(call *sip.Call, failed *FailedError) error {
	if call != nil {
		return nil
	}
	return failed
}

// step is one server to try.
type step struct {
	trunk *Trunk
	uri   string
	via   locate.Target
}

// choose gives the trunks for a call in order (see Trunk.Prefixes). An urgent one goes by those
// that do not lead there rather than by none.
func (c *Carrier) choose(o Order) []Trunk {
	c.mu.Lock()
	defer c.mu.Unlock()
	best, fit, rest := -1, []Trunk{}, []Trunk{}
	for _, t := range c.trunks {
		if len(t.Targets) == 0 || o.Trunks != nil && !slices.Contains(o.Trunks, t.ID) {
			continue
		}
		number, length := t.Numbers.Normal(o.To), -1
		for _, p := range t.Prefixes {
			if strings.HasPrefix(number, p) {
				length = max(length, len(p))
			}
		}
		if len(t.Prefixes) == 0 && o.Trunks != nil { // asked for by its name
			length = 0
		}
		switch {
		case length < 0 || length < best:
			rest = append(rest, t)
		case length > best:
			rest = append(rest, fit...)
			best, fit = length, []Trunk{t}
		default:
			fit = append(fit, t)
		}
	}
	rank := func(t Trunk) (int, int) { return t.Priority, t.Weight }
	chosen := locate.Order(fit, rank, c.draw)
	if o.Urgent {
		chosen = append(chosen, locate.Order(rest, rank, c.draw)...)
	}
	return chosen
}

// steps are a trunk's servers in order, those that are up before those that are down.
func (c *Carrier) steps(ctx context.Context, t *Trunk, failed *FailedError) (up, down []step) {
	seen := make(map[locate.Target]bool)
	for _, target := range locate.Order(t.Targets, func(t Target) (int, int) { return t.Priority, t.Weight }, c.draw) {
		start := time.Now()
		hops, err := c.cfg.Locator.LocateURI(ctx, target.URI)
		if err != nil {
			failed.add(Attempt{Trunk: t.ID, Words: err.Error(), Took: time.Since(start)}, err)
			continue
		}
		for _, via := range hops {
			s := step{t, target.URI, via}
			switch {
			case seen[via]:
			case c.usable(t, via):
				up = append(up, s)
			default:
				down = append(down, s)
			}
			seen[via] = true
		}
	}
	return up, down
}

func (e *FailedError) add(a Attempt, err error) {
	e.Attempts = append(e.Attempts, a)
	e.err = err
}

// tryAll goes through servers; over says that there is no use in more.
func (c *Carrier) tryAll(ctx context.Context, o Order, steps []step, failed *FailedError) (call *sip.Call, over bool) {
	full := "" // the trunk that has no room
	for _, s := range steps {
		if s.trunk.ID == full {
			continue
		}
		if len(failed.Attempts) >= maxAttempts {
			return nil, true
		}
		start := time.Now()
		call, rang, err := c.try(ctx, o, s)
		if err == nil {
			c.up(s.trunk.ID, s.via, s.uri, true)
			return call, true
		}
		v := c.judge(ctx, err)
		failed.add(Attempt{Trunk: s.trunk.ID, Server: s.via, Words: v.words, Took: time.Since(start)}, err)
		if v.down {
			c.down(s.trunk.ID, s.via, s.uri, v.words, v.hold)
		}
		if v.full {
			full = s.trunk.ID
		}
		if rang || !v.next {
			return nil, true
		}
		c.log.Info("call goes on to the next server", "trunk", s.trunk.ID, "server", s.via.String(), "why", v.words)
	}
	return nil, false
}

// try places the call at one server; rang says that the callee was being told.
func (c *Carrier) try(ctx context.Context, o Order, s step) (call *sip.Call, rang bool, err error) {
	t := s.trunk
	called := userPart(t.Numbers.Format(t.Numbers.Normal(o.To), t.Style))
	who := t.present(o.From, called, s.uri)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := time.AfterFunc(t.FirstReply+t.Ringing, func() { cancel(ErrNoRinging) })
	defer patience.Stop()
	var ringing atomic.Bool
	call, err = c.cfg.Phone.Dial(ctx, sip.Outgoing{
		Target: "sip:" + called + "@" + hostOf(s.uri) + transportParam(s.uri), Via: s.via, Trunk: t.ID,
		From: who.user, FromName: who.name, Domain: who.domain, Headers: who.headers,
		Codecs: t.Codecs, Keys: t.Keys, KeysBy: t.KeysBy, PTime: o.PTime, Patience: t.FirstReply, Login: t.Login,
		EarlyMedia: o.EarlyMedia, Placed: o.Placed, Urgent: o.Urgent,
		Progress: func(status int) {
			ringing.Store(true)
			patience.Stop()
			if o.Progress != nil {
				o.Progress(status)
			}
		},
	})
	return call, ringing.Load(), err
}

// verdict is what an attempt's failure means.
type verdict struct {
	next  bool          // another server may do better
	down  bool          // this one is to be passed over ...
	hold  time.Duration // ... for so long
	full  bool          // the whole trunk is
	words string
}

// judge reads an error of Dial, in one place.
func (c *Carrier) judge(ctx context.Context, err error) verdict {
	var refused *sip.RejectedError
	var limit *sip.LimitError
	switch {
	case ctx.Err() != nil:
		return verdict{words: "cancelled"}
	case errors.As(err, &refused):
		v := verdict{words: fmt.Sprintf("it says %d %s", refused.Status, refused.Reason)}
		v.next = refused.Status >= 500 && refused.Status <= 599 || refused.Status == 408
		v.down, v.hold = refused.Status == 503 && refused.RetryAfter > 0, refused.RetryAfter // RFC 3261 section 21.5.4
		return v
	case errors.As(err, &limit):
		return verdict{next: true, full: true, words: "the trunk " + limit.Words}
	case errors.Is(err, ErrNoRinging):
		return verdict{next: true, words: "nothing rang in time"}
	case errors.Is(err, sip.ErrNoReply), errors.Is(err, sip.ErrUnreachable):
		return verdict{next: true, down: true, hold: c.cfg.Hold, words: strings.TrimPrefix(err.Error(), "sip: ")}
	}
	return verdict{words: err.Error()}
}
