package sip

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip/ladder"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// What ended a call: the values of Call.Ended.
const (
	CauseRemoteBye      = "remote_bye"      // the other side hung up
	CauseLocal          = "local"           // Hangup
	CauseCancelled      = "cancelled"       // the caller gave up before the answer
	CauseRejected       = "rejected"        // Reject, or the callee refused
	CauseNoAnswer       = "no_answer"       // nobody decided within RingTimeout
	CauseAckTimeout     = "ack_timeout"     // the answer was never acknowledged
	CauseMediaTimeout   = "media_timeout"   // no sign of life for MediaTimeout while talking, or HoldTimeout
	CauseBadAnswer      = "bad_answer"      // the other side's answer could not be used
	CauseNoPorts        = "no_ports"        // no RTP port was free
	CauseSessionExpired = "session_expired" // the session timer ran out: the other side, or its refusals, did not refresh it
	CauseTransferred    = "transferred"     // the other side hung up after, or in the middle of, a transfer
	CauseReplaced       = "replaced"        // another call took its place (RFC 3891)
	CauseDialogLost     = "dialog_lost"     // the other side did not answer a request within the call, or knew it no longer
	CauseTransport      = "transport"       // the message could not be delivered
	CauseShutdown       = "shutdown"        // this side stopped
)

// ErrEnded is returned by what needs a live call.
var ErrEnded = errors.New("sip: the call has ended")

// errState is returned by commands that do not fit the call's state.
var errState = errors.New("sip: not in this state of the call")

// Call is one dialog over a trunk. Its methods may be called from any goroutine.
type Call struct {
	ep           *endpoint
	log          *slog.Logger
	trunk        string
	number, name string // of the caller
	to           string
	identity     Identity        // inbound only
	codecs       []media.Codec   // allowed, the preferred one first
	handler      Handler         // inbound only
	transfers    func(*Transfer) // nil: REFER is refused
	replaces     *Call           // that this one takes over
	out          *outgoing       // outbound only

	commands chan command
	inbox    chan event // unbuffered: what is taken is answered
	digits   chan rune
	up       chan struct{} // closed when answered
	done     chan struct{} // closed when over; cause is valid then
	gone     chan struct{} // closed when nothing more is owed to the other side
	cause    string
	leg      atomic.Pointer[rtp.Session]
	keysBy   KeysBy            // Trunk.KeysBy, Outgoing.KeysBy
	presses  presses           // what came in
	informs  informs           // what goes out by INFO
	phone    string            // of a user's phone, the user
	at       registrar.Binding // of that phone
	holds    chan bool         // see Holds

	ids      []dialogID // guarded by ep.mu
	inviteID inviteID   // guarded by ep.mu

	counted   bool // against its trunk's limits; guarded by ep.mu
	expecting bool // its peer is let through before there is a dialog; guarded by ep.mu

	// The rest belongs to the owner, run.
	auth        credentials
	session     sessionTimer
	errands     errands
	takesUpdate bool          // the other side says that it does
	offers      []media.Codec // what re-INVITEs of ours offer
	transfer    *Transfer     // the last REFER of the other side
	refers      int           // of its
	referral    *referral     // ours, until its outcome is known
	transferred bool          // a transfer has succeeded
	dlg         dialog
	invite      *sip.Request
	tx          *sip.ServerTx
	cancelled   chan struct{}
	offered     *stream // what the other side described last; nil before a late offer's answer
	local       local
	reliable    *reliable     // our 18x that waits, or waited, for its PRACK
	unacked     *unacked      // a 200 to an INVITE that waits for its ACK
	late        chan reply    // an Answer that waits for the answer in an ACK
	lateOffer   bool          // the unacked 200 carried our offer
	media       chan struct{} // closed when the session has ended
	stopMedia   context.CancelFunc
	timeout     *time.Timer // of media
	mediaSince  time.Time   // when the media clock last started: answer, hold or unhold
	keys        keyring
	mediaCause  string         // why media was closed; valid then
	ladder      *ladder.Ladder // set before the call begins
}

// event is a request within the dialog; tx is nil for an ACK.
type event struct {
	req *sip.Request
	tx  *sip.ServerTx
}

func newCall(ep *endpoint) *Call {
	return &Call{
		ep: ep, log: ep.log,
		commands: make(chan command), inbox: make(chan event), digits: make(chan rune, 32), informs: newInforms(), holds: make(chan bool, 1),
		up: make(chan struct{}), done: make(chan struct{}), gone: make(chan struct{}),
		cancelled: make(chan struct{}, 1),
		timeout:   stoppedTimer(),
		session:   newSessionTimer(ep), errands: newErrands(),
	}
}

// ID is the SIP Call-ID: the caller's word, not unique for ever.
func (c *Call) ID() string { return c.dlg.callID }

// Trunk is the ID of the trunk that the call came by, or was placed through; "" if none.
func (c *Call) Trunk() string { return c.trunk }

// From is the caller's number and name as the trunk asserts them, else as the caller says.
func (c *Call) From() (number, name string) { return c.number, c.name }

// To is the number called, from the request line.
func (c *Call) To() string { return c.to }

// Identity is who calls in full; of an outbound call it is empty.
func (c *Call) Identity() Identity { return c.identity }

// Digits yields the keys pressed (RFC 4733, INFO, or tones where neither is agreed on), each once. Keys nobody takes are lost beyond 32. It is
// never closed; Done tells the end.
func (c *Call) Digits() <-chan rune { return c.digits }

// Done is closed when the call is over; Ended then says how.
func (c *Call) Done() <-chan struct{} { return c.done }

// Gone is closed when, after Done, nothing more is owed to the other side: a BYE of ours was
// answered, say, or never will be. The call's Ladder is whole then.
func (c *Call) Gone() <-chan struct{} { return c.gone }

// Ended is the cause, one of the Cause constants; "" before Done.
func (c *Call) Ended() string {
	select {
	case <-c.done:
		return c.cause
	default:
		return ""
	}
}

// Leg is the call's audio; nil until answered.
func (c *Call) Leg() media.Leg {
	if l := c.leg.Load(); l != nil {
		return l
	}
	return nil
}

// Ring tells the caller that somebody is being alerted (180).
func (c *Call) Ring() error {
	_, err := c.ask(context.Background(), command{op: opRing})
	return err
}

// Answer accepts the call. It returns when audio can flow: at once, or for a caller that
// made no offer when its answer has come.
func (c *Call) Answer(ctx context.Context) (media.Leg, error) {
	r, err := c.ask(ctx, command{op: opAnswer})
	return r.leg, err
}

// Reject refuses a call that was not answered with a final status, 300 to 699; Retry-After
// is left out when zero.
func (c *Call) Reject(status int, retryAfter time.Duration) error {
	if status < 300 || status > 699 {
		return fmt.Errorf("sip: reject: %d is no refusal", status)
	}
	_, err := c.ask(context.Background(), command{op: opReject, status: status, retryAfter: retryAfter})
	return err
}

// Hangup ends the call: BYE, CANCEL or 480 as its state asks for. Done closes at once;
// Hangup returns when the other side has agreed, has failed to, or ctx ends. It is not an
// error to hang up a call that is over.
func (c *Call) Hangup(ctx context.Context) error {
	_, err := c.ask(ctx, command{op: opHangup})
	if err != nil && !errors.Is(err, ErrEnded) {
		return err
	}
	select {
	case <-c.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// deliver hands a request to the owner; false if the call is gone.
func (c *Call) deliver(ev event) bool {
	select {
	case c.inbox <- ev:
		return true
	case <-c.gone:
		return false
	}
}

// run owns the call from its INVITE to its last message.
func (c *Call) run() {
	var cause string
	if c.out != nil {
		cause = c.dial()
	} else {
		cause = c.ring()
	}
	if cause == "" {
		close(c.up)
		cause = c.talk()
	}
	c.over(cause)
	c.settle()
	c.ep.forget(c)
	close(c.gone)
}

// talk is the answered call, until a cause to end it.
func (c *Call) talk() string {
	c.startMediaClock()
	for {
		c.proceed()
		var cause string
		select {
		case ack := <-c.unacked.acks():
			cause = c.acknowledged(ack)
		case <-c.unacked.due():
			if !c.unacked.again() {
				cause = CauseAckTimeout
			}
		case <-c.timeout.C:
			cause = c.checkMedia()
		case <-c.media:
			cause = c.mediaCause
		case <-c.ep.stopping:
			cause = CauseShutdown
		case ev := <-c.inbox:
			if c.out != nil && tagOf(ev.req.From()) != tagOf(&c.dlg.to) { // another phone's that rang, too
				c.strange(ev)
				break
			}
			cause = c.request(c.state(), &c.dlg, ev)
		case res := <-c.out.repeated():
			c.acceptedAgain(res)
		case <-c.session.timer.C:
			cause = c.sessionDue()
		case o := <-c.errands.results:
			cause = c.concluded(o)
		case req := <-c.errands.repeats:
			c.ackAgain(req)
		case <-c.errands.retry.C:
			c.errands.waiting = false
		case <-c.transfer.due():
			c.transferDue()
		case <-c.referral.due():
			c.referredTo(errUntold)
		case cmd := <-c.commands:
			cause = c.command(cmd)
		case key := <-c.informs.due:
			c.inform(key)
		}
		if cause != "" {
			return cause
		}
	}
}

// over is the call's end for everybody but the signalling.
func (c *Call) over(cause string) {
	c.cause = cause
	c.timeout.Stop()
	c.session.timer.Stop()
	if c.stopMedia != nil {
		c.stopMedia()
		<-c.media
	}
	c.ep.mu.Lock()
	c.ep.uncount(c)
	c.ep.mu.Unlock()
	close(c.done)
	c.forgetKeys()
	c.leftBehind(cause)
	c.dropErrands()
	if c.late != nil {
		c.late <- reply{err: ErrEnded}
		c.late = nil
	}
	c.log.Info("call over", "cause", cause, "encryption", c.Encryption())
}

// openMedia takes ports for the call. The session runs once configured.
func (c *Call) openMedia() (*rtp.Session, error) {
	s, err := rtp.Open(c.ep.cfg.Ports)
	if err != nil {
		return nil, err
	}
	s.OnDigit(func(key rune) { c.keyHeard(s, key) })
	c.local = local{keys: &c.keys, soundOnly: c.keysBy == KeysInBand,
		session: uint64(time.Now().UnixMilli()), version: 1, port: s.LocalPort(),
		addr: c.ep.addrFacing(c.dlg.peer.Addr(), c.ep.cfg.Ports.Addr()),
	}
	return s, nil
}

// runMedia starts receiving.
func (c *Call) runMedia(s *rtp.Session) {
	ctx, cancel := context.WithCancel(context.Background())
	c.stopMedia, c.media = cancel, make(chan struct{})
	ended := c.media
	c.leg.Store(s)
	c.ep.wg.Go(func() {
		defer close(ended)
		c.mediaCause = CauseTransport
		if err := s.Run(ctx); err != nil && ctx.Err() == nil {
			c.mediaCause = mediaCause(err)
			c.log.Warn("media ended", "error", err)
		}
	})
}

// configure puts what was agreed on into effect: of an offer the codec that we answered
// with; of an answer to ours every codec in it, for the party may send any of them at any
// time (RFC 3264 section 6.1).
func (c *Call) configure(s *stream, isAnswer bool) error {
	l := c.leg.Load()
	formats := s.formats
	if !isAnswer {
		formats = formats[:1]
	}
	p := rtp.Params{
		Remote: s.remote, PayloadTypes: make(map[media.Codec]uint8, len(formats)),
		PTime: s.packetTime, Quiet: s.held(), RemoteRTCP: s.rtcp, Mux: s.mux,
	}
	for _, f := range formats {
		p.Codecs = append(p.Codecs, f.codec)
		p.PayloadTypes[f.codec] = f.payloadType
	}
	if s.zeroAddress { // the hold of RFC 2543 names no place: keep the last
		p.Remote = netip.AddrPort{}
		if c.offered != nil && c.offered != s {
			p.Remote = c.offered.remote
		}
	}
	switch {
	case !s.event:
		p.InBand = c.keysBy.listens()
	case s.eventClock == 8000:
		p.DTMFPayloadType = s.eventType
	default:
		p.DTMF48 = s.eventType
	}
	c.presses.agreed(s.event)
	s.payloads(isAnswer, &p)
	p.Host = c.dlg.peer.Addr()
	if err := c.keys.settle(s, isAnswer, &p); err != nil {
		return fmt.Errorf("sip: configure media: %w", err)
	}
	was := c.Encryption()
	c.local.mux = s.mux
	if err := l.Configure(p); err != nil {
		return fmt.Errorf("sip: configure media: %w", err)
	}
	if now := c.Encryption(); now != was {
		c.log.Info("encryption changed", "encryption", now)
	}
	s.remote = p.Remote
	spoke := c.offered != nil && c.offered.speaks()
	c.tellHold(c.offered, s)
	c.offered = s
	if spoke != s.speaks() {
		c.startMediaClock()
	}
	return nil
}

// startMediaClock starts the media time-out anew: at the answer, and at either end of a hold.
func (c *Call) startMediaClock() {
	c.mediaSince = time.Now()
	c.timeout.Reset(c.ep.cfg.MediaTimeout)
}

// checkMedia ends a call from which nothing was heard for too long. A party that put us on
// hold, or only listens, owes no packets; its signalling may have died all the same. Before
// a late offer's answer nothing is possible, and the ACK has its own deadline.
func (c *Call) checkMedia() string {
	limit := c.ep.cfg.MediaTimeout
	if c.offered == nil {
		c.timeout.Reset(limit)
		return ""
	}
	if !c.offered.speaks() {
		limit = c.ep.cfg.HoldTimeout
	}
	last := c.mediaSince
	if heard := c.leg.Load().LastHeard(); heard.After(last) {
		last = heard
	}
	left := limit - time.Since(last)
	if left <= 0 {
		return CauseMediaTimeout
	}
	c.timeout.Reset(left)
	return ""
}

func stoppedTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
