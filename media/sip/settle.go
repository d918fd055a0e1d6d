package sip

import (
	"time"

	"github.com/emiago/sipgo/sip"
)

// settle pays what the call still owes the other side, within 64*T1 a step; a stopping
// endpoint gives a step 4*T1. c.unacked tells an answered inbound call whose ACK has not
// come: a callee may not send BYE before (RFC 3261 section 15).
func (c *Call) settle() {
	defer func() { c.unacked.stop() }()
	if c.out != nil {
		if !c.out.accepted {
			c.abandon()
			return
		}
		defer c.out.tx.Terminate()
	}
	if !c.answered() {
		return
	}
	c.finishTransfer()
	if c.cause == CauseRemoteBye || c.cause == CauseTransferred {
		return
	}
	if c.unacked != nil && c.cause != CauseAckTimeout && c.cause != CauseTransport {
		if c.awaitACK() == CauseRemoteBye {
			return
		}
	}
	c.bye(&c.dlg)
}

// answered says that a dialog was established, whether or not it was acknowledged.
func (c *Call) answered() bool {
	select {
	case <-c.up:
		return true
	default:
		return c.out != nil && c.out.accepted
	}
}

// awaitACK goes on repeating the 200 of a call that is already over.
func (c *Call) awaitACK() string {
	limit, stopping := c.step(), c.ep.stopping
	defer limit.Stop()
	for {
		select {
		case <-limit.C:
			return CauseAckTimeout
		case <-stopping:
			limit.Reset(4 * c.ep.cfg.T1)
			stopping = nil
		case <-c.unacked.acks():
			return ""
		case <-c.unacked.due():
			if !c.unacked.again() {
				return CauseAckTimeout
			}
		case ev := <-c.inbox:
			if ev.tx == nil {
				if seq := ev.req.CSeq(); seq != nil && seq.SeqNo == c.unacked.seq {
					return ""
				}
				continue
			}
			if c.declineLate(ev) {
				return CauseRemoteBye
			}
		}
	}
}

// bye ends an established dialog and waits for the answer.
func (c *Call) bye(d *dialog) {
	for range maxProofs {
		req := d.request(sip.BYE, d.next())
		c.auth.prove(req)
		c.ep.route(d, req)
		tx, err := c.ep.send(req, nil)
		if err != nil {
			c.log.Info("BYE not sent", "error", err)
			return
		}
		if res := c.conclude(tx); res == nil || !c.auth.learn(res) {
			return
		}
	}
}

// conclude waits for the final response of a client transaction, answering what comes in
// meanwhile: a BYE that crossed ours, say.
func (c *Call) conclude(tx *sip.ClientTx) *sip.Response {
	defer tx.Terminate()
	limit, stopping := c.step(), c.ep.stopping
	defer limit.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res
			}
		case <-tx.Done():
			return nil
		case <-limit.C:
			return nil
		case <-stopping:
			limit.Reset(4 * c.ep.cfg.T1)
			stopping = nil
		case ev := <-c.inbox:
			c.declineLate(ev)
		case res := <-c.out.repeated():
			c.acceptedAgain(res)
		case o := <-c.errands.results:
			c.lateResult(o)
		case req := <-c.errands.repeats:
			c.ackAgain(req)
		}
	}
}

// declineLate answers a request that comes when the call is over; true if it was BYE.
func (c *Call) declineLate(ev event) bool {
	if ev.tx == nil {
		return false
	}
	c.request(stateOver, &c.dlg, ev)
	return ev.req.Method == sip.BYE
}

func (c *Call) step() *time.Timer { return time.NewTimer(64 * c.ep.cfg.T1) }
