package sip

import (
	"bytes"

	"github.com/emiago/sipgo/sip"
)

// state is what a call waits for, as far as it decides what a request within its dialog gets.
type state uint8

const (
	stateRinging  state = iota // the caller waits for us to answer
	stateAnswered              // our 200 waits for its ACK
	stateOffered               // so it does, and with the ACK for the answer to the offer that it brought
	stateTalking               // nobody waits
	stateChanging              // a re-INVITE of ours is under way
	stateDialled               // we wait for the callee; what it said so far binds nobody
	stateAgreed                // so we do, but it has answered our offer in a reliable 18x
	stateOver                  // we wait for an ACK or for the answer to BYE
	states
)

func (s state) String() string {
	return [states]string{"ringing", "answered", "offered", "talking", "changing", "dialled", "agreed", "over"}[s]
}

// kind is a request within a dialog. What is not here gets the same in every state: 405, or
// 501 if it is unknown; OPTIONS 200 (RFC 3261 section 11.2), CANCEL 481 if its INVITE has
// had its answer (section 9.2), and ACK nothing.
type kind uint8

const (
	kindBye kind = iota
	kindInvite
	kindUpdate      // without an offer: a session refresh, a new Contact
	kindUpdateOffer // with one
	kindInfo
	kindPrack
	kindRefer
	kindNotify
	kinds
)

func (k kind) String() string {
	return [kinds]string{"BYE", "INVITE", "UPDATE", "UPDATE with an offer", "INFO", "PRACK", "REFER", "NOTIFY"}[k]
}

func kindOf(req *sip.Request) kind {
	switch req.Method {
	case sip.BYE:
		return kindBye
	case sip.INVITE:
		return kindInvite
	case sip.UPDATE:
		if len(bytes.TrimSpace(req.Body())) > 0 {
			return kindUpdateOffer
		}
		return kindUpdate
	case sip.PRACK:
		return kindPrack
	case sip.REFER:
		return kindRefer
	case sip.NOTIFY:
		return kindNotify
	default:
		return kindInfo
	}
}

// rule is what a request gets in a state: the answer to one that is in order, says what can be
// met, and, of PRACK, REFER and NOTIFY, belongs to nothing and nobody has asked for. do gives
// that answer, and a cause if it ends the call; without it the request is refused.
type rule struct {
	status int
	do     func(*Call, event) (cause string)
	clause string // of RFC 3261 unless another is named
}

// Requests that get the same wherever a dialog stands.
var (
	ruleBye     = rule{200, (*Call).byeTaken, "15.1.2"}
	ruleInvite  = rule{200, (*Call).renegotiate, "14.2"}
	ruleUpdate  = rule{200, (*Call).renegotiate, "RFC 3311 5.2, RFC 4028 9"}
	ruleInfo    = rule{200, (*Call).answerInfo, "RFC 6086 4.2.2"}
	rulePrack   = rule{481, (*Call).prack, "RFC 3262 3"}
	ruleRefer   = rule{405, (*Call).referred, "RFC 3515 2.4.2"}
	ruleNotify  = rule{481, (*Call).notified, "RFC 6665 4.1.3"}
	ruleUnknown = rule{481, nil, "12.2.2"}
)

// stateTable says what each request gets in each state of a call.
var stateTable = [states][kinds]rule{
	stateRinging: {
		kindBye:         {200, (*Call).byeBeforeAnswer, "15.1.2: and the INVITE gets 487"},
		kindInvite:      {500, nil, "14.2: the first INVITE has no final answer yet"},
		kindUpdate:      {200, (*Call).renegotiate, "RFC 3311 5.2"},
		kindUpdateOffer: {500, nil, "RFC 3311 5.2: the offer of the INVITE is not answered yet"},
		kindInfo:        ruleInfo,
		kindPrack:       rulePrack,
		kindRefer:       {500, nil, "14.2, by analogy: nobody is there to be connected elsewhere yet"},
		kindNotify:      ruleNotify,
	},
	stateAnswered: {kindBye: ruleBye, kindInvite: ruleInvite, kindUpdate: ruleUpdate, kindUpdateOffer: ruleUpdate,
		kindInfo: ruleInfo, kindPrack: rulePrack, kindRefer: ruleRefer, kindNotify: ruleNotify},
	stateOffered: {
		kindBye:         ruleBye,
		kindInvite:      {491, nil, "14.2: our offer is open"},
		kindUpdate:      ruleUpdate,
		kindUpdateOffer: {491, nil, "RFC 3311 5.2: our offer is open"},
		kindInfo:        ruleInfo, kindPrack: rulePrack, kindRefer: ruleRefer, kindNotify: ruleNotify,
	},
	stateTalking: {kindBye: ruleBye, kindInvite: ruleInvite, kindUpdate: ruleUpdate, kindUpdateOffer: ruleUpdate,
		kindInfo: ruleInfo, kindPrack: rulePrack, kindRefer: ruleRefer, kindNotify: ruleNotify},
	stateChanging: {
		kindBye:         ruleBye,
		kindInvite:      {491, nil, "14.2: glare"},
		kindUpdate:      ruleUpdate,
		kindUpdateOffer: {491, nil, "RFC 3311 5.2: glare"},
		kindInfo:        ruleInfo, kindPrack: rulePrack, kindRefer: ruleRefer, kindNotify: ruleNotify,
	},
	stateDialled: {
		kindBye:         {481, nil, "15: a callee has nothing to hang up before it has answered"},
		kindInvite:      {491, nil, "14.2: our INVITE is open"},
		kindUpdate:      {200, (*Call).updateBeforeAnswer, "RFC 3311 5.2"},
		kindUpdateOffer: {491, nil, "RFC 3311 5.2: our offer is open"},
		kindInfo:        ruleInfo,
		kindPrack:       rulePrack,
		kindRefer:       {500, nil, "14.2, by analogy: not connected yet"},
		kindNotify:      ruleNotify,
	},
	stateAgreed: {
		kindBye:         {481, nil, "15: a callee has nothing to hang up before it has answered"},
		kindInvite:      {491, nil, "14.2: our INVITE is open"},
		kindUpdate:      {200, (*Call).updateBeforeAnswer, "RFC 3311 5.2"},
		kindUpdateOffer: {200, (*Call).updateBeforeAnswer, "RFC 3311 5.2"},
		kindInfo:        ruleInfo,
		kindPrack:       rulePrack,
		kindRefer:       {500, nil, "14.2, by analogy: not connected yet"},
		kindNotify:      ruleNotify,
	},
	stateOver: {kindBye: {200, nil, "15.1.2: BYEs that cross"}, kindInvite: ruleUnknown, kindUpdate: ruleUnknown, kindUpdateOffer: ruleUnknown,
		kindInfo: ruleUnknown, kindPrack: ruleUnknown, kindRefer: ruleUnknown, kindNotify: ruleUnknown},
}

// state is where an answered call stands.
func (c *Call) state() state {
	switch {
	case c.lateOffer:
		return stateOffered
	case c.offering():
		return stateChanging
	case c.unacked != nil:
		return stateAnswered
	default:
		return stateTalking
	}
}

// request answers a request within a dialog as the table says. One that is older than another
// was is out of order (section 12.2.2), but whoever hangs up need not count.
func (c *Call) request(s state, d *dialog, ev event) string {
	if ev.tx == nil {
		return c.acknowledged(ev.req)
	}
	k := kindOf(ev.req)
	r := stateTable[s][k]
	switch {
	case k != kindBye && !d.inOrder(ev.req):
		_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusInternalServerError))
	case r.do != nil:
		c.learn(ev.req)
		return r.do(c, ev)
	case r.status == sip.StatusInternalServerError:
		_ = ev.tx.Respond(c.ep.response(ev.req, r.status, soon()))
	default:
		_ = ev.tx.Respond(c.ep.response(ev.req, r.status))
	}
	return ""
}

// byeTaken ends the answered call.
func (c *Call) byeTaken(ev event) string {
	_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusOK))
	return c.leaving()
}

// byeBeforeAnswer ends the call of one who does not wait for the answer.
func (c *Call) byeBeforeAnswer(ev event) string {
	_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusOK))
	c.refuse(sip.StatusRequestTerminated, 0)
	return CauseRemoteBye
}

// strange refuses a request of an early dialog that was not the one to be answered, or of one
// that we know too little of.
func (c *Call) strange(ev event) {
	if ev.tx != nil {
		_ = ev.tx.Respond(c.ep.response(ev.req, sip.StatusCallTransactionDoesNotExists))
	}
}
