package sip

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/dtmf"
	"github.com/headroom-voice/headroom/media/rtp"
)

// KeysBy is how a party is sent the keys of a telephone, and which of its own are listened for.
type KeysBy string

// The ways. Where no telephone-events are agreed on, keys are tones in any of them but KeysInfo.
const (
	KeysAuto   KeysBy = ""        // events; else INFO, of who shows that it takes it; else tones
	KeysEvents KeysBy = "rfc4733" // events
	KeysInfo   KeysBy = "info"    // INFO with application/dtmf-relay
	KeysInBand KeysBy = "inband"  // tones; events are neither offered nor agreed to
)

func (k KeysBy) valid() bool {
	return slices.Contains([]KeysBy{KeysAuto, KeysEvents, KeysInfo, KeysInBand}, k)
}

// listens says that keys are listened for in the voice of a party without telephone-events.
func (k KeysBy) listens() bool { return k == KeysAuto || k == KeysInBand }

// SendDigits presses keys towards the other side: 0 to 9, *, #, A to D, one after the other, at
// most dtmf.MaxKeys at a time. It returns at once. None is sent if it fails: with dtmf.ErrFull,
// dtmf.ErrNoKey, ErrEnded, or because the call is not answered.
func (c *Call) SendDigits(digits string) error {
	select {
	case <-c.done:
		return ErrEnded
	default:
	}
	l := c.leg.Load()
	if l == nil {
		return errState
	}
	var pad media.Keypad = l
	if c.informed(l) {
		pad = c.informs.pad(l)
	}
	if err := c.ep.keys.Press(pad, digits, c.keysBy == KeysInBand); err != nil {
		return fmt.Errorf("sip: send digits: %w", err)
	}
	return nil
}

// informed says that keys go out by INFO.
func (c *Call) informed(l *rtp.Session) bool {
	if c.informs.refused.Load() {
		return false
	}
	return c.keysBy == KeysInfo || c.keysBy == KeysAuto && !l.TakesEvents() && c.informs.hinted.Load()
}

// TonesOnly reports whether the keys of the other side are tones in its voice, both ways.
func (c *Call) TonesOnly() bool {
	l := c.leg.Load()
	return l != nil && (c.keysBy == KeysInBand || !l.TakesEvents() && !c.informed(l))
}

// forgetKeys drops what waits to be sent.
func (c *Call) forgetKeys() {
	if l := c.leg.Load(); l != nil {
		c.ep.keys.Forget(l)
	}
	if p := c.informs.to.Load(); p != nil {
		c.ep.keys.Forget(p)
	}
}

// informs is the keys that go out by INFO. The endpoint's Player paces them, as if they were
// events; the call's owner sends them.
type informs struct {
	due     chan uint8 // event codes
	to      *atomic.Pointer[informPad]
	hinted  *atomic.Bool // the other side shows that it takes them
	refused *atomic.Bool // and this that it does not
}

func newInforms() informs {
	return informs{make(chan uint8, dtmf.MaxKeys), new(atomic.Pointer[informPad]), new(atomic.Bool), new(atomic.Bool)}
}

// pad is where the Player sends the keys.
func (i *informs) pad(l *rtp.Session) *informPad {
	i.to.CompareAndSwap(nil, &informPad{l, i.due})
	return i.to.Load()
}

// informPad turns the beginning of each event into a key for the owner.
type informPad struct {
	*rtp.Session
	due chan uint8
}

// TakesEvents is part of media.Keypad.
func (p *informPad) TakesEvents() bool { return true }

// SendEvent is part of media.Keypad.
func (p *informPad) SendEvent(e media.Event) {
	if !e.Begin {
		return
	}
	select {
	case p.due <- e.Code:
	default: // the other side answers none
	}
}

// Reserve is part of media.Keypad: what goes by another way need not be kept from voices.
func (p *informPad) Reserve(uint32, time.Time) {}

// infoDuration is what an INFO gives as the time the key was down, in milliseconds.
const infoDuration = 100

// inform sends one key in an INFO. Who does not take it gets tones, or events, from then on.
func (c *Call) inform(code uint8) {
	name, _ := media.KeyName(code)
	again := func(why error) {
		c.informs.refused.Store(true)
		c.log.Info("keys are not taken by INFO", "why", why)
		_ = c.ep.keys.Press(c.leg.Load(), string(name), false)
	}
	if c.informs.refused.Load() {
		_ = c.ep.keys.Press(c.leg.Load(), string(name), false)
		return
	}
	err := c.want(&errand{method: sip.INFO, meek: true,
		fill: func(req *sip.Request) {
			req.AppendHeader(sip.NewHeader("Content-Type", infoRelay))
			req.AppendHeader(sip.NewHeader("User-Agent", c.ep.cfg.UserAgent))
			req.SetBody(fmt.Appendf(nil, "Signal=%c\r\nDuration=%d\r\n", name, infoDuration))
		},
		done: func(res *sip.Response, err error) string {
			switch {
			case errors.Is(err, ErrEnded):
			case err != nil:
				again(err)
			case !res.IsSuccess():
				again(rejection(res))
			}
			return ""
		},
	})
	if err != nil {
		c.log.Info("a key could not be sent by INFO", "error", err)
	}
}

// learnInfo notes that the other side names a package or a body of keys among those it takes
// (RFC 6086 section 5.2.3, RFC 3261 section 20.1). That it allows INFO says little: all do.
func (c *Call) learnInfo(m sip.Message) {
	for _, name := range []string{"Recv-Info", "Accept"} {
		for _, v := range values(m, name) {
			if strings.Contains(strings.ToLower(v), "dtmf") {
				c.informs.hinted.Store(true)
			}
		}
	}
}

// keyHeard takes a key from the audio, on its reader goroutine.
func (c *Call) keyHeard(l *rtp.Session, key rune) {
	by := bySound
	if l.TakesEvents() {
		by = byEvent
	}
	if c.presses.counts(key, by, time.Now()) {
		c.press(key)
	}
}
