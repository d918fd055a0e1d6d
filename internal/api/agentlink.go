package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/headroom-voice/headroom/agentclient/protocol"
)

const pathAgent = "/api/v1/agent"

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
}

// outbound is one frame to be written, and what follows it, if anything.
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

// openAgent is GET /api/v1/agent.
func (s *Server) openAgent(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	v, _ := viewerOf(ctx)
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humachi.Unwrap(hctx)
		s.upgrade(w, r, v)
	}}, nil
}

// upgrade checks what a WebSocket's own rules leave to us and turns the request into one.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request, v viewer) {
	switch {
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		w.Header().Set("Upgrade", "websocket")
		writeProblem(w, r, http.StatusUpgradeRequired, "this address is a WebSocket")
		return
	case !s.originAllowed(r):
		writeProblem(w, r, http.StatusForbidden, "a page of another site may not do this")
		return
	case !offersSubprotocol(r):
		writeProblem(w, r, http.StatusBadRequest, "ask for the subprotocol "+protocol.Subprotocol)
		return
	case !s.enterLink():
		writeProblem(w, r, http.StatusServiceUnavailable, "the service is stopping")
		return
	}
	defer s.links.Done()
	// Origins were checked above, against the same list that guards the rest.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{
		Subprotocols: []string{protocol.Subprotocol}, InsecureSkipVerify: true,
	})
	if err != nil {
		s.log.Debug("websocket refused", "request_id", requestID(r.Context()), "err", err)
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(protocol.MaxFrame)
	s.metrics.links.Inc()
	defer s.metrics.links.Dec()
	log := s.log.With("request_id", requestID(r.Context()), "agent", v.user.ID)
	l := &agentLink{
		conn: conn, limits: s.limits, log: log, out: make(chan outbound, s.limits.queue),
		done: make(chan struct{}), ends: make(chan ending, 1),
	}
	e := s.serveLink(r.Context(), l, v)
	s.metrics.linkEnds.WithLabelValues(e.label).Inc()
	log.Info("agent's link ended", "reason", e.label)
}

// originAllowed reports whether the page that opens the WebSocket is ours or trusted. A
// program is no page and sends no Origin. (CrossOriginProtection lets every GET pass.)
func (s *Server) originAllowed(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" || slices.Contains(s.origins, origin) {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host)
}

func offersSubprotocol(r *http.Request) bool {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for name := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(name), protocol.Subprotocol) {
				return true
			}
		}
	}
	return false
}

// serveLink runs a link from Hello to its end and gives the reason.
func (s *Server) serveLink(ctx context.Context, l *agentLink, v viewer) ending {
	ctx, cancel := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel()
	closed := make(chan struct{})
	beside.Go(func() { defer close(closed); s.closeLink(ctx, l) })

	helloID, hello, refusal := l.readHello(ctx)
	var session AgentSession
	var welcome protocol.Welcome
	if refusal == nil {
		session, welcome, refusal = s.signInAgent(ctx, l, v, helloID, hello)
	}
	if refusal != nil {
		l.write(ctx, *refusal)
		<-closed // it has been told why
		return l.reason(*refusal.then)
	}
	defer session.LinkLost(l)
	defer close(l.done) // before LinkLost: nothing is queued that nobody writes
	beside.Go(func() { l.writeAll(ctx, outbound{id: helloID, m: welcome}) })
	beside.Go(func() { s.ping(ctx, l, v) })
	return l.reason(l.readAll(ctx, session))
}

// signInAgent hands the client to the switchboard, or gives what to refuse it with.
func (s *Server) signInAgent(ctx context.Context, l *agentLink, v viewer, id string, hello protocol.Hello) (AgentSession, protocol.Welcome, *outbound) {
	ctx, cancel := context.WithTimeout(ctx, l.limits.signIn)
	defer cancel()
	session, welcome, err := s.deps.Switchboard.SignIn(ctx, v.user, hello, l)
	if err == nil {
		return session, welcome, nil
	}
	told := l.asError(err)
	code := websocket.StatusTryAgainLater
	if protocol.Fatal(told.Code) {
		code = websocket.StatusPolicyViolation
	}
	return nil, welcome, &outbound{id: id, m: told, then: &ending{label: "refused", code: code, reason: told.Code}}
}

// reason gives why a link ended: our reason if we had one, otherwise what the reader saw.
func (l *agentLink) reason(seen ending) ending {
	if mine := l.because.Load(); mine != nil {
		return *mine
	}
	return seen
}

// closeLink closes the connection when anybody asked for it or the server is closing.
func (s *Server) closeLink(ctx context.Context, l *agentLink) {
	var e ending
	select {
	case <-ctx.Done():
		return
	case e = <-l.ends:
	case <-s.closing:
		l.end(ending{label: "stopping", code: websocket.StatusGoingAway, reason: "the service is stopping"})
		e = <-l.ends // this reason or an earlier one
	}
	if e.hard {
		l.conn.CloseNow()
		return
	}
	_ = l.conn.Close(e.code, e.reason) // waits a few seconds for the client's goodbye
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
		if typ != websocket.MessageText {
			l.refuse("frames are text", websocket.StatusUnsupportedData)
			refused = true
			continue
		}
		id, m, err := protocol.Decode(text)
		if errors.Is(err, protocol.ErrMalformed) && id == "" {
			l.refuse("not a frame of this protocol", websocket.StatusInvalidFramePayloadData)
			refused = true
			continue
		}
		l.answer(ctx, session, id, m, err)
	}
}

// answer carries out one message. A message with an id gets exactly one answer; one
// without asked for none, and gets one only when it could not be understood.
func (l *agentLink) answer(ctx context.Context, session AgentSession, id string, m protocol.Message, decodeErr error) {
	_, again := m.(protocol.Hello)
	switch {
	case errors.Is(decodeErr, protocol.ErrUnknownType):
		if id != "" { // a newer client; the rest of the conversation goes on
			l.Send(id, protocol.Error{Code: protocol.CodeUnknown, Message: "this service does not know that message"})
		}
		return
	case decodeErr != nil:
		l.log.Debug("agent's message refused", "err", decodeErr)
		l.Send(id, protocol.Error{Code: protocol.CodeBadMessage, Message: "a field is out of bounds"})
		return
	case again || !protocol.FromClient(m):
		l.Send(id, protocol.Error{Code: protocol.CodeBadMessage, Message: "not a message to send here"})
		return
	}
	ctx, cancel := context.WithTimeout(ctx, l.limits.handle)
	defer cancel()
	reply, err := session.Handle(ctx, id, m)
	switch {
	case err != nil:
		if answer := l.asError(err); id != "" {
			l.Send(id, answer)
		}
	case reply != nil:
		l.Send(id, reply)
	case id != "":
		l.Send(id, protocol.Ack{})
	}
}

// asError is what a client is told of an error. Our own words stay in the log.
func (l *agentLink) asError(err error) protocol.Error {
	var told *ClientError
	if errors.As(err, &told) {
		return protocol.Error{Code: told.Code, Message: told.Message}
	}
	l.log.Error("agent's message failed", "err", err)
	return protocol.Error{Code: protocol.CodeInternal, Message: "the service could not do this"}
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
	text, err := protocol.Encode(o.id, o.m)
	if err != nil {
		l.log.Error("message to an agent cannot be written", "type", protocol.TypeOf(o.m), "err", err)
	} else {
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

// ping finds out that a client is gone before TCP does, and that its person may no longer
// be here: a session that ended, or a role taken away, ends the link.
func (s *Server) ping(ctx context.Context, l *agentLink, v viewer) {
	tick := time.NewTicker(l.limits.ping)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		pong, cancel := context.WithTimeout(ctx, l.limits.pong)
		err := l.conn.Ping(pong)
		cancel()
		if err != nil {
			l.end(ending{label: "silent", hard: true})
			return
		}
		now, ok := s.lookAgain(ctx, v)
		if !ok || !now.may(mayBeAgent) {
			l.end(ending{label: "signed_out", code: websocket.StatusPolicyViolation, reason: "signed out"})
			return
		}
	}
}

// lookAgain asks anew who holds the viewer's session; false when nobody does. When it
// cannot be found out, the viewer is who they were.
func (s *Server) lookAgain(ctx context.Context, v viewer) (viewer, bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	now, err := s.sessions.viewer(ctx, v.token)
	switch {
	case err == nil:
		return now, true
	case errors.Is(err, errNoSession):
		return viewer{}, false
	default:
		return v, true
	}
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

// registerAgentLink adds the agent's WebSocket.
func (s *Server) registerAgentLink() {
	o := op(http.MethodGet, pathAgent, "agent", "Live", "The agent's client: a WebSocket, subprotocol "+protocol.Subprotocol)
	o.Description = "docs/agent-protocol.md says what is spoken."
	o.Responses = map[string]*huma.Response{"101": {Description: "The conversation begins"}}
	o.DefaultStatus = http.StatusSwitchingProtocols
	o.Errors = []int{http.StatusBadRequest, http.StatusUpgradeRequired, http.StatusServiceUnavailable}
	register(s, o, mayBeAgent, s.openAgent)
}

// ClientError is an error whose words are meant for the agent's client.
type ClientError struct {
	Code    string // one of protocol's codes
	Message string
}

// Error implements error.
func (e *ClientError) Error() string { return e.Code + ": " + e.Message }
