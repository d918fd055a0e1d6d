package api

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/headroom-voice/headroom/agentclient/protocol"
)

const pathAgent = "/api/v1/agent"

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
	defer func() { _ = conn.CloseNow() }() // most often it is closed already
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
	beside.Go(func() { s.ping(ctx, l, v, session) })
	beside.Go(func() { l.follow(ctx, session) })
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
		_ = l.conn.CloseNow()
		return
	}
	_ = l.conn.Close(e.code, e.reason) // waits a few seconds for the client's goodbye
}

// ping finds out that a client is gone before TCP does, and that its person may no longer
// be here: a sign-in that ended, or a role taken away, signs the agent out, which ends the
// link once no caller is on the line.
func (s *Server) ping(ctx context.Context, l *agentLink, v viewer, session AgentSession) {
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
		if l.revoked.Load() {
			continue
		}
		if now, ok := s.lookAgain(ctx, v); !ok || !now.may(mayBeAgent) {
			l.revoked.Store(true)
			session.SignOut()
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

// registerAgentLink adds the agent's WebSocket.
func (s *Server) registerAgentLink() {
	o := op(http.MethodGet, pathAgent, "agent", "Live", "The agent's client: a WebSocket, subprotocol "+protocol.Subprotocol)
	o.Description = "docs/agent-protocol.md says what is spoken."
	o.Responses = map[string]*huma.Response{"101": {Description: "The conversation begins"}}
	o.DefaultStatus = http.StatusSwitchingProtocols
	o.Errors = []int{http.StatusBadRequest, http.StatusUpgradeRequired, http.StatusServiceUnavailable}
	register(s, o, mayBeAgent, s.openAgent)
}
