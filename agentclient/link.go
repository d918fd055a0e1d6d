package agentclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/headroom-voice/headroom/agentclient/protocol"
)

// The service's addresses.
const (
	sessionPath = "/api/v1/session"
	agentPath   = "/api/v1/agent"
)

// linkQueue is how many frames may wait for the network before the link counts as dead.
const linkQueue = 128

// errFatal marks what another attempt would not change.
type errFatal struct{ error }

func (e errFatal) Unwrap() error { return e.error }

// door signs in and opens WebSockets. Only the dialling goroutine uses it.
type door struct {
	cfg    Config
	client *http.Client
	inside bool // a session cookie is held
}

func newDoor(cfg Config) *door {
	jar, _ := cookiejar.New(nil) // fails for no options
	transport := http.DefaultTransport.(*http.Transport).Clone()
	return &door{cfg: cfg, client: &http.Client{Jar: jar, Transport: transport}}
}

func (d *door) close() { d.client.CloseIdleConnections() }

// signIn exchanges user and password for a session cookie.
func (d *door) signIn(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	body, err := json.Marshal(map[string]string{"user": d.cfg.User, "password": d.cfg.Password})
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	status, err := d.do(ctx, http.MethodPost, bytes.NewReader(body))
	switch {
	case err != nil:
		return fmt.Errorf("sign in: %w", err)
	case status == http.StatusUnauthorized:
		return errFatal{fmt.Errorf("sign in as %s: %w", d.cfg.User, ErrCredentials)}
	case status == http.StatusForbidden:
		return errFatal{fmt.Errorf("sign in as %s: %w", d.cfg.User, ErrRefused)}
	case status/100 != 2:
		return fmt.Errorf("sign in: the service answered %d %s", status, http.StatusText(status))
	}
	d.inside = true
	return nil
}

// signOut ends the session; whether that works is nobody's concern any more.
func (d *door) signOut(ctx context.Context) error {
	if !d.inside {
		return nil
	}
	_, err := d.do(ctx, http.MethodDelete, nil)
	return err
}

func (d *door) do(ctx context.Context, method string, body io.Reader) (status int, err error) {
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(d.cfg.Server, "/")+sessionPath, body)
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection is used again
	return resp.StatusCode, nil
}

// open gives a WebSocket. A cookie that the service no longer knows is renewed once.
func (d *door) open(ctx context.Context) (*websocket.Conn, error) {
	for renewed := false; ; renewed = true {
		if !d.inside {
			if err := d.signIn(ctx); err != nil {
				return nil, err
			}
		}
		conn, status, err := d.dial(ctx)
		switch {
		case err == nil:
			return conn, nil
		case status == http.StatusForbidden:
			return nil, errFatal{fmt.Errorf("%w: %s may not take calls; ask for the agent role", ErrRefused, d.cfg.User)}
		case status != http.StatusUnauthorized || renewed:
			return nil, fmt.Errorf("connect: %w", err)
		}
		d.inside = false
	}
}

func (d *door) dial(ctx context.Context) (*websocket.Conn, int, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	conn, resp, err := websocket.Dial(ctx, strings.TrimSuffix(d.cfg.Server, "/")+agentPath, &websocket.DialOptions{ //nolint:bodyclose // closed below when there is one
		HTTPClient: d.client, Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil {
		if resp != nil {
			defer resp.Body.Close() // what was read of it is in err
			return nil, resp.StatusCode, err
		}
		return nil, 0, err
	}
	if conn.Subprotocol() != protocol.Subprotocol {
		_ = conn.Close(websocket.StatusProtocolError, "subprotocol") // it is given up anyway
		return nil, 0, fmt.Errorf("the service does not speak %s", protocol.Subprotocol)
	}
	conn.SetReadLimit(protocol.MaxFrame)
	return conn, 0, nil
}

// errSlow ends a link whose frames pile up.
var errSlow = errors.New("the network takes nothing any more")

// link is one WebSocket after Welcome.
type link struct {
	conn *websocket.Conn
	out  chan []byte
	ctx  context.Context // ends with the link
	end  context.CancelCauseFunc
}

func newLink(ctx context.Context, conn *websocket.Conn) *link {
	ctx, end := context.WithCancelCause(context.WithoutCancel(ctx))
	return &link{conn: conn, out: make(chan []byte, linkQueue), ctx: ctx, end: end}
}

// send queues a frame and never waits. A link that cannot keep up is given up; what
// matters is in the outbox.
func (l *link) send(frame []byte) {
	select {
	case l.out <- frame:
	default:
		l.end(errSlow)
	}
}

// greet says Hello and waits for Welcome.
func (d *door) greet(ctx context.Context, conn *websocket.Conn, hello protocol.Hello) (protocol.Welcome, error) {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	frame, err := protocol.Encode("", hello)
	if err != nil {
		return protocol.Welcome{}, errFatal{err}
	}
	if err := conn.Write(ctx, websocket.MessageText, frame); err != nil {
		return protocol.Welcome{}, fmt.Errorf("hello: %w", err)
	}
	m, _, err := read(ctx, conn)
	if err != nil {
		return protocol.Welcome{}, fmt.Errorf("hello: %w", err)
	}
	switch m := m.(type) {
	case protocol.Welcome:
		return m, nil
	case protocol.Error:
		return protocol.Welcome{}, refusal(m, m.Code == protocol.CodeNotNow)
	}
	return protocol.Welcome{}, fmt.Errorf("hello was answered by %s", protocol.TypeOf(m))
}

// refusal turns the service's word on the connection into an error.
func refusal(e protocol.Error, fatal bool) error {
	err := fmt.Errorf("%w: %s (%s)", ErrRefused, e.Message, e.Code)
	if e.Code == protocol.CodeReplaced {
		err = fmt.Errorf("%w: %s", ErrReplaced, e.Message)
	}
	if fatal || protocol.Fatal(e.Code) {
		return errFatal{err}
	}
	return err
}

// read gives the next message that this client knows.
func read(ctx context.Context, conn *websocket.Conn) (protocol.Message, string, error) {
	for {
		kind, frame, err := conn.Read(ctx)
		if err != nil {
			return nil, "", err
		}
		if kind != websocket.MessageText {
			continue
		}
		id, m, err := protocol.Decode(frame)
		if errors.Is(err, protocol.ErrUnknownType) {
			continue // a newer service may say more
		}
		return m, id, err
	}
}

// serve runs a link until it ends: messages go to each, frames come from l.out. When
// ctx ends the WebSocket is closed with the proper handshake.
func (d *door) serve(ctx context.Context, l *link, each func(id string, m protocol.Message) error) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.end(d.write(ctx, l))
	}()
	l.end(d.readAll(l, each))
	<-done
	_ = l.conn.CloseNow() // whatever is left of it
	return context.Cause(l.ctx)
}

func (d *door) readAll(l *link, each func(id string, m protocol.Message) error) error {
	for {
		m, id, err := read(l.ctx, l.conn)
		if err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if err := each(id, m); err != nil {
			return err
		}
	}
}

// write sends frames and pings; an unanswered ping ends the link.
func (d *door) write(ctx context.Context, l *link) error {
	ping := time.NewTicker(d.cfg.Ping)
	defer ping.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return context.Cause(l.ctx)
		case <-ctx.Done():
			return l.conn.Close(websocket.StatusNormalClosure, "signed out")
		case frame := <-l.out:
			if err := d.timed(l.ctx, func(ctx context.Context) error { return l.conn.Write(ctx, websocket.MessageText, frame) }); err != nil {
				return fmt.Errorf("write: %w", err)
			}
		case <-ping.C:
			if err := d.timed(l.ctx, l.conn.Ping); err != nil {
				return fmt.Errorf("no answer to a ping: %w", err)
			}
		}
	}
}

func (d *door) timed(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	return fn(ctx)
}
