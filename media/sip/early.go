package sip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/emiago/sipgo/sip"
)

// Bounds on the early dialogs of one INVITE of ours, and on the reliable 18x of each.
const (
	maxForks  = 16
	maxPracks = 64
)

var errNoDescription = errors.New("no session description in it")

// early is a dialog of an INVITE of ours that was not yet answered: one for each phone that
// rings behind a forking proxy (RFC 3261 section 13.2.2.1).
type early struct {
	dlg      dialog
	rseq     uint32  // of the last reliable 18x that was taken; 0: none
	stream   *stream // what it described last
	answered bool    // reliably, so that another offer may follow
	proofs   int
	pracks   int // sent
}

// progress takes a provisional response. A reliable one is acknowledged, once and in order
// (RFC 3262 section 4). What it describes is heard from then on, whichever phone it is that
// described itself last: the 200 has the last word.
func (c *Call) progress(res *sip.Response) string {
	c.out.provisional = true
	if res.StatusCode == sip.StatusTrying {
		return ""
	}
	if f := c.fork(res); f != nil {
		rseq, reliable, inOrder := f.order(res)
		if !inOrder {
			return ""
		}
		first := f.stream == nil
		answer, err := c.preview(f, res, reliable)
		if reliable {
			c.acknowledgeEarly(f, rAck{rseq, c.invite.CSeq().SeqNo}, answer)
		}
		if err != nil {
			c.log.Info("early description not usable", "status", res.StatusCode, "error", err)
			if c.out.lateOffer && reliable { // it was the offer, and has no answer
				c.out.err = fmt.Errorf("sip: dial: %w", err)
				return CauseBadAnswer
			}
		}
		if first && f.stream != nil && c.out.earlyMedia != nil {
			c.out.earlyMedia(c.leg.Load())
		}
	}
	if c.out.progress != nil {
		c.out.progress(res.StatusCode)
	}
	return ""
}

// fork finds or makes the early dialog of a response; nil if it makes none.
func (c *Call) fork(res *sip.Response) *early {
	tag := tagOf(res.To())
	if f := c.out.early[tag]; f != nil {
		f.dlg.retarget(res)
		return f
	}
	if tag == "" || len(values(res, "Contact")) == 0 || len(c.out.early) == maxForks {
		return nil
	}
	f := &early{dlg: c.dlg}
	f.dlg.accepted(res)
	if c.out.early == nil {
		c.out.early = make(map[string]*early)
	}
	c.out.early[tag] = f
	c.ep.register(c, f.dlg.id())
	return f
}

// order says whether a response is reliable, and the one to be taken next.
func (f *early) order(res *sip.Response) (rseq uint32, reliable, inOrder bool) {
	if !requires(res, "100rel") {
		return 0, false, true
	}
	v := values(res, "RSeq")
	if len(v) != 1 {
		return 0, true, false
	}
	n, err := strconv.ParseUint(v[0], 10, 32)
	if err != nil || n == 0 || f.rseq != 0 && uint32(n) != f.rseq+1 || f.pracks == maxPracks {
		return 0, true, false
	}
	f.rseq = uint32(n)
	return f.rseq, true, true
}

// preview puts into effect what a 18x describes, if anything, and gives our answer should it
// have been an offer.
func (c *Call) preview(f *early, res *sip.Response, reliable bool) (answer []byte, err error) {
	body, ok := sdpBody(res)
	if body == nil || c.out.lateOffer && !reliable {
		if !ok || c.out.lateOffer && reliable && f.stream == nil {
			return nil, errNoDescription
		}
		return nil, nil
	}
	s, err := parseStream(body, terms{codecs: c.codecs, keys: &c.keys, soundOnly: c.keysBy == KeysInBand, answer: !c.out.lateOffer})
	if err != nil {
		return nil, err
	}
	if err := c.configure(s, !c.out.lateOffer); err != nil {
		return nil, err
	}
	if c.out.lateOffer && f.stream == nil {
		answer = c.local.answer(s)
	}
	f.stream, f.answered = s, f.answered || reliable
	return answer, nil
}

// acknowledgeEarly sends the PRACK for a reliable 18x.
func (c *Call) acknowledgeEarly(f *early, of rAck, answer []byte) {
	f.pracks++
	req := f.dlg.request(sip.PRACK, f.dlg.next())
	req.AppendHeader(sip.NewHeader("RAck", fmt.Sprintf("%d %d INVITE", of.rseq, of.cseq)))
	if answer != nil {
		describes(req, answer)
	}
	c.auth.prove(req)
	c.ep.route(&f.dlg, req)
	c.ep.wg.Go(func() { c.carry(req) })
}

// pracked takes what came of a PRACK: it is sent again if it was challenged. If it failed the
// callee will refuse the INVITE itself (RFC 3262 section 3).
func (c *Call) pracked(o result) {
	if c.out == nil || o.err != nil || o.req.Method != sip.PRACK {
		return
	}
	f := c.out.early[tagOf(o.req.To())]
	of, _ := parseRAck(o.req)
	if f == nil || f.proofs == maxProofs || !c.auth.learn(o.res) {
		return
	}
	f.proofs++
	c.acknowledgeEarly(f, of, o.req.Body())
}

// adopt makes the dialog of a 2xx the call's.
func (c *Call) adopt(res *sip.Response) *early {
	f := c.out.early[tagOf(res.To())]
	if f != nil {
		c.dlg.localSeq = max(c.dlg.localSeq, f.dlg.localSeq)
		c.dlg.remoteSeq = f.dlg.remoteSeq
	}
	c.dlg.accepted(res)
	return f
}

// settleMedia puts into effect what was agreed on by the time of a 2xx, and gives our answer
// if the offer was in that. What a reliable 18x agreed on needs no repeating (RFC 3262
// section 5); that an unreliable one is not repeated is an error that some make.
func (c *Call) settleMedia(f *early, res *sip.Response) (answer []byte, err error) {
	body, ok := sdpBody(res)
	known := f != nil && f.stream != nil
	var s *stream
	switch {
	case ok && body != nil:
		if s, err = parseStream(body, terms{codecs: c.codecs, keys: &c.keys, soundOnly: c.keysBy == KeysInBand, answer: !c.out.lateOffer}); err != nil && known && f.answered {
			s, err = f.stream, nil
		}
	case known:
		s = f.stream
	default:
		err = errNoDescription
	}
	if err != nil {
		return nil, err
	}
	if err := c.configure(s, !c.out.lateOffer); err != nil {
		return nil, err
	}
	if c.out.lateOffer && (!known || !f.answered) {
		answer = c.local.answer(s)
	}
	return answer, nil
}

// requestBeforeAnswer answers a request of a callee that has not answered yet.
func (c *Call) requestBeforeAnswer(ev event) {
	f := c.out.early[tagOf(ev.req.From())]
	switch {
	case f == nil:
		c.strange(ev)
	case f.answered:
		c.request(stateAgreed, &f.dlg, ev)
	default:
		c.request(stateDialled, &f.dlg, ev)
	}
}

// updateBeforeAnswer takes an UPDATE, which may change what a reliable 18x agreed on.
func (c *Call) updateBeforeAnswer(ev event) string {
	f := c.out.early[tagOf(ev.req.From())]
	refuse := func(status int, headers ...sip.Header) string {
		_ = ev.tx.Respond(c.ep.response(ev.req, status, headers...))
		return ""
	}
	body, isSDP := sdpBody(ev.req)
	if !isSDP {
		return refuse(sip.StatusUnsupportedMediaType, sip.NewHeader("Accept", "application/sdp"))
	}
	var answer []byte
	if body != nil {
		s, err := parseStream(body, terms{codecs: c.codecs, keys: &c.keys, soundOnly: c.keysBy == KeysInBand})
		if err == nil {
			err = c.configure(s, false)
		}
		if err != nil {
			return refuse(sip.StatusNotAcceptableHere)
		}
		f.stream, answer = s, c.local.answer(s)
	}
	f.dlg.retarget(ev.req)
	res := c.ep.response(ev.req, sip.StatusOK, f.dlg.contact(), sip.NewHeader("Allow", allowed(c.transfers != nil)))
	if answer != nil {
		describes(res, answer)
	}
	_ = ev.tx.Respond(res)
	return ""
}

// inOrder notes a request's sequence number; false if it is older than one that was seen
// (RFC 3261 section 12.2.2).
func (d *dialog) inOrder(req *sip.Request) bool {
	seq := req.CSeq().SeqNo
	if seq < d.remoteSeq {
		return false
	}
	d.remoteSeq = seq
	return true
}

// soon is when to come back, said to one whose offer crosses another (RFC 3261 section 14.2).
func soon() sip.Header { return retryAfter(time.Duration(1+rand.N(10)) * time.Second) }
