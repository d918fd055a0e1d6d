package agentclient

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/media/webrtc"
)

// service is a small Headroom: real HTTP, WebSocket and WebRTC, one agent, no calls of
// its own. Tests tell it what to say and see what it was told.
type service struct {
	t    testing.TB
	http *httptest.Server
	gw   *webrtc.Gateway
	got  chan told

	mu       sync.Mutex
	password string
	cookie   string
	token    string // of the session to resume
	conn     *websocket.Conn
	away     bool                             // no WebSocket is let in
	silent   func(m protocol.Message) bool    // messages that get no answer
	refuse   func(m protocol.Message) *refuse // messages that get an error
	peer     *webrtc.Peer
	call     *protocol.Call
	signIns  int
	sessions int
	welcomes int
}

type refuse struct{ code string }

// told is a message from the client.
type told struct {
	id string
	m  protocol.Message
}

func newService(t testing.TB) *service {
	gw, err := webrtc.New(webrtc.Config{Listen: "127.0.0.1:0"}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := &service{t: t, gw: gw, got: make(chan told, 4096), password: "secret"}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+sessionPath, s.signIn)
	mux.HandleFunc("DELETE "+sessionPath, s.signOut)
	mux.HandleFunc("GET "+agentPath, s.agent)
	s.http = httptest.NewServer(mux)
	t.Cleanup(func() {
		s.http.Close()
		if err := gw.Close(); err != nil {
			t.Errorf("close gateway: %v", err)
		}
	})
	return s
}

func (s *service) signIn(w http.ResponseWriter, r *http.Request) {
	var c struct{ User, Password string }
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.signIns++
	if c.User != "ada" || c.Password != s.password {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	s.cookie = fmt.Sprintf("cookie-%d", s.signIns)
	http.SetCookie(w, &http.Cookie{Name: "headroom_session", Value: s.cookie, Path: "/", HttpOnly: true})
	_, _ = io.WriteString(w, `{"user":"ada"}`)
}

func (s *service) signOut(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cookie = ""
	w.WriteHeader(http.StatusNoContent)
}

func (s *service) agent(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	away, known := s.away, false
	if c, err := r.Cookie("headroom_session"); err == nil && c.Value == s.cookie && s.cookie != "" {
		known = true
	}
	s.mu.Unlock()
	switch {
	case away:
		w.WriteHeader(http.StatusBadGateway)
		return
	case !known:
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{protocol.Subprotocol}})
	if err != nil {
		return
	}
	defer func() { _ = conn.CloseNow() }()
	ctx := r.Context()
	_, frame, err := conn.Read(ctx)
	if err != nil {
		return
	}
	_, m, err := protocol.Decode(frame)
	hello, ok := m.(protocol.Hello)
	if err != nil || !ok {
		s.t.Errorf("first message: %v, %v", m, err)
		return
	}
	s.write(ctx, conn, "", s.welcome(hello, conn))
	for {
		_, frame, err := conn.Read(ctx)
		if err != nil {
			return
		}
		id, m, err := protocol.Decode(frame)
		if err != nil {
			s.t.Errorf("client sent %s: %v", frame, err)
			return
		}
		if !protocol.FromClient(m) {
			s.t.Errorf("client sent the service's %s", protocol.TypeOf(m))
		}
		s.handle(ctx, conn, id, m)
		s.got <- told{id, m}
	}
}

func (s *service) welcome(hello protocol.Hello, conn *websocket.Conn) protocol.Welcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conn = conn
	s.welcomes++
	w := protocol.Welcome{Version: 1, Agent: "ada", Name: "Ada", State: protocol.State{State: "break", Reason: "signed in"}}
	if hello.Resume != "" && hello.Resume == s.token {
		w.Resumed, w.State = true, protocol.State{State: "ready"}
		w.Call = s.call
		if s.call != nil {
			w.State.State = "on-call"
		}
	} else {
		s.sessions++
		s.token = fmt.Sprintf("token-%d", s.sessions)
		s.call = nil
	}
	w.Resume = s.token
	return w
}

func (s *service) handle(ctx context.Context, conn *websocket.Conn, id string, m protocol.Message) {
	s.mu.Lock()
	silent := s.silent != nil && s.silent(m)
	var no *refuse
	if s.refuse != nil {
		no = s.refuse(m)
	}
	s.mu.Unlock()
	switch {
	case silent:
		return
	case no != nil:
		s.write(ctx, conn, id, protocol.Error{Code: no.code, Message: "no"})
		return
	}
	switch m := m.(type) {
	case protocol.SDPOffer:
		peer, answer, err := s.gw.Accept(ctx, m.SDP)
		if err != nil {
			s.t.Errorf("offer: %v", err)
			return
		}
		s.mu.Lock()
		s.peer = peer
		s.mu.Unlock()
		s.write(ctx, conn, id, protocol.SDPAnswer{SDP: answer})
		return
	case protocol.SetState:
		s.write(ctx, conn, "", protocol.State{State: m.State, Reason: m.Reason})
	case protocol.Accept:
		call := protocol.Call{ID: m.CallID, Queue: "support", From: "+49301"}
		s.mu.Lock()
		s.call = &call
		s.mu.Unlock()
		s.write(ctx, conn, "", protocol.Connected{Call: call})
	}
	if id != "" {
		s.write(ctx, conn, id, protocol.Ack{})
	}
}

func (s *service) write(ctx context.Context, conn *websocket.Conn, id string, m protocol.Message) {
	frame, err := protocol.Encode(id, m)
	if err != nil {
		s.t.Errorf("encode: %v", err)
		return
	}
	_ = conn.Write(ctx, websocket.MessageText, frame) // the client may be gone; that is the test
}

// say sends a message on the WebSocket of the moment.
func (s *service) say(m protocol.Message) {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	s.write(context.Background(), conn, "", m)
}

// with changes the service's behaviour.
func (s *service) with(fn func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fn()
}

// cut breaks the WebSocket without a goodbye; until lets the client in again.
func (s *service) cut(away bool) {
	s.mu.Lock()
	conn := s.conn
	s.away = away
	s.mu.Unlock()
	_ = conn.CloseNow()
}

// restart forgets every session and media connection, as a new process would.
func (s *service) restart() {
	s.mu.Lock()
	peer := s.peer
	s.token, s.call, s.peer = "", nil, nil
	s.mu.Unlock()
	if peer != nil {
		_ = peer.Close()
	}
	s.cut(false)
}

func (s *service) agentPeer() *webrtc.Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.peer
}

// waitFor gives the next message that the client sends of this type.
func waitFor[M protocol.Message](s *service) (M, string) {
	s.t.Helper()
	var want M
	late := time.After(15 * time.Second)
	for {
		select {
		case g := <-s.got:
			if m, ok := g.m.(M); ok {
				return m, g.id
			}
		case <-late:
			s.t.Fatalf("the client did not send %s", protocol.TypeOf(want))
		}
	}
}
