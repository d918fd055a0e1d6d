package sip

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// reliable is a 18x of ours that is repeated until its PRACK: after T1, then twice as long
// each time, for 64*T1 in all and over TCP too (RFC 3262 section 3).
type reliable struct {
	res      *sip.Response
	rseq     uint32
	acked    bool
	interval time.Duration
	deadline time.Time
	timer    *time.Timer
}

// alert sends 180, reliably to a caller who understands that. The first reliable answer to
// an INVITE without an offer would have to bring one (section 5), so such a caller hears of
// nothing before the 200 if it takes no other.
func (c *Call) alert() error {
	res := c.ep.response(c.invite, sip.StatusRinging, c.dlg.contact())
	last := c.reliable
	switch {
	case c.offered == nil && requires(c.invite, "100rel"):
		return nil
	case c.offered == nil || !supports(c.invite, "100rel"):
		return c.tx.Respond(res)
	case last != nil && !last.acked: // it is still being said, and no other may be (section 3)
		return nil
	}
	r := &reliable{res: res, rseq: 1 + rand.Uint32N(1<<31-1), interval: c.ep.cfg.T1,
		deadline: time.Now().Add(64 * c.ep.cfg.T1), timer: time.NewTimer(c.ep.cfg.T1)}
	if last != nil {
		r.rseq = last.rseq + 1
	}
	c.reliable = r
	res.AppendHeader(sip.NewHeader("Require", "100rel"))
	res.AppendHeader(sip.NewHeader("RSeq", strconv.FormatUint(uint64(r.rseq), 10)))
	res.AppendHeader(sip.NewHeader("Allow", allowed(c.transfers != nil)))
	return c.tx.Respond(res)
}

// due yields when it is time to say it again.
func (r *reliable) due() <-chan time.Time {
	if r == nil {
		return nil
	}
	return r.timer.C
}

// again repeats the response; false if it has been tried for long enough.
func (r *reliable) again(tx *sip.ServerTx) bool {
	left := time.Until(r.deadline)
	if left <= 0 {
		return false
	}
	_ = tx.Respond(r.res)
	r.interval *= 2
	r.timer.Reset(min(r.interval, left))
	return true
}

// stop ends the repeating: with the PRACK, or with the final response, after which the PRACK
// may still come (section 3).
func (r *reliable) stop() {
	if r != nil {
		r.timer.Stop()
	}
}

// prack takes the acknowledgement of a reliable 18x. An offer in it comes while the one of
// the INVITE is open, and is refused.
func (c *Call) prack(ev event) string {
	status := sip.StatusOK
	rack, ok := parseRAck(ev.req)
	switch r := c.reliable; {
	case !ok:
		status = sip.StatusBadRequest
	case r == nil || r.acked || rack != (rAck{r.rseq, c.invite.CSeq().SeqNo}):
		status = sip.StatusCallTransactionDoesNotExists
	default:
		r.acked = true
		r.stop()
		if len(ev.req.Body()) > 0 {
			status = sip.StatusNotAcceptableHere
		}
	}
	_ = ev.tx.Respond(c.ep.response(ev.req, status))
	return ""
}

// rAck names the response that a PRACK is for (section 7.2).
type rAck struct{ rseq, cseq uint32 }

func parseRAck(req *sip.Request) (rAck, bool) {
	v := values(req, "RAck")
	if len(v) != 1 {
		return rAck{}, false
	}
	f := strings.Fields(v[0])
	if len(f) != 3 || f[2] != string(sip.INVITE) {
		return rAck{}, false
	}
	rseq, err1 := strconv.ParseUint(f[0], 10, 32)
	cseq, err2 := strconv.ParseUint(f[1], 10, 32)
	return rAck{uint32(rseq), uint32(cseq)}, err1 == nil && err2 == nil && rseq > 0
}

// requires says that a message is not to be understood without an extension.
func requires(m sip.Message, option string) bool {
	for _, v := range values(m, "Require") {
		if strings.EqualFold(v, option) {
			return true
		}
	}
	return false
}
