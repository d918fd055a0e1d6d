package sip

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// maxProofs is how often the INVITE of one call is sent with an answer to a challenge.
const maxProofs = 3

// Client places calls from one socket per transport.
type Client struct {
	ep *endpoint
}

// Outgoing is a call to place.
type Outgoing struct {
	Target   string        // "sip:NUMBER@HOST:PORT", ";transport=tcp" for TCP, "sips:" or ";transport=tls" for TLS
	Via      locate.Target // where to send it; the zero value finds the first address of Target's host
	From     string        // the caller's number; default "headroom"
	FromName string        // the caller's name
	Codecs   []media.Codec // offered, the preferred one first; default PCMU, PCMA
	PTime    time.Duration // asked for, 10 to 60 ms; default 20 ms
	Patience time.Duration // for the first reply of any kind; default 64*T1, then ErrNoReply
	Keys     MediaKeys     // whether the audio is encrypted
	KeysBy   KeysBy        // how the callee is sent the keys of a telephone
	Login    digest.Login  // to answer a 401 or 407 with; without a name those are refusals
	Trunk    string        // whose call it is: counted against its limits, shown as Call.Trunk
	Domain   string        // of the caller's address; default this side's address
	Phone    string        // the user whose phone is called, in place of Trunk
	Headers  []Header      // more of them, such as P-Asserted-Identity
	Progress func(status int)
	// Progress, if set, is told each provisional response beyond 100, on the goroutine that
	// owns the call: it must not block.
	EarlyMedia func(media.Leg)
	// EarlyMedia, if set, is told the leg as soon as the callee may be heard before it has
	// answered, and again for each other phone of a forked call. It must not block either.
	LateOffer bool // leave the offer to the callee, and answer it in PRACK or ACK

	Placed func(*Call) // if set, is told the call as it begins, before Dial returns; it must not block
	Urgent bool        // an emergency: the limits of its trunk do not count

	Transfer   func(*Transfer) // as TransferHandler has it; nil: the server's handler decides, if it is one, else it is refused
	Replaces   *Replaces       // the callee's dialog that this call is to take over (RFC 3891)
	ReferredBy string          // on whose behalf (RFC 3892): Transfer.ReferredBy
}

// RejectedError is a callee's refusal.
type RejectedError struct {
	Status     int
	Reason     string
	RetryAfter time.Duration // zero if not said
}

func (e *RejectedError) Error() string { return fmt.Sprintf("sip: %d %s", e.Status, e.Reason) }

// outgoing is what only a call that this side placed has.
type outgoing struct {
	ctx         context.Context // of Dial: its end cancels the call before the answer
	progress    func(int)
	earlyMedia  func(media.Leg)
	lateOffer   bool
	urgent      bool
	replaces    *Replaces
	referredBy  string
	early       map[string]*early // by To tag
	ptime       time.Duration
	patience    time.Duration
	proofs      int
	headers     []Header
	tx          *sip.ClientTx
	again       chan *sip.Response
	provisional bool
	accepted    bool // a 2xx came
	ack         *sip.Request
	rejected    *RejectedError
	err         error // why the INVITE could not be sent
}

// ErrElsewhere is a cause for the end of Dial's context: somebody else has answered, and
// the phone is told so, which keeps it from showing a missed call (RFC 3326).
var ErrElsewhere = errors.New("sip: answered elsewhere")

// why is the reason that a CANCEL gives, if it gives one.
func (o *outgoing) why() []sip.Header {
	if context.Cause(o.ctx) != ErrElsewhere { //nolint:errorlint // the cause itself, as it was given
		return nil
	}
	return []sip.Header{sip.NewHeader("Reason", `SIP;cause=200;text="Call completed elsewhere"`)}
}

// repeated yields further 2xx responses to the INVITE; never for an inbound call.
func (o *outgoing) repeated() <-chan *sip.Response {
	if o == nil {
		return nil
	}
	return o.again
}

// NewClient checks cfg, of which Trunks, RetryAfter and Refusals do not matter, and
// starts nothing; a nil logger discards. Of UDP and TCP, name the local addresses of the
// transports to be used, such as "127.0.0.1:0".
func NewClient(cfg Config, log *slog.Logger) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ep, err := newEndpoint(cfg, log, nil)
	if err != nil {
		return nil, err
	}
	c := &Client{ep: ep}
	c.ep.newCall = func(req *sip.Request, tx *sip.ServerTx, _ *knownTrunk) {
		_ = tx.Respond(c.ep.response(req, sip.StatusTemporarilyUnavailable))
	}
	c.ep.healthy = func() bool { return true }
	c.ep.mayReach = func(netip.Addr) bool { return true }
	return c, nil
}

// Listen opens the sockets; Dial works from then on, provided that Run follows.
func (c *Client) Listen(ctx context.Context) error { return c.ep.listen(ctx) }

// Run serves the sockets until ctx ends; then it ends the calls that are left and returns
// when they are gone. It runs once.
func (c *Client) Run(ctx context.Context) error {
	if err := c.ep.listen(ctx); err != nil {
		return err
	}
	return c.ep.serve(ctx, nil)
}

// Dial places a call and returns when it is answered. A refusal is a *RejectedError. If ctx
// ends before the answer the call is cancelled; afterwards ctx does not matter.
func (c *Client) Dial(ctx context.Context, to Outgoing) (*Call, error) {
	call, err := c.ep.outbound(ctx, to)
	if err != nil {
		return nil, err
	}
	if err := c.ep.launch(call); err != nil {
		c.ep.forget(call)
		return nil, err
	}
	if to.Placed != nil {
		to.Placed(call)
	}
	select {
	case <-call.up:
		return call, nil
	case <-call.done:
	}
	switch o := call.out; {
	case o.rejected != nil:
		return nil, o.rejected
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case o.err != nil:
		return nil, o.err
	default:
		return nil, fmt.Errorf("%w: %s", ErrEnded, call.cause)
	}
}

// outbound makes a Call of a target; nothing is sent yet.
func (e *endpoint) outbound(ctx context.Context, to Outgoing) (*Call, error) {
	var uri sip.Uri
	if err := sip.ParseUri(to.Target, &uri); err != nil || uri.Scheme != "sip" && uri.Scheme != "sips" || uri.Host == "" {
		return nil, fmt.Errorf("sip: dial: %q is no SIP address", to.Target)
	}
	hop, err := e.hop(ctx, &uri, to.Via)
	if err != nil {
		return nil, err
	}
	made, cancel := context.WithTimeout(ctx, cmp.Or(to.Patience, 64*e.cfg.T1))
	defer cancel()
	via, err := e.sentBy(made, hop)
	if err != nil {
		return nil, fmt.Errorf("sip: dial: %w", err)
	}
	c := newCall(e)
	c.trunk, c.phone = to.Trunk, to.Phone
	if to.Phone != "" {
		c.trunk = phonePrefix + to.Phone
	}
	c.codecs = to.Codecs
	if len(c.codecs) == 0 {
		c.codecs = []media.Codec{media.PCMU, media.PCMA}
	}
	if err := validTrunks([]Trunk{{ID: to.Target, Codecs: c.codecs, MediaKeys: to.Keys, KeysBy: to.KeysBy}}); err != nil {
		return nil, err
	}
	c.auth.login, c.offers, c.transfers = to.Login, c.codecs, to.Transfer
	c.keysBy = to.KeysBy
	if c.transfers == nil {
		c.transfers = e.transfer
	}
	if err := to.sayable(); err != nil {
		return nil, err
	}
	if strings.ContainsFunc(to.ReferredBy, unicode.IsControl) || to.Replaces != nil && strings.ContainsFunc(to.Replaces.String(), unicode.IsControl) {
		return nil, errors.New("sip: dial: a control character in a header")
	}
	c.out = &outgoing{ctx: ctx, progress: to.Progress, earlyMedia: to.EarlyMedia, lateOffer: to.LateOffer, urgent: to.Urgent, replaces: to.Replaces, referredBy: to.ReferredBy, ptime: to.PTime, patience: to.Patience, again: make(chan *sip.Response, 4), headers: to.Headers}
	if c.out.patience <= 0 {
		c.out.patience = 64 * e.cfg.T1
	}
	if c.out.ptime == 0 {
		c.out.ptime = defaultPacketTime
	}
	if c.number, c.name = to.From, to.FromName; c.number == "" {
		c.number = "headroom"
	}
	c.to = userOf(&uri)
	c.dlg = dialog{
		callID: token(12), transport: hop.Transport, peer: hop.Addr, via: via, target: uri, server: hop.Host,
		from: sip.FromHeader{DisplayName: c.name, Address: sip.Uri{Scheme: "sip", User: c.number, Host: cmp.Or(to.Domain, via.Addr().String())}},
		to:   sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: uri.User, Host: uri.Host}},
	}
	c.dlg.from.Params.Add("tag", token(6))
	c.log = e.log.With("sip_call_id", c.dlg.callID)
	c.keys = keyring{policy: to.Keys, private: c.dlg.transport == "TLS"}
	e.record(c, nil)
	return c, nil
}

// resolve finds the address of a target that the operator named.
func resolve(ctx context.Context, uri *sip.Uri, transport string) (netip.AddrPort, error) {
	if ap, ok := literal(uri); ok {
		if uri.Port == 0 {
			ap = netip.AddrPortFrom(ap.Addr(), uint16(sip.DefaultPort(transport)))
		}
		return ap, nil
	}
	addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", uri.Host)
	if err != nil || len(addrs) == 0 {
		return netip.AddrPort{}, fmt.Errorf("sip: dial: %w", err)
	}
	for _, a := range addrs { // "localhost" should be the address everybody means
		if a.Unmap().Is4() {
			addrs[0] = a
			break
		}
	}
	port := uri.Port
	if port <= 0 || port > 65535 {
		port = sip.DefaultPort(transport)
	}
	return netip.AddrPortFrom(addrs[0].Unmap(), uint16(port)), nil
}

// dial is the outbound call before its answer. It returns "" once answered.
func (c *Call) dial() string {
	session, err := c.openMedia()
	if err != nil {
		c.out.err = err
		return CauseNoPorts
	}
	c.runMedia(session)
	if err := c.sendInvite(); err != nil {
		c.out.err = undelivered(&c.dlg, err)
		return CauseTransport
	}
	silence := newSilence(c.ep.cfg.T1, c.out.patience)
	defer func() { silence.end() }()
	deadline := time.NewTimer(c.ep.cfg.RingTimeout)
	defer deadline.Stop()
	for {
		select {
		case res := <-c.out.tx.Responses():
			silence.end()
			switch {
			case res.IsProvisional():
				if cause := c.progress(res); cause != "" {
					return cause
				}
			case res.IsSuccess():
				return c.accepted(res)
			case c.prove(res), res.StatusCode == statusIntervalTooSmall && c.session.raise(res):
				c.out.provisional = false
				if err := c.sendInvite(); err != nil {
					c.out.err = undelivered(&c.dlg, err)
					return CauseTransport
				}
				silence = newSilence(c.ep.cfg.T1, c.out.patience)
			default:
				c.out.rejected = rejection(res)
				return CauseRejected
			}
		case <-c.out.tx.Done():
			c.out.err = undelivered(&c.dlg, cmp.Or(c.out.tx.Err(), ErrEnded))
			return CauseTransport
		case <-silence.first.C:
			if c.dlg.transport == "UDP" {
				this, peer := silence, c.dlg.peer // another INVITE has another silence
				c.ep.wg.Go(func() { this.sound(peer) })
			}
		case c.out.err = <-silence.fate:
			return CauseTransport
		case <-silence.last.C:
			c.out.err = fmt.Errorf("%w from %s over %s within %v", ErrNoReply, c.dlg.peer, c.dlg.transport, c.out.patience)
			return CauseNoAnswer // a reply that comes late is met with CANCEL
		case <-c.out.ctx.Done():
			return CauseLocal
		case <-deadline.C:
			return CauseNoAnswer
		case <-c.ep.stopping:
			return CauseShutdown
		case ev := <-c.inbox:
			c.requestBeforeAnswer(ev)
		case o := <-c.errands.results:
			c.pracked(o)
		case cmd := <-c.commands:
			if cmd.op == opReplaced {
				cmd.reply <- reply{}
				return CauseReplaced
			}
			cmd.reply <- reply{err: errState} // nobody has the call yet
		}
	}
}

// sendInvite starts the transaction. Every 2xx after the first reaches out.again.
func (c *Call) sendInvite() error {
	req := c.dlg.request(sip.INVITE, c.dlg.next())
	c.complete(req)
	if c.out.replaces != nil {
		req.AppendHeader(sip.NewHeader("Replaces", c.out.replaces.String()))
		req.AppendHeader(sip.NewHeader("Require", "replaces"))
	}
	if c.out.referredBy != "" {
		req.AppendHeader(sip.NewHeader("Referred-By", c.out.referredBy))
	}
	c.auth.prove(req)
	for _, h := range c.out.headers {
		req.AppendHeader(sip.NewHeader(h.Name, h.Value))
	}
	if !c.out.lateOffer {
		describes(req, c.local.offer(c.codecs, c.out.ptime))
	}
	c.out.early = nil
	c.ep.route(&c.dlg, req)
	req.SetDestination(c.dlg.peer.String())
	c.invite = req
	ctx, cancel := context.WithTimeout(c.out.ctx, c.out.patience)
	defer cancel()
	if err := c.ep.reach(ctx, req); err != nil {
		return err
	}
	tx, err := c.ep.txl.NewClientTransaction(ctx, req)
	if err != nil {
		return err
	}
	c.out.tx = tx
	again := c.out.again
	tx.OnRetransmission(func(res *sip.Response) {
		select {
		case again <- res:
		default:
		}
	})
	return tx.Init()
}

// prove takes a challenge, if it is one that can be answered, for the INVITE that is to follow
// on the refused one (RFC 3261 section 22.2).
func (c *Call) prove(res *sip.Response) bool {
	if c.out.proofs == maxProofs || !c.auth.learn(res) {
		return false
	}
	c.out.proofs++
	return true
}

// accepted takes the first 2xx: ACK, and the answer into effect.
func (c *Call) accepted(res *sip.Response) string {
	c.out.accepted = true
	if res.To() == nil {
		return CauseBadAnswer
	}
	f := c.adopt(res)
	c.learn(res)
	c.session.accepted(res)
	c.ep.register(c, c.dlg.id())
	answer, err := c.settleMedia(f, res)
	c.out.ack = c.ep.acknowledge(&c.dlg, c.invite, answer)
	if err != nil {
		c.out.err = fmt.Errorf("sip: dial: %w", err)
		return CauseBadAnswer
	}
	return ""
}

// acceptedAgain acknowledges a repeated 2xx once more. One with another To tag is a second
// callee behind a forking proxy: it is acknowledged and sent away.
func (c *Call) acceptedAgain(res *sip.Response) {
	if res.To() == nil {
		return
	}
	if c.out.ack != nil && tagOf(res.To()) == tagOf(&c.dlg.to) {
		c.ep.post(c.out.ack)
		return
	}
	fork := c.dlg
	fork.accepted(res)
	c.ep.acknowledge(&fork, c.invite, nil)
	bye := fork.request(sip.BYE, fork.next())
	c.ep.route(&fork, bye)
	c.ep.wg.Go(func() { c.ep.fire(bye) })
}

// fire sends a request whose answer matters to nobody.
func (e *endpoint) fire(req *sip.Request) {
	tx, err := e.send(req, nil)
	if err != nil {
		return
	}
	defer tx.Terminate()
	limit := time.NewTimer(4 * e.cfg.T1)
	defer limit.Stop()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return
			}
		case <-tx.Done():
			return
		case <-limit.C:
			return
		}
	}
}

// abandon ends an INVITE without an answer: CANCEL as soon as the callee has shown itself
// (RFC 3261 section 9.1), and BYE if its 200 crossed that. A refused transaction is left to
// sipgo, which acknowledges the refusal as often as it is repeated.
func (c *Call) abandon() {
	switch {
	case c.out.tx == nil || c.cause == CauseRejected:
		return
	case c.cause == CauseTransport:
		c.out.tx.Terminate()
		return
	}
	limit, stopping := c.step(), c.ep.stopping
	defer limit.Stop()
	if c.out.provisional {
		c.ep.cancel(c.invite, c.out.why()...)
	}
	for {
		select {
		case res := <-c.out.tx.Responses():
			switch {
			case res.IsProvisional():
				if !c.out.provisional {
					c.out.provisional = true
					c.ep.cancel(c.invite, c.out.why()...)
				}
			case res.IsSuccess() && res.To() != nil:
				c.out.accepted = true
				c.adopt(res)
				c.out.ack = c.ep.acknowledge(&c.dlg, c.invite, nil)
				c.bye(&c.dlg)
				return
			default:
				return
			}
		case <-c.out.tx.Done():
			return
		case <-limit.C:
			return
		case <-stopping:
			limit.Reset(4 * c.ep.cfg.T1)
			stopping = nil
		}
	}
}

func rejection(res *sip.Response) *RejectedError {
	e := &RejectedError{Status: res.StatusCode, Reason: clip(res.Reason)}
	if v := values(res, "Retry-After"); len(v) > 0 {
		digits, _, _ := strings.Cut(v[0], ";")
		digits, _, _ = strings.Cut(digits, "(")
		if n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 20); err == nil {
			e.RetryAfter = time.Duration(n) * time.Second
		}
	}
	return e
}
