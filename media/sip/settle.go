package sip

import (
	"context"
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
	if !c.answered() || c.cause == CauseRemoteBye {
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
	req := d.request(sip.BYE, d.next())
	c.ep.route(d, req)
	tx, err := c.ep.send(req)
	if err != nil {
		c.log.Info("BYE not sent", "error", err)
		return
	}
	c.conclude(tx)
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
		}
	}
}

// declineLate answers a request that comes when the call is over; true if it was BYE.
func (c *Call) declineLate(ev event) bool {
	if ev.tx == nil {
		return false
	}
	if ev.req.Method == sip.BYE {
		_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusOK))
		return true
	}
	_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusCallTransactionDoesNotExists))
	return false
}

func (c *Call) step() *time.Timer { return time.NewTimer(64 * c.ep.cfg.T1) }

// send starts a client transaction. Dialling a TCP peer is bounded by writeTimeout.
func (e *endpoint) send(req *sip.Request) (*sip.ClientTx, error) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := e.reach(ctx, req); err != nil {
		return nil, err
	}
	tx, err := e.txl.NewClientTransaction(ctx, req)
	if err != nil {
		return nil, err
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, err
	}
	return tx, nil
}
