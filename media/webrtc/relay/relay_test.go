package relay

import (
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pion/turn/v5"
	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media/webrtc/relay/relaytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 10 * time.Second

// mediaPort stands for the gateway: it answers every packet with what came and a mark.
func mediaPort(t *testing.T, listen string) *net.UDPConn {
	t.Helper()
	addr, err := net.ResolveUDPAddr("udp", listen)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", addr)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			_, _ = conn.WriteToUDPAddrPort(append(buf[:n:n], '!'), from)
		}
	}()
	t.Cleanup(func() {
		_ = conn.Close()
		<-done
	})
	return conn
}

type house struct {
	*Server
	media netip.AddrPort
	cert  relaytest.Certificate
	now   atomic.Int64 // seconds after the real time
}

func newHouse(t *testing.T, mediaListen string, advertise ...netip.Addr) *house {
	t.Helper()
	h := &house{cert: relaytest.NewCertificate(t)}
	h.media = mediaPort(t, mediaListen).LocalAddr().(*net.UDPAddr).AddrPort()
	s, err := New(Config{
		Listen: "127.0.0.1:0", Certificate: h.cert.Cert, Key: h.cert.Key, Address: "localhost", Media: h.media, Advertise: advertise,
		Now: func() time.Time { return time.Now().Add(time.Duration(h.now.Load()) * time.Second) },
	}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	h.Server = s
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return h
}

func (h *house) dial(t *testing.T) net.Conn {
	t.Helper()
	d := tls.Dialer{Config: &tls.Config{RootCAs: h.cert.Roots, ServerName: "localhost"}} //nolint:gosec // the default is 1.2
	c, err := d.DialContext(t.Context(), "tcp", h.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// client is a TURN client with a ticket, which may be changed first.
func (h *house) client(t *testing.T, change func(*Ticket)) *turn.Client {
	t.Helper()
	ticket := h.Ticket("ada")
	if change != nil {
		change(&ticket)
	}
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: h.Addr().String(), Conn: turn.NewSTUNConn(h.dial(t)), Username: ticket.Username, Password: ticket.Credential,
		LoggerFactory: quiet{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func allocate(t *testing.T, c *turn.Client) net.PacketConn {
	t.Helper()
	relayed, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = relayed.Close() })
	return relayed
}

func say(t *testing.T, relayed net.PacketConn, to netip.AddrPort, text string) {
	t.Helper()
	if _, err := relayed.WriteTo([]byte(text), net.UDPAddrFromAddrPort(to)); err != nil {
		t.Fatal(err)
	}
}

func hears(t *testing.T, relayed net.PacketConn, from netip.AddrPort, text string) {
	t.Helper()
	if err := relayed.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 2048)
	n, addr, err := relayed.ReadFrom(buf)
	if err != nil {
		t.Fatal(err)
	}
	if got := addr.(*net.UDPAddr).AddrPort(); string(buf[:n]) != text || netip.AddrPortFrom(got.Addr().Unmap(), got.Port()) != from {
		t.Errorf("heard %q from %v, wanted %q from %v", buf[:n], got, text, from)
	}
}

func TestWhoHasATicketReachesTheMediaPortOverTLS(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	relayed := allocate(t, h.client(t, nil))
	say(t, relayed, h.media, "hello")
	hears(t, relayed, h.media, "hello!")
	if s := h.Stats(); s.Allocations != 1 {
		t.Errorf("%+v", s)
	}
}

func TestTheMediaPortIsReachedByTheAddressThatAgentsAreTold(t *testing.T) {
	outside := netip.MustParseAddr("192.0.2.7")
	for _, listen := range []string{"127.0.0.1:0", "0.0.0.0:0"} {
		h := newHouse(t, listen, outside)
		relayed := allocate(t, h.client(t, nil))
		told := netip.AddrPortFrom(outside, h.media.Port())
		say(t, relayed, told, "hello")
		hears(t, relayed, told, "hello!")
		if ip := relayed.LocalAddr().(*net.UDPAddr).IP.String(); ip != outside.String() {
			t.Errorf("the client is told that it is at %s", ip)
		}
	}
}

func TestThroughTheRelayNobodyElseIsReached(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	relayed := allocate(t, h.client(t, nil))
	// Another service of this machine, and one elsewhere.
	other, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	say(t, relayed, h.media, "first") // so that there is a permission for the address
	hears(t, relayed, h.media, "first!")
	_, _ = relayed.WriteTo([]byte("to another port"), other.LocalAddr())
	if _, err := relayed.WriteTo([]byte("elsewhere"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 9), Port: int(h.media.Port())}); err == nil {
		t.Error("another address may be sent to")
	}
	say(t, relayed, h.media, "last one")
	hears(t, relayed, h.media, "last one!") // whatever was before it has arrived or was dropped
	if err := other.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 100)
	if n, _, err := other.ReadFrom(buf); err == nil {
		t.Errorf("another port of this machine was sent %q", buf[:n])
	}
}

func TestAStrangerIsNotHeardThroughTheRelay(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	relayed := allocate(t, h.client(t, nil))
	say(t, relayed, h.media, "hello")
	hears(t, relayed, h.media, "hello!")
	stranger, err := net.DialUDP("udp", nil, relayed.LocalAddr().(*net.UDPAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close() }()
	for range 10 {
		_, _ = stranger.Write([]byte("I am the service"))
	}
	say(t, relayed, h.media, "again")
	hears(t, relayed, h.media, "again!")
}

func TestTicketsThatAreNotTakenAllocateNothing(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	for name, change := range map[string]func(*Ticket){
		"over":           func(*Ticket) { h.now.Store(int64(lifetime/time.Second) + 1) },
		"another's name": func(k *Ticket) { k.Username += "x" },
		"a longer life":  func(k *Ticket) { k.Username = "9" + k.Username },
		"no name": func(k *Ticket) {
			k.Username = strings.SplitAfter(k.Username, ":")[0]
			k.Credential = h.credential(k.Username)
		},
		"no time":           func(k *Ticket) { k.Username = "ada"; k.Credential = h.credential("ada") },
		"another's secret":  func(k *Ticket) { k.Credential = "c2VjcmV0" },
		"a time of letters": func(k *Ticket) { k.Username = "soon:ada"; k.Credential = h.credential(k.Username) },
	} {
		c := h.client(t, change)
		if relayed, err := c.Allocate(); err == nil {
			_ = relayed.Close()
			t.Errorf("%s: allocated", name)
		}
		h.now.Store(0)
	}
	if s := h.Stats(); s.Allocations != 0 || s.Refused == 0 {
		t.Errorf("%+v", s)
	}
}

func TestWhatStandsGoesOnWhenItsTicketIsOver(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	relayed := allocate(t, h.client(t, nil))
	h.now.Store(int64(lifetime/time.Second) + 1)
	say(t, relayed, h.media, "hello") // asks for the permission
	hears(t, relayed, h.media, "hello!")
}

func TestOneUserCannotTakeEveryPlace(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	for range perUser {
		allocate(t, h.client(t, nil))
	}
	if _, err := h.client(t, nil).Allocate(); err == nil {
		t.Error("one more is allowed")
	}
	somebody := h.Ticket("bob")
	allocate(t, h.client(t, func(k *Ticket) { *k = somebody }))
}

func TestAllocationsGoWithTheirConnection(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	ticket := h.Ticket("ada")
	raw := h.dial(t)
	c, err := turn.NewClient(&turn.ClientConfig{
		TURNServerAddr: h.Addr().String(), Conn: turn.NewSTUNConn(raw), Username: ticket.Username, Password: ticket.Credential, LoggerFactory: quiet{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Listen(); err != nil {
		t.Fatal(err)
	}
	relayed, err := c.Allocate()
	if err != nil {
		t.Fatal(err)
	}
	_ = raw.Close()     // without a word
	_ = relayed.Close() // which only ends the client's own timers now
	c.Close()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); h.Stats().Allocations > 0 || h.port.inner.Open() > 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("still %+v, %d connections", h.Stats(), h.port.inner.Open())
		}
	}
}

func TestWhatIsNoTURNIsHungUpOn(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	binding := "\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"
	for name, junk := range map[string]string{
		"an HTTP request":          "GET / HTTP/1.1\r\n\r\n",
		"a length that wraps":      "\x00\x03\xff\xec\x21\x12\xa4\x42abcdefghijkl",
		"a channel that wraps":     "\x40\x00\xff\xfcabcdefgh",
		"a message of 64 KiB":      "\x00\x03\xff\x00\x21\x12\xa4\x42abcdefghijkl" + strings.Repeat("x", 64<<10),
		"a hundred questions":      strings.Repeat(binding, 100),
		"a length that is not 4's": "\x00\x01\x00\x03\x21\x12\xa4\x42abcdefghijklxyz",
	} {
		c := h.dial(t)
		_, _ = io.WriteString(c, junk) // it may be hung up on meanwhile
		if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
				t.Errorf("%s keeps its connection", name)
			}
		}
	}
	relayed := allocate(t, h.client(t, nil))
	say(t, relayed, h.media, "still here")
	hears(t, relayed, h.media, "still here!")
}

func TestTicketsAreOfTheFormThatBrowsersKnow(t *testing.T) {
	h := newHouse(t, "127.0.0.1:0")
	k := h.Ticket("ada")
	if want := "turns:localhost:" + h.Addr().String()[strings.LastIndex(h.Addr().String(), ":")+1:] + "?transport=tcp"; k.URL != want {
		t.Errorf("URL %q, wanted %q", k.URL, want)
	}
	h.cfg.Address = "media.example:443"
	if k := h.Ticket("ada"); k.URL != "turns:media.example:443?transport=tcp" {
		t.Errorf("URL %q", k.URL)
	}
	h.cfg.Address = "2001:db8::7"
	if k := h.Ticket("ada"); !strings.HasPrefix(k.URL, "turns:[2001:db8::7]:") {
		t.Errorf("URL %q", k.URL)
	}
}

func TestABadCertificateIsSaid(t *testing.T) {
	_, err := New(Config{Listen: "127.0.0.1:0", Certificate: "nowhere.pem", Key: "nowhere.pem"}, slog.New(slog.DiscardHandler))
	if err == nil || !strings.Contains(err.Error(), "nowhere.pem") {
		t.Errorf("%v", err)
	}
}
