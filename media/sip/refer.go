package sip

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// errUntold is what comes of a transfer whose outcome the other side keeps to itself.
var errUntold = errors.New("sip: the other side did not say how the transfer went")

// Referral is where a call's other side is to be sent.
type Referral struct {
	Target   string // a sip, sips or tel URI; may be empty if Replace is given
	Replace  *Call  // attended: an answered call of ours, with the target, that it is to take over
	Progress func(status int)
	// Progress, if set, is told how the new call gets on, on the goroutine that owns this one:
	// it must not block.
}

// referral is a REFER of ours.
type referral struct {
	to       chan reply
	progress func(int)
	accepted bool
	cseq     uint32
	expiry   *time.Timer
}

// Refer asks the other side to make a call to somebody else (RFC 3515). It returns when that
// is answered. A *RejectedError means that the other side refused, or that its new call was;
// this call then goes on as it was. After a success it is there still, to be hung up by either.
func (c *Call) Refer(ctx context.Context, r Referral) error {
	ref := reference{target: r.Target}
	if r.Replace != nil {
		who, err := r.Replace.ask(ctx, command{op: opWho})
		if err != nil {
			return err
		}
		ref.target = cmp.Or(ref.target, who.target)
		ref.replaces = &who.dialog
	}
	ref, err := parseReferTo(ref.String())
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, command{op: opRefer, reference: ref, progress: r.Progress})
	return err
}

// who is how another party would reach and take over a call.
func (c *Call) who() reply {
	target := c.dlg.target
	return reply{target: target.String(), dialog: Replaces{CallID: c.dlg.callID, ToTag: tagOf(&c.dlg.to), FromTag: tagOf(&c.dlg.from)}}
}

// refer puts a REFER in line.
func (c *Call) refer(cmd command) {
	if c.referral != nil {
		cmd.reply <- reply{err: errBusy}
		return
	}
	r := &referral{to: cmd.reply, progress: cmd.progress, expiry: time.NewTimer(c.ep.cfg.RingTimeout)}
	e := &errand{method: sip.REFER}
	e.fill = func(req *sip.Request) {
		r.cseq = req.CSeq().SeqNo
		req.AppendHeader(c.dlg.contact())
		req.AppendHeader(sip.NewHeader("Refer-To", cmd.reference.String()))
		from := c.dlg.from.Address
		req.AppendHeader(sip.NewHeader("Referred-By", "<"+from.String()+">"))
		req.AppendHeader(sip.NewHeader("Supported", supported))
	}
	e.done = func(res *sip.Response, err error) string {
		switch {
		case c.referral != r: // its outcome was told before it was accepted
		case err != nil:
			c.referredTo(err)
		case !res.IsSuccess():
			c.referredTo(rejection(res))
		default:
			r.accepted = true
			if sub := values(res, "Refer-Sub"); len(sub) > 0 && strings.EqualFold(sub[0], "false") { // RFC 4488
				c.referredTo(nil)
			}
		}
		return ""
	}
	if err := c.want(e); err != nil {
		r.expiry.Stop()
		cmd.reply <- reply{err: err}
		return
	}
	c.referral = r
}

// referredTo ends the transfer of the other side.
func (c *Call) referredTo(err error) {
	r := c.referral
	if r == nil {
		return
	}
	c.referral = nil
	r.expiry.Stop()
	c.transferred = c.transferred || err == nil
	r.to <- reply{err: err}
}

// due yields when the other side has taken too long.
func (r *referral) due() <-chan time.Time {
	if r == nil {
		return nil
	}
	return r.expiry.C
}

// notified takes the news of a transfer that we asked for (RFC 3515 section 2.4.5).
func (c *Call) notified(ev event) string {
	refuse := func(status int, headers ...sip.Header) string {
		_ = ev.tx.Respond(c.ep.response(ev.req, status, headers...))
		return ""
	}
	var event, state string
	if v := values(ev.req, "Event", "o"); len(v) > 0 {
		event, _, _ = strings.Cut(v[0], ";")
	}
	if v := values(ev.req, "Subscription-State"); len(v) > 0 {
		state, _, _ = strings.Cut(v[0], ";")
	}
	status, ok := fragment(ev.req.Body())
	over := strings.EqualFold(strings.TrimSpace(state), "terminated")
	switch {
	case !strings.EqualFold(strings.TrimSpace(event), "refer"): // RFC 6665 section 4.1.3
		return refuse(489, sip.NewHeader("Allow-Events", "refer"))
	case c.referral == nil || c.referral.cseq == 0:
		return refuse(sip.StatusCallTransactionDoesNotExists)
	case !ok && !over:
		return refuse(sip.StatusBadRequest)
	}
	refuse(sip.StatusOK)
	r := c.referral
	r.accepted = true
	if ok && r.progress != nil {
		r.progress(status)
	}
	switch {
	case ok && status >= 300:
		c.referredTo(&RejectedError{Status: status, Reason: reason(status)})
	case ok && status >= 200:
		c.referredTo(nil)
	case over:
		c.referredTo(errUntold)
	}
	return ""
}

// leftBehind ends a referral with its call. One who accepted and then hung up has gone where
// it was sent: many say no more than that.
func (c *Call) leftBehind(cause string) {
	if cause == CauseTransferred {
		c.referredTo(nil)
		return
	}
	c.referredTo(ErrEnded)
}
