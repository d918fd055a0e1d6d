package api

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/headroom-voice/headroom/agentclient/protocol"
)

// linkLimits bound what one agent's client can ask for and how long it is waited for.
type linkLimits struct {
	hello     time.Duration // for the first message
	signIn    time.Duration // for the switchboard to take the client in
	handle    time.Duration // for one message to be carried out
	write     time.Duration // for one frame to leave
	ping      time.Duration // between pings
	pong      time.Duration // for the answer to one
	queue     int           // frames that may wait to be written
	perSecond int           // messages read in the long run; a faster client is read more slowly
	burst     int           // messages read at once
}

func defaultLinkLimits() linkLimits {
	return linkLimits{
		hello: 5 * time.Second, signIn: 10 * time.Second, handle: 10 * time.Second, write: 5 * time.Second,
		ping: 10 * time.Second, pong: 10 * time.Second, queue: 64, perSecond: 20, burst: 60,
	}
}

// ending says why a link ends: the label is the metric's, the rest is told to the client.
// A hard one is for a client that does not take anything any more.
type ending struct {
	label  string
	code   websocket.StatusCode
	reason string
	hard   bool
}

// agentLink is one WebSocket of an agent's client. The request's goroutine reads, one
// goroutine writes, one pings, and one waits to close: only it ends the connection from
// our side.
type agentLink struct {
	conn    *websocket.Conn
	limits  linkLimits
	log     *slog.Logger
	out     chan outbound
	done    chan struct{} // closed when the link takes no more
	ends    chan ending   // holds the reason, once there is one
	because atomic.Pointer[ending]
	revoked atomic.Bool // whoever it is may not be here any more; the session was told

	answering sync.Mutex // held from a message's arrival to its answer in the queue
}

// outbound is one frame to be written, if m is not nil, and what follows it, if anything.
type outbound struct {
	id   string
	m    protocol.Message
	then *ending
}

// Send queues a message and never waits. A client that lets the queue fill up is cut off;
// it may come back and resume.
func (l *agentLink) Send(id string, m protocol.Message) { l.enqueue(outbound{id: id, m: m}) }

func (l *agentLink) enqueue(o outbound) {
	select {
	case <-l.done:
		return
	default:
	}
	select {
	case l.out <- o:
	default:
		l.end(ending{label: "slow", hard: true})
	}
}

// end asks for the link to be closed; the first reason stands.
func (l *agentLink) end(e ending) {
	if l.because.CompareAndSwap(nil, &e) {
		l.ends <- e // holds one
	}
}

// refuse tells the client that it does not speak the protocol, then closes the link.
func (l *agentLink) refuse(text string, code websocket.StatusCode) {
	l.enqueue(outbound{
		m:    protocol.Error{Code: protocol.CodeBadMessage, Message: text},
		then: &ending{label: "bad_frame", code: code, reason: text},
	})
}

// reason gives why a link ended: our reason if we had one, otherwise what the reader saw.
func (l *agentLink) reason(seen ending) ending {
	if mine := l.because.Load(); mine != nil {
		return *mine
	}
	return seen
}

// readHello reads the first message. A context with a deadline would break the connection
// off without a word, so a timer asks for a proper end instead.
func (l *agentLink) readHello(ctx context.Context) (string, protocol.Hello, *outbound) {
	late := ending{label: "no_hello", code: websocket.StatusPolicyViolation, reason: "the first message must be hello"}
	timer := time.AfterFunc(l.limits.hello, func() { l.end(late) })
	defer timer.Stop()
	bad := &outbound{m: protocol.Error{Code: protocol.CodeBadMessage, Message: late.reason}, then: &late}
	typ, text, err := l.conn.Read(ctx)
	if err != nil {
		l.end(ending{label: "no_hello", hard: true}) // there is nobody to tell
		return "", protocol.Hello{}, bad
	}
	id, m, err := protocol.Decode(text)
	hello, ok := m.(protocol.Hello)
	if err != nil || !ok || typ != websocket.MessageText {
		return "", protocol.Hello{}, bad
	}
	return id, hello, nil
}

// readAll hands the client's messages to the session until the connection ends.
func (l *agentLink) readAll(ctx context.Context, session AgentSession) ending {
	pace := pacer{every: time.Second / time.Duration(l.limits.perSecond), burst: l.limits.burst}
	refused := false
	for {
		typ, text, err := l.conn.Read(ctx)
		if err != nil {
			return readEnd(err)
		}
		if refused || l.because.Load() != nil {
			continue // only its goodbye counts now
		}
		if err := pace.wait(ctx); err != nil {
			return ending{label: "lost"}
		}
		refused = !l.take(ctx, session, typ, text)
	}
}

// take reads one frame and has it carried out; false when it was not the protocol and the
// link is to end. What is wrong under an id costs only that message: the client is told.
func (l *agentLink) take(ctx context.Context, session AgentSession, typ websocket.MessageType, text []byte) bool {
	if typ != websocket.MessageText {
		l.refuse("frames are text", websocket.StatusUnsupportedData)
		return false
	}
	id, m, err := protocol.Decode(text)
	_, again := m.(protocol.Hello)
	switch {
	case errors.Is(err, protocol.ErrUnknownType):
		if id != "" { // a newer client; the rest of the conversation goes on
			l.Send(id, protocol.Error{Code: protocol.CodeUnknown, Message: "this service does not know that message"})
		}
		return true
	case err == nil && !again && protocol.FromClient(m):
		l.answer(ctx, session, id, m)
		return true
	case id != "":
		l.log.Debug("agent's message refused", "err", err)
		l.Send(id, protocol.Error{Code: protocol.CodeBadMessage, Message: "malformed, out of bounds, or not a message to send here"})
		return true
	default:
		l.log.Debug("agent's message refused", "err", err)
		l.refuse("not a frame of this protocol", websocket.StatusInvalidFramePayloadData)
		return false
	}
}

// answer carries out one message and queues the answer there is.
func (l *agentLink) answer(ctx context.Context, session AgentSession, id string, m protocol.Message) {
	l.answering.Lock()
	defer l.answering.Unlock()
	ctx, cancel := context.WithTimeout(ctx, l.limits.handle)
	defer cancel()
	reply, err := session.Handle(ctx, id, m)
	if reply != nil {
		l.Send(id, reply)
	}
	if err != nil {
		l.log.Debug("agent's session takes no more", "err", err)
		l.enqueue(outbound{then: &ending{label: "session_over", code: websocket.StatusTryAgainLater, reason: "the session takes no more"}})
	}
}

// follow closes the link once the session is over, behind everything it had to say.
func (l *agentLink) follow(ctx context.Context, session AgentSession) {
	select {
	case <-ctx.Done():
		return
	case <-session.Done():
	}
	l.answering.Lock() // the answer to the message that ended it goes first
	defer l.answering.Unlock()
	over := ending{label: "session_over", code: websocket.StatusNormalClosure, reason: "the session is over"}
	if l.revoked.Load() {
		over = ending{label: "signed_out", code: websocket.StatusPolicyViolation, reason: "signed out"}
	}
	l.enqueue(outbound{then: &over})
}

// asError is what a client is told of an error. Our own words stay in the log.
func (l *agentLink) asError(err error) protocol.Error {
	var told *ClientError
	if errors.As(err, &told) {
		return protocol.Error{Code: told.Code, Message: told.Message}
	}
	l.log.Error("agent could not be signed in", "err", err)
	return protocol.Error{Code: protocol.CodeInternal, Message: "the service could not sign you in"}
}

// writeAll writes the first frame and then the queue, in order.
func (l *agentLink) writeAll(ctx context.Context, first outbound) {
	for o := first; ; {
		if !l.write(ctx, o) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case o = <-l.out:
		}
	}
}

// write sends one frame and does what follows it; false when nothing more can be sent.
func (l *agentLink) write(ctx context.Context, o outbound) bool {
	if o.m != nil && !l.writeFrame(ctx, o.id, o.m) {
		return false
	}
	if e, is := o.m.(protocol.Error); is && o.then == nil && o.id == "" && protocol.Fatal(e.Code) {
		o.then = &ending{label: e.Code, code: websocket.StatusPolicyViolation, reason: e.Code}
	}
	if o.then != nil {
		l.end(*o.then)
		return false
	}
	return true
}

func (l *agentLink) writeFrame(ctx context.Context, id string, m protocol.Message) bool {
	text, err := protocol.Encode(id, m)
	if err != nil {
		l.log.Error("message to an agent cannot be written", "type", protocol.TypeOf(m), "err", err)
		return true // the others still can
	}
	ctx, cancel := context.WithTimeout(ctx, l.limits.write)
	defer cancel()
	if err := l.conn.Write(ctx, websocket.MessageText, text); err != nil {
		label := "lost"
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			label = "slow"
		}
		l.end(ending{label: label, hard: true})
		return false
	}
	return true
}

// readEnd says how the client's side of a connection ended.
func readEnd(err error) ending {
	switch websocket.CloseStatus(err) {
	case websocket.StatusNormalClosure, websocket.StatusGoingAway:
		return ending{label: "closed"}
	case websocket.StatusMessageTooBig:
		return ending{label: "too_big"}
	default:
		return ending{label: "lost"}
	}
}

// pacer spreads what a client sends over time (a token bucket kept as one instant).
type pacer struct {
	every time.Duration
	burst int
	next  time.Time
}

// wait returns when the next message may be taken.
func (p *pacer) wait(ctx context.Context) error {
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(p.every)
	ahead := p.next.Sub(now) - time.Duration(p.burst)*p.every
	if ahead <= 0 {
		return nil
	}
	t := time.NewTimer(ahead)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
