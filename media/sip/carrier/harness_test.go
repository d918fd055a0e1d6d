package carrier_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

var (
	loopback  = netip.MustParseAddr("127.0.0.1")
	nextPorts atomic.Int32
)

func newPorts(t *testing.T) *rtp.Ports {
	t.Helper()
	low := 16000 + int(nextPorts.Add(40)-40)%3000
	ports, err := rtp.NewPorts(loopback, low, low+39, 0)
	if err != nil {
		t.Fatal(err)
	}
	return ports
}

func running(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(2 * patience):
			t.Error("Run did not return")
		}
	})
	t.Cleanup(stop)
	return stop
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

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

// newCarrier is a carrier over a client of its own, with trunks, which runs.
func newCarrier(t *testing.T, change func(*carrier.Config), trunks ...carrier.Trunk) (c *carrier.Carrier, stop func()) {
	t.Helper()
	client, err := sip.NewClient(sip.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Ports: newPorts(t), T1: 50 * time.Millisecond, T2: 200 * time.Millisecond}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	running(t, client.Run)
	resolver, err := locate.New(locate.Config{Servers: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:9")}})
	if err != nil {
		t.Fatal(err)
	}
	cfg := carrier.Config{Phone: client, Locator: resolver, DownEvery: 20 * time.Millisecond, BackoffBase: 40 * time.Millisecond, WatchEvery: 20 * time.Millisecond}
	if change != nil {
		change(&cfg)
	}
	c = carrier.New(cfg)
	if err := c.SetTrunks(trunks); err != nil {
		t.Fatal(err)
	}
	return c, running(t, c.Run)
}

// exchange is a carrier's server that takes calls.
type exchange struct {
	*sip.Server
	calls chan *sip.Call
}

func (e *exchange) Incoming(c *sip.Call) { e.calls <- c }

func (e *exchange) target() carrier.Target {
	udp, _ := e.Addrs()
	return carrier.Target{URI: "sip:" + udp.String(), Priority: 9}
}

func newExchange(t *testing.T) *exchange {
	t.Helper()
	e := &exchange{calls: make(chan *sip.Call, 8)}
	trunks := []sip.Trunk{{ID: "us", Sources: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}}
	s, err := sip.New(sip.Config{UDP: "127.0.0.1:0", TCP: "127.0.0.1:0", Ports: newPorts(t), Trunks: trunks, T1: 50 * time.Millisecond}, e, nil)
	if err != nil {
		t.Fatal(err)
	}
	e.Server = s
	if err := s.Listen(t.Context()); err != nil {
		t.Fatal(err)
	}
	running(t, s.Run)
	return e
}

func (e *exchange) next(t *testing.T) *sip.Call {
	t.Helper()
	select {
	case c := <-e.calls:
		return c
	case <-time.After(patience):
		t.Fatal("no call came")
		return nil
	}
}

// peer is a UDP server that answers each request just as the test says: with status lines, one
// response each, and header lines behind them. Nothing is said for "".
type peer struct {
	t    *testing.T
	conn *net.UDPConn
	seen chan string

	mu     sync.Mutex
	answer func(req string) []string
}

func newPeer(t *testing.T, answer func(req string) []string) *peer {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: loopback.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, conn: conn, seen: make(chan string, 256), answer: answer}
	done := make(chan struct{})
	go func() { defer close(done); p.run() }()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return p
}

func always(status ...string) func(string) []string { return func(string) []string { return status } }

func (p *peer) be(answer func(string) []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

func (p *peer) addr() string           { return p.conn.LocalAddr().String() }
func (p *peer) target() carrier.Target { return carrier.Target{URI: "sip:" + p.addr(), Priority: 1} }

func (p *peer) run() {
	buf := make([]byte, 65536)
	for {
		n, from, err := p.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			if strings.Contains(err.Error(), "closed") {
				return
			}
			continue
		}
		req := string(buf[:n])
		if strings.TrimSpace(req) == "" || strings.HasPrefix(req, "SIP/2.0") {
			continue
		}
		select {
		case p.seen <- req:
		default:
		}
		if strings.HasPrefix(req, "ACK ") {
			continue
		}
		p.mu.Lock()
		answers := p.answer(req)
		p.mu.Unlock()
		for _, a := range answers {
			status, extra, _ := strings.Cut(a, "\n")
			lines := []string{"SIP/2.0 " + status}
			for _, h := range []string{"Via", "From", "To", "Call-ID", "CSeq"} {
				v := header(req, h)
				if h == "To" && !strings.Contains(v, "tag=") {
					v += ";tag=far"
				}
				lines = append(lines, h+": "+v)
			}
			if extra != "" {
				lines = append(lines, strings.Split(extra, "\n")...)
			}
			lines = append(lines, "Content-Length: 0", "", "")
			_, _ = p.conn.WriteToUDPAddrPort([]byte(strings.Join(lines, "\r\n")), from)
		}
	}
}

// expect gives the next request of a method.
func (p *peer) expect(method string) string {
	p.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case m := <-p.seen:
			if strings.HasPrefix(m, method+" ") {
				return m
			}
		case <-deadline:
			p.t.Fatalf("no %s within %v", method, patience)
		}
	}
}

func header(msg, name string) string {
	for line := range strings.SplitSeq(msg, "\r\n") {
		if k, v, ok := strings.Cut(line, ": "); ok && strings.EqualFold(k, name) {
			return v
		}
	}
	return ""
}

// server is the state of a trunk's server by its address.
func server(c *carrier.Carrier, addr string) carrier.Server {
	for _, t := range c.States() {
		for _, s := range t.Servers {
			if strings.HasPrefix(s.Address, addr+"/") {
				return s
			}
		}
	}
	return carrier.Server{}
}
