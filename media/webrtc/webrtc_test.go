package webrtc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media"
)

const patience = 10 * time.Second

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// heard collects what a leg's far side said.
type heard chan media.Packet

func (h heard) Packet(p *media.Packet) {
	kept := *p
	kept.Payload = append([]byte(nil), p.Payload...)
	select {
	case h <- kept:
	default:
	}
}

func newGateway(t testing.TB, cfg Config) *Gateway {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	g, err := New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Errorf("close gateway: %v", err)
		}
	})
	return g
}

// connect brings a client and the service's peer together.
func connect(t testing.TB, g *Gateway, cfg OfferConfig) (client, service *Peer, answer string) {
	t.Helper()
	client, sdp, err := Offer(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := client.Close(); err != nil {
			t.Errorf("close client: %v", err)
		}
	})
	service, answer, err = g.Accept(t.Context(), sdp)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Answered(answer); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Peer{client, service} {
		await(t, "connection", p.Connected())
	}
	return client, service, answer
}

func await(t testing.TB, what string, c <-chan struct{}) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
	}
}

// speak sends numbered packets every 20 ms until stopped.
func speak(leg media.Leg, codec media.Codec) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		p := media.Packet{Source: media.NewSource(), Codec: codec}
		for ctx.Err() == nil {
			p.Payload = fmt.Appendf(p.Payload[:0], "%v packet %04d", codec, p.Seq)
			leg.Send(&p)
			p.Seq++
			p.Timestamp += uint64(codec.ClockRate() / 50)
			<-tick.C
		}
	}()
	return func() { cancel(); <-done }
}

func TestBothSidesHearEachOther(t *testing.T) {
	g := newGateway(t, Config{})
	client, service, answer := connect(t, g, OfferConfig{})

	up, down := make(heard, 64), make(heard, 64)
	service.SetSink(up)
	client.SetSink(down)
	defer speak(client, media.Opus)()
	stop := speak(service, media.PCMU)

	for range 10 {
		if p := next(t, up); p.Codec != media.Opus || !strings.HasPrefix(string(p.Payload), "opus packet ") {
			t.Fatalf("service heard %v %q", p.Codec, p.Payload)
		}
		if p := next(t, down); p.Codec != media.PCMU || !strings.HasPrefix(string(p.Payload), "PCMU packet ") {
			t.Fatalf("client heard %v %q, wanted the trunk's packet as it was", p.Codec, p.Payload)
		}
	}
	stop()

	// The codec changes with the next packet, without a word of signalling.
	for _, codec := range []media.Codec{media.PCMA, media.Opus, media.PCMU} {
		stop := speak(service, codec)
		for p := next(t, down); p.Codec != codec; p = next(t, down) {
			continue
		}
		stop()
	}

	if got := service.Preferred(); got != media.PCMU {
		t.Errorf("the service would encode %v for the agent, want PCMU: it costs a thousandth", got)
	}
	if got := client.Preferred(); got != media.Opus {
		t.Errorf("the client would encode %v, want opus", got)
	}
	if service.Accepts(media.NoCodec) || service.Accepts(media.Codec(200)) {
		t.Error("accepts a codec that there is not")
	}
	if !strings.Contains(answer, "a=ice-lite") || !strings.Contains(answer, "maxplaybackrate=16000") || !strings.Contains(answer, "useinbandfec=1") {
		t.Errorf("answer lacks ice-lite or the Opus parameters:\n%s", answer)
	}
	if !strings.Contains(answer, fmt.Sprintf(" %d typ host", g.Addr().Port())) {
		t.Errorf("answer does not name port %d:\n%s", g.Addr().Port(), answer)
	}
	s := service.Stats()
	if s.PacketsIn < 10 || s.PacketsOut < 10 || s.Codec != media.Opus || s.LastIn.IsZero() || s.Lost != 0 {
		t.Errorf("stats: %+v", s)
	}
}

func next(t testing.TB, h heard) media.Packet {
	t.Helper()
	select {
	case p := <-h:
		return p
	case <-time.After(patience):
		t.Fatal("heard nothing")
		return media.Packet{}
	}
}

func TestSeveralAgentsShareOnePort(t *testing.T) {
	g := newGateway(t, Config{})
	const agents = 4
	for i := range agents {
		client, service, _ := connect(t, g, OfferConfig{})
		up := make(heard, 64)
		service.SetSink(up)
		payload := fmt.Sprintf("agent %d", i)
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(20 * time.Millisecond)
			defer tick.Stop()
			for n := uint64(0); ; n++ {
				client.Send(&media.Packet{Source: 1, Seq: n, Timestamp: n * 960, Codec: media.Opus, Payload: []byte(payload)})
				select {
				case <-tick.C:
				case <-stop:
					return
				}
			}
		}()
		for range 3 {
			if p := next(t, up); string(p.Payload) != payload {
				t.Errorf("peer %d heard %q", i, p.Payload)
			}
		}
		close(stop)
		<-done
	}
	if got := g.Peers(); got != agents {
		t.Errorf("%d peers, want %d", got, agents)
	}
}

func TestReportsGoBothWaysAndGiveTheRoundTrip(t *testing.T) {
	g := newGateway(t, Config{})
	client, service, _ := connect(t, g, OfferConfig{})
	up, down := make(heard, 1), make(heard, 1)
	client.SetSink(down)
	service.SetSink(up)
	defer speak(client, media.Opus)()
	defer speak(service, media.PCMU)()
	next(t, up)
	next(t, down)

	deadline := time.After(patience)
	for service.Stats().RoundTrip == 0 || client.Stats().RoundTrip == 0 {
		// Not to wait for the 5 s clock: each report is what the timer would send.
		client.report()
		service.report()
		select {
		case <-time.After(20 * time.Millisecond):
		case <-deadline:
			t.Fatalf("round trip: service %v, client %v", service.Stats().RoundTrip, client.Stats().RoundTrip)
		}
	}
	if rtt := service.Stats().RoundTrip; rtt > time.Second {
		t.Errorf("round trip %v on loopback", rtt)
	}
}

func TestClientThatLeavesIsNoticedAtOnce(t *testing.T) {
	g := newGateway(t, Config{})
	client, service, _ := connect(t, g, OfferConfig{})
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "end of the service's side", service.Done())
	if err := service.Err(); !errors.Is(err, ErrClosed) {
		t.Errorf("cause %v, want ErrClosed", err)
	}
	service.Send(&media.Packet{Codec: media.PCMU, Payload: []byte("to nobody")})
	if err := service.Close(); err != nil {
		t.Error(err)
	}
	if err := client.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func TestConnectionThatIsNeverSetUpIsGivenUp(t *testing.T) {
	g := newGateway(t, Config{ConnectTimeout: 100 * time.Millisecond})
	client, sdp, err := Offer(OfferConfig{ConnectTimeout: 100 * time.Millisecond}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	service, _, err := g.Accept(t.Context(), sdp)
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*Peer{"service": service, "client": client} {
		await(t, "end of the "+name, p.Done())
		if !errors.Is(p.Err(), ErrConnectTimeout) {
			t.Errorf("%s: cause %v", name, p.Err())
		}
		await(t, "release of the "+name, p.freed)
	}
	if n := g.Peers(); n != 0 {
		t.Errorf("%d peers still held", n)
	}
}

func TestDeadNetworkIsNoticed(t *testing.T) {
	g := newGateway(t, Config{LostAfter: 600 * time.Millisecond})
	client, service, _ := connect(t, g, OfferConfig{LostAfter: 600 * time.Millisecond})
	// The service's port goes away without a word, as when a cable is pulled.
	if err := g.door.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "client notices", client.Done())
	if !errors.Is(client.Err(), ErrLost) {
		t.Errorf("cause %v, want ErrLost", client.Err())
	}
	await(t, "service notices", service.Done())
}

func TestGatewayCloseEndsEveryPeer(t *testing.T) {
	g := newGateway(t, Config{})
	var all []*Peer
	for range 3 {
		// The goodbye is one datagram; a client that misses it notices the silence.
		client, service, _ := connect(t, g, OfferConfig{LostAfter: 3 * time.Second})
		all = append(all, client, service)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		await(t, "end", p.Done())
	}
	if _, _, err := g.Accept(t.Context(), chromiumOffer); !errors.Is(err, ErrClosed) {
		t.Errorf("accept after close: %v", err)
	}
}

func TestFullGatewaySaysSo(t *testing.T) {
	g := newGateway(t, Config{MaxPeers: 1})
	if _, _, err := g.Accept(t.Context(), chromiumOffer); err != nil {
		t.Fatal(err)
	}
	if _, _, err := g.Accept(t.Context(), chromiumOffer); !errors.Is(err, ErrFull) {
		t.Errorf("second peer of one: %v", err)
	}
}

func TestAdvertisedAddressStandsInTheAnswer(t *testing.T) {
	g := newGateway(t, Config{Advertise: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}})
	_, answer, err := g.Accept(t.Context(), chromiumOffer)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("a=candidate:1 1 udp 2130706431 192.0.2.7 %d typ host", g.Addr().Port()),
		fmt.Sprintf("a=candidate:2 1 udp 2130706175 2001:db8::7 %d typ host", g.Addr().Port()),
	} {
		if !strings.Contains(answer, want) {
			t.Errorf("answer lacks %q", want)
		}
	}
	if strings.Contains(answer, "127.0.0.1") {
		t.Errorf("answer gives the inner address away:\n%s", answer)
	}
}

func TestStrangersOnThePortDisturbNobody(t *testing.T) {
	g := newGateway(t, Config{})
	client, service, _ := connect(t, g, OfferConfig{})
	stranger, err := new(net.Dialer).DialContext(t.Context(), "udp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	for _, junk := range [][]byte{{}, {0}, make([]byte, 1500), []byte("\x00\x01\x00\x00\x21\x12\xa4\x42hello there"), {0x80, 111, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1}} {
		for range 20 {
			if _, err := stranger.Write(junk); err != nil {
				t.Fatal(err)
			}
		}
	}
	up := make(heard, 8)
	service.SetSink(up)
	defer speak(client, media.Opus)()
	for range 5 {
		if p := next(t, up); !strings.HasPrefix(string(p.Payload), "opus packet ") {
			t.Fatalf("heard %q", p.Payload)
		}
	}
}

func TestSendingCostsNoGarbageOfOurs(t *testing.T) {
	g := newGateway(t, Config{})
	_, service, _ := connect(t, g, OfferConfig{})
	p := media.Packet{Source: 1, Codec: media.PCMU, Payload: make([]byte, 160)}
	allocs := testing.AllocsPerRun(200, func() {
		p.Seq++
		p.Timestamp += 160
		service.Send(&p)
	})
	if allocs >= 1 {
		t.Errorf("%.1f allocations per packet sent", allocs)
	}
	t.Logf("%.1f allocations per packet sent", allocs)
	before := service.Stats().Refused
	service.Send(&media.Packet{Codec: media.NoCodec})
	if got := service.Stats().Refused - before; got != 1 {
		t.Errorf("%d packets counted as refused, want 1", got)
	}
}
