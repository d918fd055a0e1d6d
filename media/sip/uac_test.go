package sip_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
)

// callee is a UDP peer that answers just as the test says.
type callee struct {
	*phone
	socket *net.UDPConn
	from   netip.AddrPort
}

func newCallee(t *testing.T) *callee {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := &callee{phone: &phone{t: t, network: "UDP", in: make(chan string, 64)}, socket: conn}
	return c
}

func (c *callee) target() string { return "sip:100@" + c.socket.LocalAddr().String() }

// request waits for the next request of a method.
func (c *callee) expectRequest(method string) string {
	c.t.Helper()
	buf := make([]byte, 65536)
	_ = c.socket.SetReadDeadline(time.Now().Add(patience))
	for {
		n, from, err := c.socket.ReadFromUDPAddrPort(buf)
		if err != nil {
			c.t.Fatalf("no %s: %v", method, err)
		}
		c.from = from
		if m := string(buf[:n]); strings.HasPrefix(m, method+" ") {
			return m
		}
	}
}

// reply answers req; with a body it is an answer with one.
func (c *callee) reply(req, status, tag, body string, extra ...string) {
	c.t.Helper()
	lines := []string{"SIP/2.0 " + status}
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		v := header(req, h)
		if h == "To" && tag != "" && !strings.Contains(v, "tag=") {
			v += ";tag=" + tag
		}
		lines = append(lines, h+": "+v)
	}
	lines = append(lines, "Contact: <sip:100@"+c.socket.LocalAddr().String()+">")
	lines = append(lines, extra...)
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, "", body)
	if _, err := c.socket.WriteToUDPAddrPort([]byte(strings.Join(lines, "\r\n")), c.from); err != nil {
		c.t.Fatal(err)
	}
}

type dialed struct {
	call *sip.Call
	err  error
}

func dial(ctx context.Context, client *sip.Client, to sip.Outgoing) chan dialed {
	out := make(chan dialed, 1)
	go func() {
		call, err := client.Dial(ctx, to)
		out <- dialed{call, err}
	}()
	return out
}

func TestDialRingsAndIsAnswered(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	far.rtpPort = 4000
	progress := make(chan int, 8)
	out := dial(within(t), client, sip.Outgoing{Target: far.target(), From: "+49301", FromName: "Ada", PTime: 40 * time.Millisecond,
		Codecs: []media.Codec{media.PCMA}, Progress: func(status int) { progress <- status }})
	invite := far.expectRequest("INVITE")
	mustContain(t, invite, `From: "Ada" <sip:+49301@127.0.0.1>;tag=`, "RTP/AVP 8 101", "a=ptime:40", "Supported: timer")
	far.reply(invite, "100 Trying", "", "")
	for _, p := range []struct {
		line   string
		status int
	}{{"183 Session Progress", 183}, {"180 Ringing", 180}} {
		far.reply(invite, p.line, "a", "") // one at a time: sipgo gives each message a goroutine
		select {
		case got := <-progress:
			if got != p.status {
				t.Errorf("progress %d, want %d", got, p.status)
			}
		case <-time.After(patience):
			t.Fatalf("no progress %d", p.status)
		}
	}
	far.reply(invite, "200 OK", "a", far.offer("8"))
	far.expectRequest("ACK")
	d := <-out
	if d.err != nil {
		t.Fatal(d.err)
	}
	if d.call.Leg().Preferred() != media.PCMA {
		t.Errorf("leg prefers %v", d.call.Leg().Preferred())
	}
	far.reply(invite, "200 OK", "a", far.offer("8")) // the ACK was lost
	far.expectRequest("ACK")
	far.reply(invite, "200 OK", "b", far.offer("8")) // a second callee behind a forking proxy
	far.expectRequest("ACK")
	stray := far.expectRequest("BYE")
	mustContain(t, header(stray, "To"), "tag=b")
	far.reply(stray, "200 OK", "", "")
	go func() { _ = d.call.Hangup(within(t)) }()
	bye := far.expectRequest("BYE")
	mustContain(t, header(bye, "To"), "tag=a")
	far.reply(bye, "200 OK", "", "")
	ended(t, d.call, sip.CauseLocal)
}

func TestDialIsRefused(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	out := dial(within(t), client, sip.Outgoing{Target: far.target()})
	invite := far.expectRequest("INVITE")
	far.reply(invite, "503 Service Unavailable", "a", "", "Retry-After: 18 (soon);duration=5")
	far.expectRequest("ACK")
	var refused *sip.RejectedError
	if d := <-out; !errors.As(d.err, &refused) || refused.Status != 503 || refused.RetryAfter != 18*time.Second {
		t.Errorf("%v", d.err)
	}
	far.reply(invite, "503 Service Unavailable", "a", "") // the ACK was lost
}

func TestDialIsCancelled(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	ctx, cancel := context.WithCancel(within(t))
	out := dial(ctx, client, sip.Outgoing{Target: far.target()})
	invite := far.expectRequest("INVITE")
	cancel() // nothing came back yet: CANCEL must wait for it
	if d := <-out; !errors.Is(d.err, context.Canceled) {
		t.Errorf("%v", d.err)
	}
	far.reply(invite, "180 Ringing", "a", "")
	c := far.expectRequest("CANCEL")
	if header(c, "Via") != header(invite, "Via") || header(c, "CSeq") != "1 CANCEL" {
		t.Errorf("CANCEL does not match its INVITE:\n%s", c)
	}
	far.reply(c, "200 OK", "a", "")
	far.reply(invite, "487 Request Terminated", "a", "")
	far.expectRequest("ACK")
}

func TestAnswerThatCrossesOurCancelIsHungUp(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	ctx, cancel := context.WithCancel(within(t))
	out := dial(ctx, client, sip.Outgoing{Target: far.target()})
	invite := far.expectRequest("INVITE")
	far.reply(invite, "180 Ringing", "a", "")
	cancel()
	<-out
	far.reply(far.expectRequest("CANCEL"), "200 OK", "a", "")
	far.reply(invite, "200 OK", "a", far.offer("0"))
	far.expectRequest("ACK")
	far.reply(far.expectRequest("BYE"), "200 OK", "", "")
}

func TestUselessAnswerIsHungUp(t *testing.T) {
	t.Parallel()
	client, far := newClient(t), newCallee(t)
	out := dial(within(t), client, sip.Outgoing{Target: far.target()})
	invite := far.expectRequest("INVITE")
	far.reply(invite, "200 OK", "a", far.offer("18"))
	far.expectRequest("ACK")
	far.reply(far.expectRequest("BYE"), "200 OK", "", "")
	if d := <-out; d.err == nil {
		t.Error("answered")
	}
}

func TestDialNowhere(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	for _, target := range []string{"", "hello", "tel:123", "sip:", "sips:1@127.0.0.1", "sip:1@127.0.0.1;transport=ws"} {
		if _, err := client.Dial(within(t), sip.Outgoing{Target: target}); err == nil {
			t.Errorf("%q: dialled", target)
		}
	}
	if _, err := client.Dial(within(t), sip.Outgoing{Target: "sip:1@127.0.0.1:1;transport=tcp"}); err == nil {
		t.Error("a closed TCP port answered")
	}
}

func TestDialWhereNobodyListensFailsSoon(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	dead := newCallee(t)
	target := dead.target()
	_ = dead.socket.Close()
	_, err := client.Dial(within(t), sip.Outgoing{Target: target, Patience: time.Minute})
	if !errors.Is(err, sip.ErrNoReply) || !strings.Contains(err.Error(), "nobody listens") {
		t.Errorf("dial a closed UDP port: %v", err)
	}
}

func TestDialSomebodyWhoNeverRepliesEndsWithPatience(t *testing.T) {
	t.Parallel()
	client := newClient(t)
	mute := newCallee(t)
	_, err := client.Dial(within(t), sip.Outgoing{Target: mute.target(), Patience: 100 * time.Millisecond})
	if !errors.Is(err, sip.ErrNoReply) || !strings.Contains(err.Error(), "within 100ms") {
		t.Errorf("dial somebody mute: %v", err)
	}
	// The reply that comes too late is still met properly.
	mute.reply(mute.expectRequest("INVITE"), "180 Ringing", "late", "")
	mute.expectRequest("CANCEL")
}
