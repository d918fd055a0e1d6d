package sip

import (
	"github.com/emiago/sipgo/sip"
)

// acknowledged takes an ACK, which may carry the answer to a late offer.
func (c *Call) acknowledged(ack *sip.Request) string {
	if c.unacked == nil || ack.CSeq() == nil || ack.CSeq().SeqNo != c.unacked.seq {
		return "" // of an earlier 200
	}
	c.unacked.stop()
	c.unacked = nil
	if !c.lateOffer {
		return ""
	}
	c.lateOffer = false
	if err := c.takeAnswer(ack); err != nil {
		c.log.Info("late answer not usable", "error", err)
		return CauseBadAnswer
	}
	if c.late != nil {
		c.late <- reply{leg: c.leg.Load()}
		c.late = nil
		c.startMediaClock()
	}
	return ""
}

// takeAnswer sets the media up as the answer in m says.
func (c *Call) takeAnswer(m sip.Message) error {
	body, ok := sdpBody(m)
	if !ok || body == nil {
		return errNoDescription
	}
	s, err := parseStream(body, terms{codecs: c.codecs, keys: &c.keys, soundOnly: c.keysBy == KeysInBand, answer: true})
	if err != nil {
		return err
	}
	return c.configure(s, true)
}

// renegotiate answers a re-INVITE or UPDATE: hold, unhold, another codec or address, a
// refresh. What cannot be met is refused and the call goes on as it was (RFC 3261
// section 14.2).
func (c *Call) renegotiate(ev event) string {
	invite := ev.req.Method == sip.INVITE
	body, isSDP := sdpBody(ev.req)
	if c.ep.tooShort(ev.req) {
		_ = ev.tx.Respond(c.ep.refusal(ev.req, errShortSession, minSE(c.ep.cfg.MinSE)))
		return ""
	}
	if !isSDP {
		_ = ev.tx.Respond(c.ep.refusal(ev.req, errNotSDP, sip.NewHeader("Accept", "application/sdp")))
		return ""
	}
	var answer []byte
	switch {
	case body != nil:
		s, err := parseStream(body, terms{codecs: c.codecs, keys: &c.keys, soundOnly: c.keysBy == KeysInBand})
		if err != nil {
			_ = ev.tx.Respond(c.ep.refusal(ev.req, err))
			return ""
		}
		if err := c.configure(s, false); err != nil {
			_ = ev.tx.Respond(c.ep.refusal(ev.req, err))
			return ""
		}
		answer = c.local.answer(s)
	case invite:
		answer = c.local.reoffer(c.offered, c.inUseFirst(c.codecs), c.local.dir)
	}
	c.dlg.retarget(ev.req)
	if !invite {
		_ = ev.tx.Respond(c.ok(ev.req, answer))
		return ""
	}
	if err := c.accept(ev.req, ev.tx, answer); err != nil {
		// Cancelled in this very moment: the caller has its 487 and the call goes on.
		return ""
	}
	c.lateOffer = body == nil
	return ""
}
