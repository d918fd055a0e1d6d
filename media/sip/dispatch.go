package sip

import (
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// allow is what this side understands; known but refused methods get 405, others 501.
const allow = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO, PRACK, NOTIFY"

// sipVersion is the only one (RFC 3261 section 7.1).
const sipVersion = "SIP/2.0"

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
	res := e.faulty(req)
	c := e.find(dialogOf(req))
	var trunk *knownTrunk
	quiet := e.hush != nil && e.hush(req)
	if res == nil && e.admit != nil {
		trunk, res = e.admit(req, c)
	}
	switch {
	case quiet && (res == nil && trunk == nil || res != nil && res.StatusCode != sip.StatusUnauthorized):
		tx.Terminate()
		e.hangUp(source(req))
		return
	case res != nil:
		_ = tx.Respond(res)
		return
	}
	switch req.Method {
	case sip.INVITE:
		e.handleInvite(req, tx, c, trunk)
	case sip.CANCEL: // its INVITE is over or was never here (RFC 3261 section 9.2)
		_ = tx.Respond(e.refusal(req, errNoDialog))
	case sip.OPTIONS:
		e.handleOptions(req, tx, c)
	case sip.BYE, sip.UPDATE, sip.INFO, sip.PRACK, sip.NOTIFY, sip.REFER:
		if tagOf(req.To()) == "" && (req.Method == sip.NOTIFY || req.Method == sip.REFER) {
			_ = tx.Respond(e.refusal(req, errNotAllowed, sip.NewHeader("Allow", allow)))
			return
		}
		if c == nil || !c.deliver(event{req: req, tx: tx}) {
			_ = tx.Respond(e.refusal(req, errNoDialog))
		}
	case sip.REGISTER:
		_ = tx.Respond(e.handleRegister(req, trunk))
	case sip.SUBSCRIBE, sip.MESSAGE, sip.PUBLISH:
		_ = tx.Respond(e.refusal(req, errNotAllowed, sip.NewHeader("Allow", allow)))
	default:
		_ = tx.Respond(e.refusal(req, errNotKnown, sip.NewHeader("Allow", allow)))
	}
}

func (e *endpoint) handleInvite(req *sip.Request, tx *sip.ServerTx, c *Call, trunk *knownTrunk) {
	opens := tagOf(req.To()) == e.tagFor(req)
	switch {
	case c != nil && opens: // a retransmission after its transaction ended; the 200 is repeated anyway
		tx.Terminate()
	case c != nil:
		if !c.deliver(event{req: req, tx: tx}) {
			_ = tx.Respond(e.refusal(req, errNoDialog))
		}
	case opens:
		e.newCall(req, tx, trunk)
	default:
		_ = tx.Respond(e.refusal(req, errNoDialog))
	}
}

// handleOptions answers keep-alives. A draining server says so, which is how carriers
// learn to send their calls elsewhere.
func (e *endpoint) handleOptions(req *sip.Request, tx *sip.ServerTx, c *Call) {
	if hasTag := tagOf(req.To()) != ""; hasTag && c == nil {
		_ = tx.Respond(e.refusal(req, errNoDialog))
		return
	}
	if !e.healthy() && c == nil {
		_ = tx.Respond(e.refusal(req, errDraining))
		return
	}
	_ = tx.Respond(e.response(req, sip.StatusOK, sip.NewHeader("Allow", allowed(e.transfers)),
		sip.NewHeader("Accept", "application/sdp"), sip.NewHeader("Supported", e.supported())))
}

// wellFormed says that a request has what RFC 3261 section 8.1.1 asks for, once. sipgo writes
// the method in capitals, but not that in CSeq.
func wellFormed(req *sip.Request) bool {
	for _, name := range []string{"From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length"} {
		if len(req.GetHeaders(name)) > 1 { // RFC 4475 sections 3.3.8 and 3.3.9
			return false
		}
	}
	cseq := req.CSeq()
	return req.Via() != nil && req.CallID() != nil && req.From() != nil && req.To() != nil &&
		cseq != nil && strings.EqualFold(string(cseq.MethodName), string(req.Method)) && tagOf(req.From()) != ""
}

// faulty gives the refusal of a request that nobody needs to look at, or nil.
func (e *endpoint) faulty(req *sip.Request) *sip.Response {
	if req.SipVersion != sipVersion {
		return e.refusalKept(req, e.at(req), errVersion)
	}
	if !wellFormed(req) {
		return e.refusalKept(req, e.at(req), errMalformed)
	}
	if req.Method == sip.CANCEL {
		return nil // section 8.2.2.3: Require does not count for CANCEL
	}
	if s := req.Recipient.Scheme; s != "sip" && s != "sips" && s != "tel" {
		return e.refusalKept(req, e.at(req), errURIScheme)
	}
	if missing := e.unsupported(req); missing != "" {
		return e.refusalKept(req, e.at(req), errExtension, sip.NewHeader("Unsupported", missing))
	}
	return nil
}

// response starts the answer to a request.
func (e *endpoint) response(req *sip.Request, status int, headers ...sip.Header) *sip.Response {
	res := sip.NewResponseFromRequest(req, status, reason(status), nil)
	res.SipVersion = sipVersion // whatever the request speaks
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
