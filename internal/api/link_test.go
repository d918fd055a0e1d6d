package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coder/websocket"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
)

// caller is an agent's client at the other end of a link.
type caller struct {
	t    *testing.T
	conn *websocket.Conn
}

// dial opens the agent's WebSocket. An answer that is none is given as it came.
func (v *visitor) dial(header ...string) (*caller, response) {
	v.h.t.Helper()
	ctx, cancel := context.WithTimeout(v.h.t.Context(), patience)
	defer cancel()
	hdr := http.Header{}
	for i := 0; i+1 < len(header); i += 2 {
		hdr.Set(header[i], header[i+1])
	}
	c, res, err := websocket.Dial(ctx, v.h.url+"/api/v1/agent", &websocket.DialOptions{
		HTTPClient: &http.Client{Jar: v.http.Jar, Transport: v.http.Transport}, HTTPHeader: hdr, Subprotocols: []string{protocol.Subprotocol},
	})
	if err != nil {
		if res == nil {
			v.h.t.Fatal(err)
		}
		defer res.Body.Close()
		return nil, response{status: res.StatusCode, header: res.Header}
	}
	c.SetReadLimit(protocol.MaxFrame)
	v.h.t.Cleanup(func() { _ = c.CloseNow() })
	return &caller{v.h.t, c}, response{status: http.StatusSwitchingProtocols}
}

// call is dial for those who must get through.
func (v *visitor) call() *caller {
	v.h.t.Helper()
	c, res := v.dial()
	if c == nil {
		v.h.t.Fatalf("refused: %+v", res)
	}
	return c
}

func (c *caller) say(id string, m protocol.Message) {
	c.t.Helper()
	frame, err := protocol.Encode(id, m)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(websocket.MessageText, frame)
}

func (c *caller) write(typ websocket.MessageType, frame []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	if err := c.conn.Write(ctx, typ, frame); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func (c *caller) read() (string, protocol.Message, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	_, frame, err := c.conn.Read(ctx)
	if err != nil {
		return "", nil, err
	}
	return protocol.Decode(frame)
}

// hears gives the next message, which must be a T under the id.
func hears[T protocol.Message](c *caller, id string) T {
	c.t.Helper()
	var zero T
	got, m, err := c.read()
	if err != nil {
		c.t.Fatalf("wanted %s: %v", protocol.TypeOf(zero), err)
	}
	out, ok := m.(T)
	if !ok || got != id {
		c.t.Fatalf("wanted %s %q, got %s %q: %+v", protocol.TypeOf(zero), id, protocol.TypeOf(m), got, m)
	}
	return out
}

// ends says how the service closed the link; -1 when it was broken off.
func (c *caller) ends() websocket.StatusCode {
	c.t.Helper()
	for range 1000 {
		if _, _, err := c.read(); err != nil && !errors.Is(err, protocol.ErrMalformed) {
			if errors.Is(err, context.DeadlineExceeded) {
				c.t.Fatal("the link does not end")
			}
			return websocket.CloseStatus(err)
		}
	}
	c.t.Fatal("the link does not end")
	return 0
}

func hello() protocol.Hello {
	return protocol.Hello{Version: protocol.Version, Client: "test", Headset: protocol.Headset{Model: "Jabra Evolve2 40", Serial: "00A1"}}
}

// greeted is an agent's client that said hello, and its session on the board.
func (h *house) greeted() (*caller, *desk) {
	h.t.Helper()
	c := h.as("agent").call()
	c.say("h", hello())
	hears[protocol.Welcome](c, "h")
	return c, <-h.board.sessions
}

// lost waits until the switchboard has been told that the link is gone, once.
func (d *desk) wasLost(t *testing.T) {
	t.Helper()
	select {
	case l := <-d.lost:
		if l != d.link {
			t.Error("told of another link")
		}
	case <-time.After(patience):
		t.Fatal("the switchboard was not told that the link is gone")
	}
}

func TestAnAgentSaysHelloIsWelcomedAndAnswered(t *testing.T) {
	h := open(t)
	h.board.greet = func(l Link) { l.Send("", protocol.Offer{Call: protocol.Call{ID: "c1"}, Expires: nine(0)}) }
	c := h.as("agent").call()
	c.say("h", hello())
	w := hears[protocol.Welcome](c, "h") // before the offer that was sent earlier
	if w.Agent != "agent" || w.Resume == "" {
		t.Errorf("%+v", w)
	}
	if o := hears[protocol.Offer](c, ""); o.Call.ID != "c1" {
		t.Errorf("%+v", o)
	}
	d := <-h.board.sessions
	if d.user.ID != "agent" || d.hello.Headset.Serial != "00A1" {
		t.Errorf("%+v", d)
	}
	c.say("m1", protocol.SetState{State: "ready"})
	hears[protocol.Ack](c, "m1")
	d.link.Send("", protocol.State{State: "ready", Since: nine(0)})
	if s := hears[protocol.State](c, ""); s.State != "ready" {
		t.Errorf("%+v", s)
	}
	if err := c.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Error(err)
	}
	d.wasLost(t)
	d.link.Send("", protocol.State{State: "break"}) // to nobody: no panic, no leak
}

func TestAnAnswerMayComeLaterAndANilOneIsNotMadeUp(t *testing.T) {
	h := open(t)
	h.board.handle = func(_ context.Context, d *desk, id string, m protocol.Message) (protocol.Message, error) {
		if _, ok := m.(protocol.SDPOffer); ok {
			go d.link.Send(id, protocol.SDPAnswer{SDP: "v=0"})
			return nil, nil
		}
		return protocol.Error{Code: protocol.CodeStale, Message: "gone"}, nil
	}
	c, _ := h.greeted()
	c.say("sdp", protocol.SDPOffer{SDP: "v=0"})
	hears[protocol.SDPAnswer](c, "sdp")
	c.say("a", protocol.Accept{CallID: "c1"})
	if e := hears[protocol.Error](c, "a"); e.Code != protocol.CodeStale {
		t.Errorf("%+v", e)
	}
}

func TestOnlyAnAgentOfOurOwnPagesGetsALink(t *testing.T) {
	h := open(t, func(c *Config, _ *Deps) { c.TrustedOrigins = []string{"https://desk.example"} })
	refused := func(who *visitor, want int, header ...string) {
		t.Helper()
		_, res := who.dial(header...)
		if res.status != want {
			t.Fatalf("wanted %d: %+v", want, res)
		}
		if res.header.Get("Content-Type") != problemType {
			t.Errorf("not a problem: %v", res.header)
		}
	}
	refused(h.visitor(), http.StatusUnauthorized)
	refused(h.as("it"), http.StatusForbidden)
	v := h.as("agent")
	refused(v, http.StatusForbidden, "Origin", "https://evil.example")
	refused(v, http.StatusForbidden, "Origin", "null")
	for _, origin := range []string{h.url, "https://desk.example"} {
		c, res := v.dial("Origin", origin)
		if c == nil {
			t.Fatalf("%s: %+v", origin, res)
		}
		_ = c.conn.CloseNow()
	}
	res := v.do("GET", "/api/v1/agent", "", "Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13",
		"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol", "chat")
	if res.status != http.StatusBadRequest || !strings.Contains(res.body, protocol.Subprotocol) {
		t.Errorf("another subprotocol: %d %s", res.status, res.body)
	}
}

func TestWhoDoesNotSayHelloIsSentAway(t *testing.T) {
	h := build(t)
	h.server.limits.hello = 50 * time.Millisecond
	h.run()
	if code := h.as("agent").call().ends(); code != websocket.StatusPolicyViolation {
		t.Errorf("silence: %v", code)
	}
	h = open(t)
	v := h.as("agent")
	for name, say := range map[string]func(*caller){
		"something else": func(c *caller) { c.say("", protocol.EndWrapUp{}) },
		"nonsense":       func(c *caller) { c.write(websocket.MessageText, []byte("hello")) },
		"binary":         func(c *caller) { c.write(websocket.MessageBinary, []byte("{}")) },
	} {
		c := v.call()
		say(c)
		if e := hears[protocol.Error](c, ""); e.Code != protocol.CodeBadMessage {
			t.Errorf("%s: %+v", name, e)
		}
		if code := c.ends(); code != websocket.StatusPolicyViolation {
			t.Errorf("%s: %v", name, code)
		}
	}
	if len(h.board.sessions) != 0 {
		t.Error("the switchboard was bothered")
	}
}

func TestARefusedSignInSaysWhy(t *testing.T) {
	h := open(t)
	v := h.as("agent")
	for _, c := range []struct {
		err  error
		code string
		want websocket.StatusCode
	}{
		{&ClientError{Code: protocol.CodeVersion, Message: "too old", Err: errSecret}, protocol.CodeVersion, websocket.StatusPolicyViolation},
		{&ClientError{Code: protocol.CodeBusy, Message: "stopping", Err: errSecret}, protocol.CodeBusy, websocket.StatusTryAgainLater},
		{fmt.Errorf("sign in: %w", errSecret), protocol.CodeInternal, websocket.StatusTryAgainLater},
	} {
		h.board.refuse = c.err
		client := v.call()
		client.say("h", hello())
		e := hears[protocol.Error](client, "h")
		if e.Code != c.code || strings.Contains(e.Message, "secret") {
			t.Errorf("%+v", e)
		}
		if got := client.ends(); got != c.want {
			t.Errorf("%s: %v", c.code, got)
		}
	}
}

func TestAMessageThatIsWrongIsAnsweredAndTheTalkGoesOn(t *testing.T) {
	h := open(t)
	c, _ := h.greeted()
	c.write(websocket.MessageText, []byte(`{"type":"whistle","id":"w1","body":{}}`))
	if e := hears[protocol.Error](c, "w1"); e.Code != protocol.CodeUnknown {
		t.Errorf("a newer client's message: %+v", e)
	}
	c.write(websocket.MessageText, []byte(`{"type":"whistle","body":{}}`)) // asked for no answer
	c.write(websocket.MessageText, []byte(`{"type":"set_state","id":"s","body":{"state":"asleep"}}`))
	if e := hears[protocol.Error](c, "s"); e.Code != protocol.CodeBadMessage {
		t.Errorf("out of bounds: %+v", e)
	}
	c.say("w", protocol.Welcome{Version: 1, Resume: "r", Agent: "a", State: protocol.State{State: "ready"}})
	if e := hears[protocol.Error](c, "w"); e.Code != protocol.CodeBadMessage {
		t.Errorf("the service's own message: %+v", e)
	}
	c.say("h2", hello())
	if e := hears[protocol.Error](c, "h2"); e.Code != protocol.CodeBadMessage {
		t.Errorf("a second hello: %+v", e)
	}
	c.say("ok", protocol.EndWrapUp{})
	hears[protocol.Ack](c, "ok")
}

func TestWhoDoesNotSpeakTheProtocolIsSentAway(t *testing.T) {
	h := open(t)
	for name, c := range map[string]struct {
		typ   websocket.MessageType
		frame string
		want  websocket.StatusCode
	}{
		"nonsense":                   {websocket.MessageText, "GET / HTTP/1.1", websocket.StatusInvalidFramePayloadData},
		"binary":                     {websocket.MessageBinary, "{}", websocket.StatusUnsupportedData},
		"wrong, and no id to say so": {websocket.MessageText, `{"type":"set_state","body":{"state":"asleep"}}`, websocket.StatusInvalidFramePayloadData},
		"ours to say":                {websocket.MessageText, `{"type":"ack","body":{}}`, websocket.StatusInvalidFramePayloadData},
		"too big":                    {websocket.MessageText, strings.Repeat("x", protocol.MaxFrame+1), websocket.StatusMessageTooBig},
	} {
		client, d := h.greeted()
		client.write(c.typ, []byte(c.frame))
		if got := client.ends(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		d.wasLost(t)
	}
}

func TestAClientThatDoesNotReadIsCutOffAndHoldsNobodyUp(t *testing.T) {
	h := build(t)
	h.server.limits.queue = 8
	h.run()
	c, d := h.greeted()
	big := protocol.Verdict{State: "watch", Text: strings.Repeat("x", protocol.MaxText)}
	deadline := time.Now().Add(patience)
	cut := false
	for !cut && time.Now().Before(deadline) { // until the socket's buffers are full
		d.link.Send("", big)
		select {
		case <-d.lost:
			cut = true
		default:
		}
	}
	if !cut {
		t.Fatal("still connected")
	}
	if code := c.ends(); code != -1 {
		t.Errorf("%v: there is no time for goodbyes", code)
	}
	again, _ := h.greeted() // it may come back
	again.say("x", protocol.EndWrapUp{})
	hears[protocol.Ack](again, "x")
}

func TestAClientThatDiedIsNoticed(t *testing.T) {
	h := build(t)
	h.server.limits.ping, h.server.limits.pong = 20*time.Millisecond, 50*time.Millisecond
	h.run()
	_, d := h.greeted() // from here on nobody reads, so nobody answers pings
	d.wasLost(t)
}

func TestALinkEndsWithItsSignInAndWithTheRole(t *testing.T) {
	h := build(t)
	h.server.limits.ping = 20 * time.Millisecond
	h.run()
	for name, end := range map[string]func(v *visitor){
		"signed out":   func(v *visitor) { v.do("DELETE", "/api/v1/session", "") },
		"role removed": func(*visitor) { h.record.setUser("other", func(u *model.User) { u.Roles = nil }) },
	} {
		user := map[string]string{"signed out": "agent", "role removed": "other"}[name]
		v := h.as(user)
		c := v.call()
		c.say("h", hello())
		hears[protocol.Welcome](c, "h")
		d := <-h.board.sessions
		end(v)
		if code := c.ends(); code != websocket.StatusPolicyViolation {
			t.Errorf("%s: %v", name, code)
		}
		d.wasLost(t)
	}
}

func TestARoleTakenAwayInACallEndsTheLinkAfterTheCall(t *testing.T) {
	h := build(t)
	h.server.limits.ping = 20 * time.Millisecond
	h.board.inCall = make(chan *desk, 4)
	handled := make(chan protocol.Message, 4)
	h.board.handle = func(_ context.Context, _ *desk, _ string, m protocol.Message) (protocol.Message, error) {
		handled <- m
		return protocol.Ack{}, nil
	}
	h.run()
	c := h.as("agent").call()
	c.say("h", hello())
	hears[protocol.Welcome](c, "h")
	d := <-h.board.sessions
	h.record.setUser("agent", func(u *model.User) { u.Roles = nil })
	ended := make(chan websocket.StatusCode, 1)
	go func() { defer close(ended); ended <- c.ends() }() // who reads answers pings
	if told := <-h.board.inCall; told != d {
		t.Error("somebody else was signed out")
	}
	// The caller is not left alone: the conversation goes on.
	c.say("m", protocol.Mute{On: true})
	select {
	case <-handled:
	case code := <-ended:
		t.Fatalf("the link ended with %v in the call", code)
	}
	close(d.done) // the call has ended
	if code := <-ended; code != websocket.StatusPolicyViolation {
		t.Errorf("%v", code)
	}
	d.wasLost(t)
	if n := len(h.board.inCall); n != 0 {
		t.Errorf("signed out %d more times", n)
	}
}

func TestAReplacedClientLearnsItBeforeTheLinkCloses(t *testing.T) {
	h := open(t)
	c, d := h.greeted()
	d.link.Send("", protocol.Error{Code: protocol.CodeReplaced, Message: "elsewhere"})
	if e := hears[protocol.Error](c, ""); e.Code != protocol.CodeReplaced {
		t.Errorf("%+v", e)
	}
	if code := c.ends(); code != websocket.StatusPolicyViolation {
		t.Errorf("%v", code)
	}
	d.wasLost(t)
}

func TestSigningOutIsAckedAndThenTheLinkCloses(t *testing.T) {
	h := open(t)
	c, d := h.greeted()
	c.say("bye", protocol.SignOut{})
	hears[protocol.Ack](c, "bye")
	if code := c.ends(); code != websocket.StatusNormalClosure {
		t.Errorf("%v", code)
	}
	d.wasLost(t)
}

func TestASessionThatTakesNoMoreClosesTheLink(t *testing.T) {
	h := open(t)
	h.board.handle = func(context.Context, *desk, string, protocol.Message) (protocol.Message, error) {
		return nil, errSecret
	}
	c, d := h.greeted()
	c.say("x", protocol.EndWrapUp{})
	if code := c.ends(); code != websocket.StatusTryAgainLater {
		t.Errorf("%v", code)
	}
	d.wasLost(t)
}

func TestLinksEndWhenTheServiceStopsAndNoneBegins(t *testing.T) {
	h := open(t)
	c, d := h.greeted()
	v := h.as("agent")
	waiting := v.call() // has not said hello yet
	done := make(chan error, 1)
	go func() { done <- h.stop() }()
	if code := c.ends(); code != websocket.StatusGoingAway {
		t.Errorf("%v", code)
	}
	if code := waiting.ends(); code != websocket.StatusGoingAway {
		t.Errorf("%v", code)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	d.wasLost(t) // Run has ended, so nothing is left to tell later
	if len(d.lost) != 0 {
		t.Error("told twice")
	}
	if h.server.enterLink() {
		t.Error("a link began after the end")
	}
}

func TestAFloodIsReadSlowlyAndNothingOfItIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pacer{every: time.Second / 20, burst: 60}
		began := time.Now()
		for range 60 {
			_ = p.wait(t.Context())
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("what a client kept during an outage took %v", d)
		}
		for range 200 {
			_ = p.wait(t.Context())
		}
		if d := time.Since(began); d != 10*time.Second {
			t.Errorf("200 more took %v, wanted 10 s", d)
		}
		time.Sleep(time.Minute)
		began = time.Now()
		for range 60 {
			_ = p.wait(t.Context())
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("after a quiet minute: %v", d)
		}
	})
}

func TestAMessageThatCannotBeWrittenDoesNotCostTheLink(t *testing.T) {
	h := open(t)
	c, d := h.greeted()
	d.link.Send("", protocol.State{}) // no state: out of bounds
	d.link.Send("", protocol.State{State: "ready"})
	hears[protocol.State](c, "")
	if !strings.Contains(h.log.String(), "cannot be written") {
		t.Error("the log must tell")
	}
}

// Whatever a client sends: one answer to what carries an id, none made up for what does
// not, everything queued can be written, and what is not the protocol ends the link.
func FuzzAgentFrames(f *testing.F) {
	for _, m := range protocol.Messages() {
		body, err := json.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(fmt.Sprintf(`{"type":%q,"id":"1","body":%s}`, protocol.TypeOf(m), body)))
	}
	f.Add([]byte(`{"type":"set_state","body":{"state":"ready"}}`))
	f.Add([]byte(`{"type":"x","id":"1","body":{}}`))
	f.Add([]byte("\xff"))
	f.Add([]byte(`{"type":"hello","id":"1","body":[]}`))
	log := slog.New(slog.DiscardHandler)
	f.Fuzz(func(t *testing.T, frame []byte) {
		l := &agentLink{limits: defaultLinkLimits(), log: log, out: make(chan outbound, 4), done: make(chan struct{}), ends: make(chan ending, 1)}
		handled := 0
		b := &board{handle: func(_ context.Context, _ *desk, id string, m protocol.Message) (protocol.Message, error) {
			handled++
			if _, greeting := m.(protocol.Hello); greeting || !protocol.FromClient(m) {
				t.Fatalf("the switchboard was handed %T", m)
			}
			if id == "" {
				return nil, nil
			}
			return protocol.Ack{}, nil
		}}
		on := l.take(t.Context(), &desk{board: b}, websocket.MessageText, frame)
		id, _, err := protocol.Decode(frame)
		var queued []outbound
		for len(l.out) > 0 {
			queued = append(queued, <-l.out)
		}
		if err == nil && id != "" && len(queued) != 1 || len(queued) > 1 {
			t.Fatalf("%d answers to %q", len(queued), frame)
		}
		for _, o := range queued {
			if o.id != id {
				t.Fatalf("answer to %q under %q", id, o.id)
			}
			if _, err := protocol.Encode(o.id, o.m); err != nil {
				t.Fatal(err)
			}
			if (o.then != nil) == on {
				t.Fatalf("refused %v, and yet %+v", !on, o)
			}
		}
		if handled == 1 != (err == nil && protocol.FromClient(mustDecode(frame)) && !isHello(frame)) {
			t.Fatalf("handled %d times: %q", handled, frame)
		}
	})
}

func mustDecode(frame []byte) protocol.Message {
	_, m, _ := protocol.Decode(frame)
	return m
}

func isHello(frame []byte) bool {
	_, is := mustDecode(frame).(protocol.Hello)
	return is
}
