package sip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media"
)

// errNoAnswer is a 2xx to an offer that does not answer it.
var errNoAnswer = errors.New("sip: the offer was accepted but not answered")

// change is what to offer in a re-INVITE.
type change struct {
	dir    direction
	keep   bool          // the direction as it is
	codecs []media.Codec // none: as they are
}

// Hold asks the other side to stop talking; it still hears what is sent to the leg, music
// say. It returns when that is agreed. A refusal is a *RejectedError and changes nothing.
func (c *Call) Hold(ctx context.Context) error { return c.reoffer(ctx, change{dir: sendOnly}) }

// Resume ends Hold.
func (c *Call) Resume(ctx context.Context) error { return c.reoffer(ctx, change{dir: sendRecv}) }

// Recode asks for other codecs, the preferred one first. It returns when that is agreed; a
// refusal is a *RejectedError and changes nothing.
func (c *Call) Recode(ctx context.Context, codecs ...media.Codec) error {
	if err := validTrunks([]Trunk{{ID: c.trunk, Codecs: codecs}}); err != nil || len(codecs) == 0 {
		return fmt.Errorf("sip: recode: %v are no codecs for a trunk", codecs)
	}
	return c.reoffer(ctx, change{keep: true, codecs: codecs})
}

func (c *Call) reoffer(ctx context.Context, ch change) error {
	_, err := c.ask(ctx, command{op: opChange, change: ch})
	return err
}

// change puts a re-INVITE in line. The offer is made when its turn has come, of what stands
// by then; it takes effect with the answer.
func (c *Call) change(ch change, to chan reply) {
	var before local
	e := &errand{method: sip.INVITE, offers: true}
	dir, codecs := ch.dir, ch.codecs
	e.fill = func(req *sip.Request) {
		if ch.keep {
			dir = c.local.dir
		}
		if len(codecs) == 0 {
			codecs = c.inUseFirst(c.offers)
		}
		c.complete(req)
		before = c.local
		describes(req, c.local.reoffer(c.offered, codecs, dir))
	}
	e.done = func(res *sip.Response, err error) string {
		switch {
		case err != nil:
		case !res.IsSuccess():
			c.local.refused(before)
			err = rejection(res)
		default:
			c.local.dir, c.offers = dir, codecs
			c.session.accepted(res)
			cause := c.takeReanswer(res)
			if cause != "" {
				err = errNoAnswer
			}
			to <- reply{err: err}
			return cause
		}
		to <- reply{err: err}
		return ""
	}
	if err := c.want(e); err != nil {
		to <- reply{err: err}
	}
}

// inUseFirst orders codecs so that what was no matter of an offer stays as it is.
func (c *Call) inUseFirst(codecs []media.Codec) []media.Codec {
	now := c.leg.Load().Preferred()
	i := slices.Index(codecs, now)
	if i <= 0 {
		return codecs
	}
	return append([]media.Codec{now}, slices.Delete(slices.Clone(codecs), i, i+1)...)
}

// takeReanswer puts the answer to a re-INVITE of ours into effect. One that says nothing is
// taken to change nothing; one that makes no sense ends the call, for the two sides no longer
// agree.
func (c *Call) takeReanswer(res *sip.Response) string {
	if body, ok := sdpBody(res); ok && body == nil {
		c.log.Info("a re-INVITE was accepted without an answer")
		return ""
	}
	if err := c.takeAnswer(res); err != nil {
		c.log.Info("answer to a re-INVITE not usable", "error", err)
		return CauseBadAnswer
	}
	return ""
}

// complete adds to an INVITE or UPDATE within the dialog what both have.
func (c *Call) complete(req *sip.Request) {
	req.AppendHeader(c.dlg.contact())
	req.AppendHeader(sip.NewHeader("Allow", allowed(c.transfers != nil)))
	req.AppendHeader(sip.NewHeader("User-Agent", c.ep.cfg.UserAgent))
	for _, h := range c.session.propose() {
		req.AppendHeader(h)
	}
}

// under is the direction of an answer by a party that wants no more than own.
func (d direction) under(own direction) direction {
	switch {
	case own == sendRecv || d == inactive:
		return d
	case d == sendRecv || d == own:
		return own
	default:
		return inactive
	}
}

// reoffer describes this side anew to a party that has described itself as s: the same
// m-lines, those that are not ours refused (RFC 3264 section 8). Payload types keep the
// meaning that the party gave them (section 8.3.2).
func (l *local) reoffer(s *stream, codecs []media.Codec, dir direction) []byte {
	var b strings.Builder
	for i, m := range s.mlines {
		if i != s.index {
			fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", m.media, m.proto, m.format)
			continue
		}
		l.audio(&b, m.proto, codecs, s, dir)
	}
	return l.describe(b.String())
}

// audio writes the m-line of an offer within a session, and what belongs to it.
func (l *local) audio(b *strings.Builder, proto string, codecs []media.Codec, s *stream, dir direction) {
	event, clock := uint8(eventPayloadType), 8000
	if s.event {
		event, clock = s.eventType, s.eventClock
	}
	var types, maps strings.Builder
	for _, codec := range codecs {
		pt := staticPayloadType(codec)
		for _, f := range s.formats {
			if f.codec == codec {
				pt = f.payloadType
			}
		}
		if pt == event && !l.soundOnly {
			continue
		}
		fmt.Fprintf(&types, " %d", pt)
		fmt.Fprintf(&maps, "a=rtpmap:%d %s/8000\r\n", pt, codec)
	}
	types.WriteString(s.noiseFormat())
	maps.WriteString(s.noiseMap())
	if !l.soundOnly {
		fmt.Fprintf(&types, " %d", event)
		fmt.Fprintf(&maps, "a=rtpmap:%d telephone-event/%d\r\na=fmtp:%d 0-15\r\n", event, clock, event)
	}
	fmt.Fprintf(b, "m=audio %d %s%s\r\n%s", l.port, proto, types.String(), maps.String())
	fmt.Fprintf(b, "a=ptime:%d\r\na=%s\r\n", s.packetTime/time.Millisecond, dir)
	_, more := l.secure()
	b.WriteString(more)
}

// refused takes back an offer that was. Its version is used up, and so is that of what it
// would have replaced: the next description has a new one.
func (l *local) refused(before local) {
	l.last = before.last
	l.version++
}
