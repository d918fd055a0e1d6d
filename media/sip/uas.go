package sip

import (
	"errors"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/mask"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// inbound makes a Call of an INVITE, or says why it is to be refused.
func (e *endpoint) inbound(req *sip.Request, tx *sip.ServerTx, trunk *knownTrunk, offered *stream) (*Call, error) {
	c := newCall(e)
	src := source(req)
	c.dlg = uasDialog(req, e.facing(sip.NetworkToUpper(req.Transport()), src))
	c.invite, c.tx, c.offered = req, tx, offered
	c.trunk, c.codecs, c.offers = trunk.id, trunk.codecs, trunk.codecs
	if c.phone = trunk.phone; c.phone != "" {
		c.at = registrar.Binding{User: c.phone, Contact: c.dlg.target.String(), Transport: c.dlg.transport, Source: src}
	}
	c.keys = keyring{policy: trunk.keys, private: c.dlg.transport == "TLS"}
	c.keysBy = trunk.keysBy
	c.auth.login = trunk.login
	c.learn(req)
	c.identity = identity(req, !trunk.doubted)
	c.identity.normal(trunk.numbers)
	c.number, c.name = c.identity.Number, c.identity.Name
	c.to = trunk.numbers.Normal(calledNumber(req, trunk.contact))
	c.log = e.log.With("sip_call_id", c.dlg.callID, "trunk", trunk.id)
	e.record(c, req)
	if e.merged(c, inviteID{c.dlg.callID, tagOf(req.From()), req.CSeq().SeqNo}) {
		e.forget(c)
		return nil, errMerged
	}
	if !e.register(c, c.dlg.id()) {
		e.forget(c)
		return nil, errUnavailable
	}
	return c, nil
}

// ring is the inbound call before its answer. It returns "" once answered.
func (c *Call) ring() string {
	// sipgo answers a CANCEL itself, 200 and then 487; this is how we learn of it.
	if !c.tx.OnCancel(func(*sip.Request) {
		select {
		case c.cancelled <- struct{}{}:
		default:
		}
	}) {
		return CauseCancelled
	}
	_ = c.tx.Respond(c.ep.response(c.invite, sip.StatusTrying))
	c.log.Info("call in", "to", mask.Number(c.to))
	c.ep.wg.Go(func() { c.handler.Incoming(c) })

	deadline := time.NewTimer(c.ep.cfg.RingTimeout)
	defer deadline.Stop()
	defer func() { c.reliable.stop() }()
	for {
		select {
		case <-c.cancelled:
			return CauseCancelled
		case <-c.tx.Done():
			select {
			case <-c.cancelled: // and acknowledged, before this goroutine ran
				return CauseCancelled
			default:
				return CauseTransport
			}
		case <-c.reliable.due():
			if !c.reliable.again(c.tx) {
				c.refuse(sip.StatusGatewayTimeout, 0)
				return CauseAckTimeout
			}
		case <-deadline.C:
			c.refuse(sip.StatusTemporarilyUnavailable, 0)
			return CauseNoAnswer
		case <-c.ep.stopping:
			c.refuse(sip.StatusServiceUnavailable, c.ep.cfg.RetryAfter)
			return CauseShutdown
		case ev := <-c.inbox:
			if cause := c.request(stateRinging, &c.dlg, ev); cause != "" {
				return cause
			}
		case cmd := <-c.commands:
			if cause, left := c.earlyCommand(cmd); left {
				return cause
			}
		}
	}
}

// earlyCommand does what the handler asks; left says that the early state is over.
func (c *Call) earlyCommand(cmd command) (cause string, left bool) {
	switch cmd.op {
	case opRing:
		cmd.reply <- reply{err: c.alert()}
		return "", false
	case opReject:
		c.refuse(cmd.status, cmd.retryAfter)
		cmd.reply <- reply{}
		return CauseRejected, true
	case opAnswer:
		return c.answer(cmd.reply), true
	case opHangup:
		c.refuse(sip.StatusTemporarilyUnavailable, 0)
		cmd.reply <- reply{}
		return CauseLocal, true
	default:
		cmd.reply <- reply{err: errState}
		return "", false
	}
}

// refuse gives the INVITE its final answer; sipgo repeats it until the ACK.
func (c *Call) refuse(status int, after time.Duration) {
	res := c.ep.response(c.invite, status)
	if after > 0 {
		res.AppendHeader(retryAfter(after))
	}
	_ = c.tx.Respond(res)
}

// answer accepts the INVITE. The cause is "" if that went well.
func (c *Call) answer(to chan reply) (cause string) {
	fail := func(cause string, err error) string {
		to <- reply{err: err}
		return cause
	}
	session, err := c.openMedia()
	if err != nil {
		c.refuse(sip.StatusServiceUnavailable, c.ep.cfg.RetryAfter)
		return fail(CauseNoPorts, err)
	}
	c.runMedia(session)
	var body []byte
	if c.offered == nil {
		body, c.lateOffer = c.local.offer(c.codecs, defaultPacketTime), true
	} else {
		if err := c.configure(c.offered, false); err != nil {
			c.refuse(sip.StatusInternalServerError, 0)
			return fail(CauseTransport, err)
		}
		body = c.local.answer(c.offered)
	}
	if err := c.accept(c.invite, c.tx, body); err != nil {
		if errors.Is(err, sip.ErrTransactionCanceled) {
			return fail(CauseCancelled, ErrEnded)
		}
		return fail(CauseTransport, err)
	}
	c.takeOver()
	if c.lateOffer {
		c.late = to
		return ""
	}
	to <- reply{leg: c.leg.Load()}
	return ""
}

// accept sends the 200 to an INVITE and starts waiting for its ACK.
func (c *Call) accept(req *sip.Request, tx *sip.ServerTx, body []byte) error {
	res := c.ok(req, body)
	if err := tx.Respond(res); err != nil {
		if errors.Is(err, sip.ErrTransactionCanceled) {
			// The CANCEL was first and 487 is out, but sipgo now holds our 200 as what to
			// repeat until the ACK. Put the 487 back.
			_ = tx.Respond(c.ep.response(req, sip.StatusRequestTerminated))
		}
		return err
	}
	c.unacked.stop()
	c.unacked = newUnacked(tx, res, req.CSeq().SeqNo, c.ep.cfg.T1, c.ep.cfg.T2)
	return nil
}

// ok is a 200 to INVITE or UPDATE.
func (c *Call) ok(req *sip.Request, body []byte) *sip.Response {
	res := c.ep.response(req, sip.StatusOK, c.dlg.contact(), sip.NewHeader("Allow", allowed(c.transfers != nil)))
	for _, h := range c.session.accept(req) {
		res.AppendHeader(h)
	}
	if body != nil {
		describes(res, body)
	}
	return res
}

// unacked is a 200 that is repeated until its ACK: after T1, then twice as long each time
// up to T2, for 64*T1 in all and over TCP too (RFC 3261 section 13.3.1.4).
type unacked struct {
	tx       *sip.ServerTx
	res      *sip.Response
	seq      uint32
	interval time.Duration
	limit    time.Duration // T2
	deadline time.Time
	timer    *time.Timer
}

func newUnacked(tx *sip.ServerTx, res *sip.Response, seq uint32, t1, t2 time.Duration) *unacked {
	return &unacked{tx: tx, res: res, seq: seq, interval: t1, limit: t2,
		deadline: time.Now().Add(64 * t1), timer: time.NewTimer(t1)}
}

// acks yields ACKs that reuse the INVITE's branch, which sipgo hands to the transaction.
func (u *unacked) acks() <-chan *sip.Request {
	if u == nil {
		return nil
	}
	return u.tx.Acks()
}

// due yields when it is time to do it again.
func (u *unacked) due() <-chan time.Time {
	if u == nil {
		return nil
	}
	return u.timer.C
}

// again repeats the response; false if it has been tried for long enough.
func (u *unacked) again() bool {
	left := time.Until(u.deadline)
	if left <= 0 {
		return false
	}
	_ = u.tx.Respond(u.res)
	u.interval = min(2*u.interval, u.limit)
	u.timer.Reset(min(u.interval, left))
	return true
}

// stop ends the wait and the transaction: sipgo would hold a late ACK's goroutine by it.
func (u *unacked) stop() {
	if u != nil {
		u.timer.Stop()
		u.tx.Terminate()
	}
}
