package sip

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

// maxProofs is how often the INVITE of one call is sent with an answer to a challenge.
const maxProofs = 3

// Client places calls from one socket per transport.
type Client struct {
	ep *endpoint
}

// Outgoing is a call to place.
type Outgoing struct {
	Target   string        // "sip:NUMBER@HOST:PORT", ";transport=tcp" for TCP
	From     string        // the caller's number; default "headroom"
	FromName string        // the caller's name
	Codecs   []media.Codec // offered, the preferred one first; default PCMU, PCMA
	PTime    time.Duration // asked for, 10 to 60 ms; default 20 ms
	Patience time.Duration // for the first reply of any kind; default 64*T1, then ErrNoReply
	Keys     MediaKeys     // whether the audio is encrypted
	Login    digest.Login  // to answer a 401 or 407 with; without a name those are refusals
	Progress func(status int)
	// Progress, if set, is told each provisional response beyond 100, on the goroutine that
	// owns the call: it must not block.
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
	ptime       time.Duration
	patience    time.Duration
	login       digest.Login
	proof       sip.Header // the answer to the last challenge
	proofs      int
	tx          *sip.ClientTx
	again       chan *sip.Response
	provisional bool
	accepted    bool // a 2xx came
	ack         *sip.Request
	rejected    *RejectedError
	err         error // why the INVITE could not be sent
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
	c := &Client{ep: newEndpoint(cfg, log, nil)}
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
	if !c.ep.begin(call) {
		c.ep.forget(call)
		return nil, ErrEnded
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
	if err := sip.ParseUri(to.Target, &uri); err != nil || uri.Scheme != "sip" || uri.Host == "" {
		return nil, fmt.Errorf("sip: dial: %q is no SIP address", to.Target)
	}
	transport := strings.ToUpper(uri.UriParams.GetOr("transport", "udp"))
	bound := e.listening(transport)
	if !bound.IsValid() {
		return nil, fmt.Errorf("sip: dial: not listening on %s", transport)
	}
	peer, err := resolve(ctx, &uri)
	if err != nil {
		return nil, err
	}
	c := newCall(e)
	c.codecs = to.Codecs
	if len(c.codecs) == 0 {
		c.codecs = []media.Codec{media.PCMU, media.PCMA}
	}
	if err := validTrunks([]Trunk{{ID: to.Target, Codecs: c.codecs, MediaKeys: to.Keys}}); err != nil {
		return nil, err
	}
	c.out = &outgoing{ctx: ctx, progress: to.Progress, ptime: to.PTime, patience: to.Patience, login: to.Login, again: make(chan *sip.Response, 4)}
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
	via := netip.AddrPortFrom(e.addrFacing(peer.Addr(), bound.Addr()), bound.Port())
	c.dlg = dialog{
		callID: token(12), transport: transport, peer: peer, via: via, target: uri,
		from: sip.FromHeader{DisplayName: c.name, Address: sip.Uri{Scheme: "sip", User: c.number, Host: via.Addr().String()}},
		to:   sip.ToHeader{Address: sip.Uri{Scheme: "sip", User: uri.User, Host: uri.Host}},
	}
	c.dlg.from.Params.Add("tag", token(6))
	c.log = e.log.With("sip_call_id", c.dlg.callID)
	c.keys = keyring{policy: to.Keys, private: c.dlg.transport == "TLS"}
	e.record(c, nil)
	return c, nil
}

// resolve finds the address of a target that the operator named.
func resolve(ctx context.Context, uri *sip.Uri) (netip.AddrPort, error) {
	if ap, ok := literal(uri); ok {
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
		port = 5060
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
				c.progress(res)
			case res.IsSuccess():
				return c.accepted(res)
			case c.prove(res):
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
				c.ep.wg.Go(func() { silence.sound(c.dlg.peer) })
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
			c.declineLate(ev)
		case cmd := <-c.commands:
			cmd.reply <- reply{err: errState} // nobody has the call yet
		}
	}
}

// sendInvite starts the transaction. Every 2xx after the first reaches out.again.
func (c *Call) sendInvite() error {
	req := c.dlg.request(sip.INVITE, c.dlg.next())
	req.AppendHeader(c.dlg.contact())
	req.AppendHeader(sip.NewHeader("Allow", allow))
	req.AppendHeader(sip.NewHeader("Supported", "timer"))
	req.AppendHeader(sip.NewHeader("User-Agent", c.ep.cfg.UserAgent))
	if c.out.proof != nil {
		req.AppendHeader(c.out.proof)
	}
	req.AppendHeader(sip.NewHeader("Content-Type", "application/sdp"))
	req.SetBody(c.local.offer(c.codecs, c.out.ptime))
	c.ep.route(&c.dlg, req)
	req.SetDestination(c.dlg.peer.String())
	c.invite = req
	ctx, cancel := context.WithTimeout(c.out.ctx, c.out.patience)
	defer cancel()
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

// prove answers a challenge, if it is one that can be, for the INVITE that is to follow on the
// refused one (RFC 3261 section 22.2). A second challenge means that the password is wrong,
// unless it says that its nonce was stale.
func (c *Call) prove(res *sip.Response) bool {
	asked, answer := "WWW-Authenticate", "Authorization"
	switch {
	case c.out.login.Username == "" || c.out.proofs == maxProofs:
		return false
	case res.StatusCode == sip.StatusProxyAuthRequired:
		asked, answer = "Proxy-Authenticate", "Proxy-Authorization"
	case res.StatusCode != sip.StatusUnauthorized:
		return false
	}
	for _, h := range res.GetHeaders(asked) { // the server's order is its preference (RFC 8760 section 2.4)
		challenge, err := digest.ParseChallenge(h.Value())
		if err != nil || c.out.proofs > 0 && !challenge.Stale {
			continue
		}
		c.out.proofs++
		cred := digest.Answer(challenge, c.out.login, string(sip.INVITE), c.invite.Recipient.String(), token(8), 1)
		c.out.proof, c.out.provisional = sip.NewHeader(answer, cred.String()), false
		return true
	}
	return false
}

func (c *Call) progress(res *sip.Response) {
	c.out.provisional = true
	if res.StatusCode > 100 && c.out.progress != nil {
		c.out.progress(res.StatusCode)
	}
}

// accepted takes the first 2xx: ACK, and the answer into effect.
func (c *Call) accepted(res *sip.Response) string {
	c.out.accepted = true
	if res.To() == nil {
		return CauseBadAnswer
	}
	c.dlg.accepted(res)
	c.ep.register(c, c.dlg.id())
	c.out.ack = c.acknowledge(&c.dlg)
	if err := c.takeAnswer(res); err != nil {
		c.out.err = fmt.Errorf("sip: dial: %w", err)
		return CauseBadAnswer
	}
	return ""
}

// acknowledge sends the ACK to a 2xx, which is nobody's transaction (RFC 3261 section
// 13.2.2.4), and returns it for when the 2xx is repeated.
func (c *Call) acknowledge(d *dialog) *sip.Request {
	ack := d.request(sip.ACK, c.invite.CSeq().SeqNo)
	c.ep.route(d, ack)
	_ = c.ep.tp.WriteMsg(ack)
	return ack
}

// acceptedAgain acknowledges a repeated 2xx once more. One with another To tag is a second
// callee behind a forking proxy: it is acknowledged and sent away.
func (c *Call) acceptedAgain(res *sip.Response) {
	if res.To() == nil {
		return
	}
	if c.out.ack != nil && tagOf(res.To()) == tagOf(&c.dlg.to) {
		_ = c.ep.tp.WriteMsg(c.out.ack)
		return
	}
	fork := c.dlg
	fork.accepted(res)
	c.acknowledge(&fork)
	bye := fork.request(sip.BYE, fork.next())
	c.ep.route(&fork, bye)
	c.ep.wg.Go(func() { c.ep.fire(bye) })
}

// fire sends a request whose answer matters to nobody.
func (e *endpoint) fire(req *sip.Request) {
	tx, err := e.send(req)
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
		c.cancel()
	}
	for {
		select {
		case res := <-c.out.tx.Responses():
			switch {
			case res.IsProvisional():
				if !c.out.provisional {
					c.out.provisional = true
					c.cancel()
				}
			case res.IsSuccess() && res.To() != nil:
				c.out.accepted = true
				c.dlg.accepted(res)
				c.out.ack = c.acknowledge(&c.dlg)
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

// cancel sends CANCEL for the INVITE, with its Via, and does not wait for the answer.
func (c *Call) cancel() {
	req := sip.NewRequest(sip.CANCEL, c.invite.Recipient)
	req.AppendHeader(c.invite.Via().Clone())
	for _, name := range []string{"Max-Forwards", "From", "To", "Call-ID", "Route"} {
		sip.CopyHeaders(name, c.invite, req)
	}
	req.AppendHeader(&sip.CSeqHeader{SeqNo: c.invite.CSeq().SeqNo, MethodName: sip.CANCEL})
	req.SetBody(nil)
	req.SetTransport(c.dlg.transport)
	c.ep.route(&c.dlg, req)
	req.SetDestination(c.dlg.peer.String())
	c.ep.wg.Go(func() { c.ep.fire(req) })
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
