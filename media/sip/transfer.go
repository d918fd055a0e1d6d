package sip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"
)

// TransferHandler is a Handler that decides about transfers, too. One that does not implement
// it has REFER refused with 405, and nobody is told that Replaces was understood.
type TransferHandler interface {
	Handler
	// Transfer takes the wish of a call's other side to have its partner connected elsewhere
	// (RFC 3515). It runs on a goroutine of its own; the wish is declined if nothing is decided
	// within 32*T1.
	Transfer(*Transfer)
}

// Transfer is a REFER. Accept or Refuse it; then tell with Progress how the new call gets on.
// Whatever comes of it, the call it came by stays until somebody hangs up. Its methods may be
// called from any goroutine, and after the end of that call.
type Transfer struct {
	call     *Call
	ref      reference
	referrer string

	// The rest belongs to the owner of call.
	ev     event
	quiet  bool // no NOTIFY is wanted (RFC 4488)
	id     string
	state  transferState
	last   int
	expiry *time.Timer // of the decision, then of the subscription
	until  time.Time
}

type transferState uint8

const (
	undecided transferState = iota
	subscribed
	told // of a final status, or that there will be none
)

// Call is the call that the REFER came by.
func (t *Transfer) Call() *Call { return t.call }

// Target is the sip, sips or tel URI to call.
func (t *Transfer) Target() string { return t.ref.target }

// ReferredBy is the other side's word on who wants it (RFC 3892); "" if it said nothing.
func (t *Transfer) ReferredBy() string { return t.referrer }

// Replaces is what the new call's INVITE is to say: an attended transfer; nil for a blind one.
func (t *Transfer) Replaces() *Replaces { return t.ref.replaces }

// Consulted is the call that Replaces names, if it is one of this endpoint's, with the same
// trunk: its other side and the partner of Call are to be connected. Else nil.
func (t *Transfer) Consulted() *Call {
	r := t.ref.replaces
	if r == nil {
		return nil
	}
	c := t.call.ep.find(dialogID{r.CallID, r.ToTag, r.FromTag})
	if c == nil { // the other side may have named it as it is seen from where the INVITE goes
		c = t.call.ep.find(dialogID{r.CallID, r.FromTag, r.ToTag})
	}
	if c == nil || c.trunk != t.call.trunk {
		return nil
	}
	return c
}

// Accept says that the new call is being made (202).
func (t *Transfer) Accept() error { return t.tell(sip.StatusAccepted) }

// Refuse declines with a status of 400 to 699; 603 says no more than no.
func (t *Transfer) Refuse(status int) error {
	if status < 400 || status > 699 {
		return fmt.Errorf("sip: refuse: %d is no refusal", status)
	}
	return t.tell(status)
}

// Progress reports the status of the new call's INVITE, 100 to 699. The first final one ends
// the reporting.
func (t *Transfer) Progress(status int) error {
	if status < 100 || status > 699 {
		return fmt.Errorf("sip: progress: %d is no status", status)
	}
	return t.put(command{op: opProgress, status: status, transfer: t})
}

func (t *Transfer) tell(status int) error {
	return t.put(command{op: opDecide, status: status, transfer: t})
}

// put is ask, but it reaches a call that is over and still owes news of the transfer.
func (t *Transfer) put(cmd command) error {
	cmd.reply = make(chan reply, 1)
	select {
	case t.call.commands <- cmd:
	case <-t.call.gone:
		return ErrEnded
	}
	return (<-cmd.reply).err
}

// referred takes a REFER within the dialog.
func (c *Call) referred(ev event) string {
	refuse := func(status int, headers ...sip.Header) string {
		_ = ev.tx.Respond(c.ep.response(ev.req, status, headers...))
		return ""
	}
	to := ev.req.GetHeaders("Refer-To")
	if len(to) == 0 {
		to = ev.req.GetHeaders("r")
	}
	switch {
	case c.transfers == nil:
		return refuse(sip.StatusMethodNotAllowed, sip.NewHeader("Allow", allow))
	case len(to) != 1: // RFC 3515 section 2.4.2
		return refuse(sip.StatusBadRequest)
	case c.transfer != nil && c.transfer.state != told:
		return refuse(sip.StatusInternalServerError, soon())
	}
	ref, err := parseReferTo(to[0].Value())
	switch {
	case errors.Is(err, errScheme):
		return refuse(416)
	case errors.Is(err, errMethod):
		return refuse(sip.StatusForbidden)
	case err != nil:
		return refuse(sip.StatusBadRequest)
	}
	t := &Transfer{call: c, ref: ref, ev: ev, expiry: time.NewTimer(32 * c.ep.cfg.T1)}
	if by := values(ev.req, "Referred-By", "b"); len(by) > 0 {
		t.referrer = clip(by[0])
		if len(t.referrer) < len(by[0]) { // half an address is none
			t.referrer = ""
		}
	}
	if sub := values(ev.req, "Refer-Sub"); len(sub) > 0 {
		word, _, _ := strings.Cut(sub[0], ";")
		t.quiet = strings.EqualFold(strings.TrimSpace(word), "false")
	}
	if c.refers++; c.refers > 1 { // RFC 3515 section 2.4.6
		t.id = fmt.Sprintf(";id=%d", ev.req.CSeq().SeqNo)
	}
	c.transfer = t
	handle := c.transfers
	c.ep.wg.Go(func() { handle(t) })
	return ""
}

// decide answers a REFER.
func (c *Call) decide(t *Transfer, status int) error {
	if t != c.transfer || t.state != undecided {
		return errState
	}
	if status != sip.StatusAccepted {
		t.close()
		_ = t.ev.tx.Respond(c.ep.response(t.ev.req, status))
		return nil
	}
	res := c.ep.response(t.ev.req, status, c.dlg.contact())
	t.state = subscribed
	t.until = time.Now().Add(c.ep.cfg.RingTimeout)
	t.expiry.Reset(c.ep.cfg.RingTimeout)
	if t.quiet {
		res.AppendHeader(sip.NewHeader("Refer-Sub", "false"))
	}
	_ = t.ev.tx.Respond(res)
	c.notify(t, sip.StatusTrying) // at once (RFC 3515 section 2.4.4)
	return nil
}

// advance reports how the new call gets on.
func (c *Call) advance(t *Transfer, status int) error {
	if t != c.transfer || t.state != subscribed {
		return errState
	}
	if status != t.last {
		c.notify(t, status)
	}
	return nil
}

// notify puts a NOTIFY in line.
func (c *Call) notify(t *Transfer, status int) {
	t.last = status
	state := fmt.Sprintf("active;expires=%d", max(1, int(time.Until(t.until)/time.Second)))
	if status >= 200 {
		t.close()
		state = "terminated;reason=noresource"
		c.transferred = c.transferred || status < 300
	}
	if t.quiet {
		return
	}
	e := &errand{method: sip.NOTIFY, spares: true}
	e.fill = func(req *sip.Request) {
		req.AppendHeader(c.dlg.contact())
		req.AppendHeader(sip.NewHeader("Event", "refer"+t.id))
		req.AppendHeader(sip.NewHeader("Subscription-State", state))
		req.AppendHeader(sip.NewHeader("Content-Type", "message/sipfrag;version=2.0"))
		req.SetBody(fmt.Appendf(nil, "SIP/2.0 %d %s\r\n", status, reason(status)))
	}
	e.done = func(res *sip.Response, err error) string {
		if err != nil || !res.IsSuccess() { // it does not listen any more (RFC 6665 section 4.2.2)
			t.quiet = true
		}
		return ""
	}
	if err := c.want(e); err != nil {
		c.log.Info("news of a transfer lost", "error", err)
	}
}

// due yields when nobody decided, or the new call took too long.
func (t *Transfer) due() <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.expiry.C
}

func (t *Transfer) close() {
	t.state = told
	t.expiry.Stop()
}

// transferDue ends a transfer that nobody brought to an end.
func (c *Call) transferDue() {
	if c.transfer.state == undecided {
		_ = c.decide(c.transfer, 603)
		return
	}
	_ = c.advance(c.transfer, sip.StatusRequestTimeout)
}

// leaving is the cause of a BYE: who has its partner connected elsewhere may go first.
func (c *Call) leaving() string {
	if c.transferred || c.transfer != nil && c.transfer.state == subscribed || c.referral != nil && c.referral.accepted {
		return CauseTransferred
	}
	return CauseRemoteBye
}

// finishTransfer tells what is still to be told of a transfer when the call is over: all of it
// to one who hung up in the middle, for the subscription is not over (RFC 5057 section 3.1);
// else only what is in line.
func (c *Call) finishTransfer() {
	t := c.transfer
	if t == nil {
		return
	}
	wait := c.cause == CauseTransferred
	if t.state == undecided {
		_ = c.decide(t, sip.StatusCallTransactionDoesNotExists)
	}
	limit, stopping := c.step(), c.ep.stopping
	defer limit.Stop()
	if wait && t.state == subscribed {
		limit.Reset(time.Until(t.until) + 64*c.ep.cfg.T1)
	}
	for wait && t.state == subscribed || len(c.errands.line) > 0 {
		c.proceed()
		select {
		case o := <-c.errands.results:
			if o.req == c.errands.underWay {
				_ = c.concluded(o)
			} else {
				c.lateResult(o)
			}
		case <-c.errands.retry.C:
			c.errands.waiting = false
		case <-t.due():
			c.transferDue()
		case cmd := <-c.commands:
			c.afterwards(cmd)
		case ev := <-c.inbox:
			c.declineLate(ev)
		case <-limit.C:
			return
		case <-stopping:
			limit.Reset(4 * c.ep.cfg.T1)
			stopping = nil
		}
	}
	t.close()
}

// afterwards does what is asked of a call that is over.
func (c *Call) afterwards(cmd command) {
	switch cmd.op {
	case opProgress:
		cmd.reply <- reply{err: c.advance(cmd.transfer, cmd.status)}
	case opDecide:
		cmd.reply <- reply{err: c.decide(cmd.transfer, cmd.status)}
	default:
		cmd.reply <- reply{err: ErrEnded}
	}
}

// replaced finds the call that an INVITE is to take over (RFC 3891 section 3), or gives the
// status to refuse it with. Who may: the trunk whose call it is.
func (e *endpoint) replaced(req *sip.Request, trunk *knownTrunk) (*Call, error) {
	headers := req.GetHeaders("Replaces")
	if len(headers) > 0 && trunk.phone != "" { // a call beside the one it names is not what the phone means
		return nil, errReplacesPhone
	}
	if len(headers) == 0 || !e.transfers {
		return nil, nil
	}
	r, err := ParseReplaces(headers[0].Value())
	if err != nil || len(headers) > 1 {
		return nil, errReplaces
	}
	c := e.find(dialogID{r.CallID, r.ToTag, r.FromTag})
	switch {
	case c == nil || c.trunk != trunk.id:
		return nil, errReplacesNobody
	case c.Ended() != "":
		return nil, errReplacesOver
	case c.isUp() && r.EarlyOnly:
		return nil, errReplacesUp
	case !c.isUp() && c.out == nil:
		return nil, errReplacesNobody
	}
	return c, nil
}

func (c *Call) isUp() bool {
	select {
	case <-c.up:
		return true
	default:
		return false
	}
}

// Replaces is the call that this one takes over (RFC 3891): answer this one, and that one is
// hung up. Whoever was connected to that is to be connected to this. Nil for most calls.
func (c *Call) Replaces() *Call { return c.replaces }

// takeOver ends the call that this one replaces.
func (c *Call) takeOver() {
	if old := c.replaces; old != nil {
		c.ep.wg.Go(func() { _, _ = old.ask(context.Background(), command{op: opReplaced}) })
	}
}
