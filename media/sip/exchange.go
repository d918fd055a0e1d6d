package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Bounds on what this side wants of the other within a dialog.
const (
	maxErrands = 16 // in line
	maxTries   = 6  // of one errand: glare, "come back later", an interval too small
	maxWait    = 10 * time.Second
)

var errBusy = errors.New("sip: too many changes of this call wait for the other side")

// errand is a request of ours within the dialog, from the wish to its outcome. One is under
// way at a time, the rest waits in line.
type errand struct {
	method sip.RequestMethod
	offers bool               // it carries an offer, and so waits for those that are open
	spares bool               // its failure does not end the call
	meek   bool               // nor does it, and it ends with the call
	fill   func(*sip.Request) // adds what it says; asked anew each time that it is sent
	done   func(res *sip.Response, err error) (cause string)
	tries  int
	proofs int
}

// result is what came of one request: a final response, or an error.
type result struct {
	req *sip.Request
	res *sip.Response
	err error
}

// errands is the line, and what comes back from those who carry its requests.
type errands struct {
	line     []*errand
	underWay *sip.Request // of line[0]; nil while that waits
	waiting  bool         // for retry
	retry    *time.Timer
	results  chan result
	repeats  chan *sip.Request // re-INVITEs whose 2xx came again
	acked    *sip.Request      // the last re-INVITE that was accepted
	ack      *sip.Request      // and its ACK
}

func newErrands() errands {
	return errands{retry: stoppedTimer(), results: make(chan result), repeats: make(chan *sip.Request, 4)}
}

// want puts an errand in line.
func (c *Call) want(e *errand) error {
	if len(c.errands.line) == maxErrands {
		return errBusy
	}
	c.errands.line = append(c.errands.line, e)
	return nil
}

// proceed sends the first errand in line, unless one is under way. An offer waits until no
// other is open and no INVITE of the other side's waits for its ACK (RFC 3261 section 14.1).
func (c *Call) proceed() {
	e := &c.errands
	if len(e.line) == 0 || e.underWay != nil || e.waiting {
		return
	}
	next := e.line[0]
	if next.offers && c.unacked != nil {
		return
	}
	req := c.dlg.request(next.method, c.dlg.next())
	next.fill(req)
	c.auth.prove(req)
	c.ep.route(&c.dlg, req)
	e.underWay = req
	c.ep.wg.Go(func() { c.carry(req) })
}

// carry takes a request to the other side, beside the owner, and the outcome back.
func (c *Call) carry(req *sip.Request) {
	res, err := c.ep.exchange(req, func() {
		select {
		case c.errands.repeats <- req:
		default:
		}
	})
	select {
	case c.errands.results <- result{req, res, err}:
	case <-c.gone:
		if err == nil && req.Method == sip.INVITE && res.IsSuccess() {
			c.ep.acknowledge(&c.dlg, req, nil) // the owner is no more, its dialog stands still
		}
	}
}

// offering says that an offer of ours is under way.
func (c *Call) offering() bool {
	return c.errands.underWay != nil && c.errands.line[0].offers
}

// concluded takes the result of a request of ours (RFC 3261 sections 12.2.1.2 and 14.1). The
// cause is "" if the call goes on.
func (c *Call) concluded(o result) string {
	e := &c.errands
	if o.req != e.underWay {
		c.pracked(o)
		return ""
	}
	first := e.line[0]
	e.underWay = nil
	if o.err != nil {
		return c.unanswered(first, o.err)
	}
	c.learn(o.res)
	status := o.res.StatusCode
	switch {
	case o.res.IsSuccess():
		if o.req.Method == sip.INVITE || o.req.Method == sip.UPDATE {
			c.dlg.retarget(o.res)
		}
		if o.req.Method == sip.INVITE {
			e.acked, e.ack = o.req, c.ep.acknowledge(&c.dlg, o.req, nil)
		}
	case status == sip.StatusRequestTimeout || status == sip.StatusCallTransactionDoesNotExists:
		if !first.spares && !first.meek {
			return c.unanswered(first, rejection(o.res))
		}
	case first.proofs < maxProofs && c.auth.learn(o.res):
		first.proofs++
		return ""
	case first.tries < maxTries:
		if wait, again := c.comeBack(o.res); again {
			first.tries++
			e.waiting = true
			e.retry.Reset(wait)
			return ""
		}
	}
	e.line = e.line[1:]
	return first.done(o.res, nil)
}

// unanswered ends an errand that nobody took. The dialog has ended with it, unless it is one
// that is no part of the call.
func (c *Call) unanswered(first *errand, err error) string {
	c.errands.line = c.errands.line[1:]
	cause := first.done(nil, err)
	if first.spares || first.meek {
		return cause
	}
	c.log.Info("a request within the call failed", "method", string(first.method), "error", err)
	return cmp.Or(cause, CauseDialogLost)
}

// comeBack says whether a refused request is to be sent again, and when.
func (c *Call) comeBack(res *sip.Response) (time.Duration, bool) {
	switch res.StatusCode {
	case sip.StatusRequestPending:
		return c.glare(), true
	case sip.StatusInternalServerError, sip.StatusServiceUnavailable: // an overlapping INVITE gets 500 (section 14.2)
		if wait := rejection(res).RetryAfter; len(values(res, "Retry-After")) > 0 && wait <= maxWait {
			return max(wait, c.ep.cfg.T1), true
		}
	case statusIntervalTooSmall:
		return 0, c.session.raise(res)
	}
	return 0, false
}

// glare is how long to wait after 491, in units of 10 ms (section 14.1): the side that chose
// the Call-ID waits longer.
func (c *Call) glare() time.Duration {
	const unit = 10 * time.Millisecond
	if c.out != nil {
		return 2100*time.Millisecond + time.Duration(rand.N(191))*unit
	}
	return time.Duration(rand.N(201)) * unit
}

// dropErrands ends what is in line with the call.
func (c *Call) dropErrands() {
	c.errands.retry.Stop()
	line := c.errands.line
	if c.errands.underWay != nil && line[0].spares { // news of a transfer, which goes on its way
		line = line[1:]
		c.errands.line = c.errands.line[:1:1]
	} else {
		c.errands.line, c.errands.underWay = nil, nil
	}
	c.errands.waiting = false
	for _, e := range line {
		if e.spares {
			c.errands.line = append(c.errands.line, e)
			continue
		}
		e.done(nil, ErrEnded)
	}
}

// lateResult takes a result when the call is over.
func (c *Call) lateResult(o result) {
	if o.err == nil && o.req.Method == sip.INVITE && o.res.IsSuccess() {
		c.errands.acked, c.errands.ack = o.req, c.ep.acknowledge(&c.dlg, o.req, nil)
	}
}

// ackAgain acknowledges a 2xx to a re-INVITE of ours that came once more.
func (c *Call) ackAgain(req *sip.Request) {
	if req == c.errands.acked {
		c.ep.post(c.errands.ack)
	}
}

// acknowledge sends the ACK to a 2xx, which is nobody's transaction, with the credentials of
// its INVITE (RFC 3261 section 13.2.2.4). It returns it for when the 2xx is repeated.
func (e *endpoint) acknowledge(d *dialog, invite *sip.Request, answer []byte) *sip.Request {
	ack := d.request(sip.ACK, invite.CSeq().SeqNo)
	for _, name := range []string{"Authorization", "Proxy-Authorization"} {
		sip.CopyHeaders(name, invite, ack)
	}
	if answer != nil {
		describes(ack, answer)
	}
	e.route(d, ack)
	e.post(ack)
	return ack
}

// describes puts a session description into a message.
func describes(m sip.Message, body []byte) {
	m.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	m.SetBody(body)
}

// exchange sends a request and waits for its final response, for 64*T1. An INVITE that was
// replied to is then cancelled and given as long again. The transaction of a 2xx to INVITE
// is left to sipgo, which calls again whenever it is repeated.
func (e *endpoint) exchange(req *sip.Request, again func()) (*sip.Response, error) {
	tx, err := e.send(req, again)
	if err != nil {
		return nil, err
	}
	limit, stopping := time.NewTimer(64*e.cfg.T1), e.stopping
	defer limit.Stop()
	provisional := false
	for {
		select {
		case res := <-tx.Responses():
			if res.IsProvisional() {
				provisional = true
				continue
			}
			if req.Method != sip.INVITE {
				tx.Terminate()
			}
			return res, nil
		case <-tx.Done():
			return nil, cmp.Or(tx.Err(), ErrEnded)
		case <-limit.C:
			if req.Method != sip.INVITE || !provisional {
				tx.Terminate()
				return nil, fmt.Errorf("%w to %s within %v", ErrNoReply, req.Method, 64*e.cfg.T1)
			}
			provisional = false
			limit.Reset(64 * e.cfg.T1)
			e.cancel(req)
		case <-stopping:
			limit.Reset(4 * e.cfg.T1)
			stopping = nil
		}
	}
}

// cancel sends CANCEL for an INVITE, with its Via, and does not wait for the answer
// (RFC 3261 section 9.1).
func (e *endpoint) cancel(invite *sip.Request, headers ...sip.Header) {
	req := sip.NewRequest(sip.CANCEL, invite.Recipient)
	req.AppendHeader(invite.Via().Clone())
	for _, name := range []string{"Max-Forwards", "From", "To", "Call-ID", "Route"} {
		sip.CopyHeaders(name, invite, req)
	}
	req.AppendHeader(&sip.CSeqHeader{SeqNo: invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	for _, h := range headers {
		req.AppendHeader(h)
	}
	req.SetBody(nil)
	req.SetTransport(invite.Transport())
	req.Laddr = invite.Laddr
	req.SetDestination(invite.Destination())
	e.wg.Go(func() { e.fire(req) })
}

// send starts a client transaction; again, if any, is called with each repeated 2xx. Dialling
// a TCP peer is bounded by writeTimeout.
func (e *endpoint) send(req *sip.Request, again func()) (*sip.ClientTx, error) {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	if err := e.reach(ctx, req); err != nil {
		return nil, err
	}
	tx, err := e.txl.NewClientTransaction(ctx, req)
	if err != nil {
		return nil, err
	}
	if again != nil {
		tx.OnRetransmission(func(*sip.Response) { again() })
	}
	if err := tx.Init(); err != nil {
		tx.Terminate()
		return nil, err
	}
	return tx, nil
}

// learn notes what a message of the other side's says of it; one that does not say changes
// nothing.
func (c *Call) learn(m sip.Message) {
	if methods := values(m, "Allow"); len(methods) > 0 {
		c.takesUpdate = slices.ContainsFunc(methods, func(m string) bool { return strings.EqualFold(m, string(sip.UPDATE)) })
	}
	c.learnInfo(m)
}

// seconds reads the number that a header's value begins with.
func seconds(value string) (time.Duration, string, bool) {
	digits, params, _ := strings.Cut(value, ";")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
	return time.Duration(n) * time.Second, params, err == nil
}
