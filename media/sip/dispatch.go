package sip

import (
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// allow is what this side understands; known but refused methods get 405, others 501.
const allow = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, PRACK, NOTIFY"

// handle is called by sipgo, on a goroutine of its own, with every request that no
// transaction absorbed. Each but ACK gets a final response, here or from a call's owner:
// that is what ends the transaction.
func (e *endpoint) handle(req *sip.Request, tx *sip.ServerTx) {
	if req.Method == sip.ACK {
		defer tx.Terminate()
		if !wellFormed(req) {
			return
		}
		if c := e.find(dialogOf(req)); c != nil {
			c.deliver(event{req: req})
		}
		return
	}
	if res := e.faulty(req); res != nil {
		_ = tx.Respond(res)
		return
	}
	c := e.find(dialogOf(req))
	var trunk *knownTrunk
	if e.admit != nil {
		var refusal *sip.Response
		if trunk, refusal = e.admit(req, c); refusal != nil {
			_ = tx.Respond(refusal)
			return
		}
	}
	switch req.Method {
	case sip.INVITE:
		e.handleInvite(req, tx, c, trunk)
	case sip.CANCEL: // its INVITE is over or was never here (RFC 3261 section 9.2)
		_ = tx.Respond(e.response(req, sip.StatusCallTransactionDoesNotExists))
	case sip.OPTIONS:
		e.handleOptions(req, tx, c)
	case sip.BYE, sip.UPDATE, sip.INFO, sip.PRACK, sip.NOTIFY, sip.REFER:
		if tagOf(req.To()) == "" && (req.Method == sip.NOTIFY || req.Method == sip.REFER) {
			_ = tx.Respond(e.response(req, sip.StatusMethodNotAllowed, sip.NewHeader("Allow", allow)))
			return
		}
		if c == nil || !c.deliver(event{req: req, tx: tx}) {
			_ = tx.Respond(e.response(req, sip.StatusCallTransactionDoesNotExists))
		}
	case sip.REGISTER:
		_ = tx.Respond(e.handleRegister(req, trunk))
	case sip.SUBSCRIBE, sip.MESSAGE, sip.PUBLISH:
		_ = tx.Respond(e.response(req, sip.StatusMethodNotAllowed, sip.NewHeader("Allow", allow)))
	default:
		_ = tx.Respond(e.response(req, sip.StatusNotImplemented, sip.NewHeader("Allow", allow)))
	}
}

func (e *endpoint) handleInvite(req *sip.Request, tx *sip.ServerTx, c *Call, trunk *knownTrunk) {
	opens := tagOf(req.To()) == e.tagFor(req)
	switch {
	case c != nil && opens: // a retransmission after its transaction ended; the 200 is repeated anyway
		tx.Terminate()
	case c != nil:
		if !c.deliver(event{req: req, tx: tx}) {
			_ = tx.Respond(e.response(req, sip.StatusCallTransactionDoesNotExists))
		}
	case opens:
		e.newCall(req, tx, trunk)
	default:
		_ = tx.Respond(e.response(req, sip.StatusCallTransactionDoesNotExists))
	}
}

// handleOptions answers keep-alives. A draining server says so, which is how carriers
// learn to send their calls elsewhere.
func (e *endpoint) handleOptions(req *sip.Request, tx *sip.ServerTx, c *Call) {
	if hasTag := tagOf(req.To()) != ""; hasTag && c == nil {
		_ = tx.Respond(e.response(req, sip.StatusCallTransactionDoesNotExists))
		return
	}
	if !e.healthy() && c == nil {
		_ = tx.Respond(e.response(req, sip.StatusServiceUnavailable, retryAfter(e.cfg.RetryAfter)))
		return
	}
	_ = tx.Respond(e.response(req, sip.StatusOK, sip.NewHeader("Allow", allowed(e.transfers)),
		sip.NewHeader("Accept", "application/sdp"), sip.NewHeader("Supported", e.supported())))
}

// wellFormed says that a request has what RFC 3261 section 8.1.1 asks for, once.
func wellFormed(req *sip.Request) bool {
	for _, name := range []string{"From", "To", "Call-ID", "CSeq", "Max-Forwards"} {
		if len(req.GetHeaders(name)) > 1 { // RFC 4475 section 3.3.8
			return false
		}
	}
	cseq := req.CSeq()
	return req.Via() != nil && req.CallID() != nil && req.From() != nil && req.To() != nil &&
		cseq != nil && cseq.MethodName == req.Method && tagOf(req.From()) != ""
}

// faulty gives the refusal of a request that nobody needs to look at, or nil.
func (e *endpoint) faulty(req *sip.Request) *sip.Response {
	if req.SipVersion != "SIP/2.0" {
		return e.response(req, sip.StatusVersionNotSupported)
	}
	if !wellFormed(req) {
		return e.response(req, sip.StatusBadRequest)
	}
	if req.Method == sip.CANCEL {
		return nil // section 8.2.2.3: Require does not count for CANCEL
	}
	if s := req.Recipient.Scheme; s != "sip" && s != "sips" && s != "tel" {
		return e.response(req, 416)
	}
	if missing := e.unsupported(req); missing != "" {
		return e.response(req, sip.StatusBadExtension, sip.NewHeader("Unsupported", missing))
	}
	return nil
}

// response starts the answer to a request.
func (e *endpoint) response(req *sip.Request, status int, headers ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(req, status, reason(status), nil)
	res.SipVersion = "SIP/2.0" // whatever the request speaks
	res.AppendHeader(sip.NewHeader("Server", e.cfg.UserAgent))
	for _, h := range headers {
		res.AppendHeader(h)
	}
	return res
}

func retryAfter(d time.Duration) sip.Header {
	seconds := int((d + time.Second - 1) / time.Second)
	return sip.NewHeader("Retry-After", strconv.Itoa(max(1, seconds)))
}

// dialogOf names the dialog of a request that came in.
func dialogOf(req *sip.Request) dialogID {
	return dialogID{text(req.CallID()), tagOf(req.To()), tagOf(req.From())}
}
