package sip_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 5 * time.Second

var loopback = netip.MustParseAddr("127.0.0.1")

// nextPorts gives every test its own range of RTP ports, so that tests can run at once. It
// goes round below the ports that the kernel gives out; what is still taken is passed over.
var nextPorts atomic.Int32

func newPorts(t *testing.T, pairs int) *rtp.Ports {
	t.Helper()
	low := 20000 + int(nextPorts.Add(int32(2*pairs))-int32(2*pairs))%12000
	ports, err := rtp.NewPorts(loopback, low, low+2*pairs-1, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

// desk is a handler that hands calls to the test.
type desk chan *sip.Call

func (d desk) Incoming(c *sip.Call) { d <- c }

func (d desk) next(t *testing.T) *sip.Call {
	t.Helper()
	select {
	case c := <-d:
		return c
	case <-time.After(patience):
		t.Fatal("no call came in")
		return nil
	}
}

type handlerFunc func(*sip.Call)

func (f handlerFunc) Incoming(c *sip.Call) { f(c) }

type site struct {
	*sip.Server
	udp, tcp netip.AddrPort
	ports    *rtp.Ports
	stop     func()
}

var everyone = []sip.Trunk{{ID: "carrier", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}

// start runs a server on loopback with quick timers; change may adjust its Config.
func start(t *testing.T, h sip.Handler, change ...func(*sip.Config)) *site {
	t.Helper()
	cfg := sip.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Ports: newPorts(t, 16), Trunks: everyone,
		T1: 50 * time.Millisecond, T2: 200 * time.Millisecond}
	for _, f := range change {
		f(&cfg)
	}
	s, err := sip.New(cfg, h, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	st := &site{Server: s, ports: cfg.Ports}
	st.udp, st.tcp = s.Addrs()
	st.stop = running(t, s.Run)
	return st
}

// running starts run and gives a function that ends it and waits; the test's end does so too.
func running(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	var once atomic.Bool
	stop = func() {
		cancel()
		if once.Swap(true) {
			return
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(2 * patience):
			t.Error("Run did not return")
		}
	}
	t.Cleanup(stop)
	return stop
}

func newClient(t *testing.T, change ...func(*sip.Config)) *sip.Client {
	t.Helper()
	cfg := sip.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Ports: newPorts(t, 220),
		T1: 50 * time.Millisecond, T2: 200 * time.Millisecond}
	for _, f := range change {
		f(&cfg)
	}
	c, err := sip.NewClient(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	running(t, c.Run)
	return c
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func wait(t *testing.T, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
}

// eventually polls for something that no channel tells.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func ended(t *testing.T, c *sip.Call, want string) {
	t.Helper()
	wait(t, "the call's end", c.Done())
	if got := c.Ended(); got != want {
		t.Errorf("call ended by %q, want %q", got, want)
	}
}

// phone is a SIP peer that does just what the test says, over UDP or TCP.
type phone struct {
	t         *testing.T
	network   string // "UDP" or "TCP"
	conn      net.Conn
	in        chan string
	id, toTag string
	branch    string
	cseq      int
	rtpPort   int
}

func newPhone(t *testing.T, network string, server netip.AddrPort) *phone {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), strings.ToLower(network), server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	p := &phone{t: t, network: network, conn: conn, in: make(chan string, 64), cseq: 1, rtpPort: 9,
		id: fmt.Sprintf("%d-%s", time.Now().UnixNano(), conn.LocalAddr())}
	go p.read()
	return p
}

func (p *phone) read() {
	defer close(p.in)
	if p.network == "UDP" {
		buf := make([]byte, 65536)
		for {
			n, err := p.conn.Read(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err == nil {
				p.in <- string(buf[:n])
			}
		}
	}
	r := bufio.NewReader(p.conn)
	for {
		var b strings.Builder
		length := 0
		for {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			b.WriteString(line)
			_, _ = fmt.Sscanf(line, "Content-Length: %d", &length)
			if line == "\r\n" {
				break
			}
		}
		for range length {
			c, err := r.ReadByte()
			if err != nil {
				return
			}
			b.WriteByte(c)
		}
		p.in <- b.String()
	}
}

func (p *phone) raw(msg string) {
	p.t.Helper()
	if _, err := p.conn.Write([]byte(msg)); err != nil {
		p.t.Fatalf("send: %v", err)
	}
}

// request builds a request of this phone's dialog; extra are header lines.
func (p *phone) request(method, body string, extra ...string) string {
	to := "<sip:100@127.0.0.1>"
	if p.toTag != "" {
		to += ";tag=" + p.toTag
	}
	if method != "ACK" && method != "CANCEL" {
		p.branch = fmt.Sprintf("z9hG4bK%d", time.Now().UnixNano())
	}
	branch := p.branch
	if method == "ACK" && p.toTag != "" {
		branch += "ack"
	}
	transport := ""
	if p.network != "UDP" {
		transport = ";transport=" + strings.ToLower(p.network)
	}
	lines := []string{
		method + " sip:100@127.0.0.1 SIP/2.0",
		fmt.Sprintf("Via: SIP/2.0/%s %s;branch=%s;rport", p.network, p.conn.LocalAddr(), branch),
		"Max-Forwards: 70",
		`From: "Ada" <sip:+4930123@127.0.0.1>;tag=caller`,
		"To: " + to,
		"Call-ID: " + p.id,
		fmt.Sprintf("CSeq: %d %s", p.cseq, method),
		fmt.Sprintf("Contact: <sip:ada@%s%s>", p.conn.LocalAddr(), transport),
	}
	lines = append(lines, extra...)
	if body != "" {
		lines = append(lines, "Content-Type: application/sdp")
	}
	lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)), "", body)
	return strings.Join(lines, "\r\n")
}

func (p *phone) send(method, body string, extra ...string) {
	p.t.Helper()
	p.raw(p.request(method, body, extra...))
}

// offer is a session description; attrs are lines of the audio stream.
func (p *phone) offer(formats string, attrs ...string) string {
	return fmt.Sprintf("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio %d RTP/AVP %s\r\n%s",
		p.rtpPort, formats, strings.Join(append(attrs, ""), "\r\n"))
}

// expect skips to the first message that starts so, and remembers its To tag.
func (p *phone) expect(start string) string {
	p.t.Helper()
	deadline := time.After(patience)
	for {
		select {
		case m, ok := <-p.in:
			if !ok {
				p.t.Fatalf("connection closed while waiting for %q", start)
			}
			if strings.HasPrefix(m, start) {
				if _, tag, ok := strings.Cut(header(m, "To"), "tag="); ok && strings.HasPrefix(m, "SIP/2.0 2") {
					p.toTag = tag
				}
				return m
			}
		case <-deadline:
			p.t.Fatalf("no %q within %v", start, patience)
		}
	}
}

// answerBye answers a BYE that came.
func (p *phone) answerBye() {
	p.t.Helper()
	p.respond(p.expect("BYE "), "200 OK")
}

func (p *phone) respond(req, status string) {
	p.t.Helper()
	var b strings.Builder
	b.WriteString("SIP/2.0 " + status + "\r\n")
	for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
		b.WriteString(h + ": " + header(req, h) + "\r\n")
	}
	b.WriteString("Content-Length: 0\r\n\r\n")
	p.raw(b.String())
}

func header(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if k, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

func mustContain(t *testing.T, msg string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(msg, p) {
			t.Errorf("no %q in\n%s", p, msg)
		}
	}
}
