package webrtc

import (
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// cable is a UDP path to a gateway, for one client, that can be cut.
type cable struct {
	near, far *net.UDPConn
	client    atomic.Pointer[netip.AddrPort]
	cut       atomic.Bool
	moved     atomic.Pointer[net.UDPConn] // in place of far, for what the client sends
}

func newCable(t *testing.T, to netip.AddrPort) *cable {
	t.Helper()
	near, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	far, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{near: near, far: far}
	done := make(chan struct{}, 2)
	go c.carry(near, done, func(data []byte, from netip.AddrPort) {
		c.client.Store(&from)
		if other := c.moved.Load(); other != nil {
			_, _ = other.Write(data)
			return
		}
		_, _ = far.Write(data)
	})
	go c.carry(far, done, func(data []byte, _ netip.AddrPort) {
		if client := c.client.Load(); client != nil {
			_, _ = near.WriteToUDPAddrPort(data, *client)
		}
	})
	t.Cleanup(func() {
		_, _ = near.Close(), far.Close()
		<-done
		<-done
	})
	return c
}

func (c *cable) carry(from *net.UDPConn, done chan<- struct{}, forward func([]byte, netip.AddrPort)) {
	defer func() { done <- struct{}{} }()
	buf := make([]byte, maxPacket)
	for {
		n, addr, err := from.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if !c.cut.Load() {
			forward(buf[:n], addr)
		}
	}
}

// port of the near end, for the client to use in place of the gateway's.
func (c *cable) port() string {
	return strconv.Itoa(int(c.near.LocalAddr().(*net.UDPAddr).AddrPort().Port()))
}

func TestVoiceComesBackByItselfAfterANetworkOutage(t *testing.T) {
	const lostAfter = 3 * time.Second // as a third of it, the outage is as 5 s to the default
	g := newGateway(t, Config{LostAfter: lostAfter})
	wire := newCable(t, g.Addr())
	client, sdp, err := Offer(OfferConfig{LostAfter: lostAfter}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	service, answer, err := g.Accept(t.Context(), sdp)
	if err != nil {
		t.Fatal(err)
	}
	gatewayPort := " " + strconv.Itoa(int(g.Addr().Port())) + " typ host"
	if !strings.Contains(answer, gatewayPort) {
		t.Fatalf("no port to replace in %s", answer)
	}
	if err := client.Answered(strings.ReplaceAll(answer, gatewayPort, " "+wire.port()+" typ host")); err != nil {
		t.Fatal(err)
	}
	up, down := make(heard, 8), make(heard, 8)
	service.SetSink(up)
	client.SetSink(down)
	for _, p := range []*Peer{client, service} {
		await(t, "connection", p.Connected())
	}
	defer speak(client, media.Opus)()
	defer speak(service, media.PCMU)()
	hear(t, "before the outage", up)
	hear(t, "before the outage", down)

	wire.cut.Store(true)
	select {
	case <-client.Done():
		t.Fatalf("the client gave up: %v", client.Err())
	case <-service.Done():
		t.Fatalf("the service gave up: %v", service.Err())
	case <-time.After(lostAfter / 3):
	}
	for len(up) > 0 || len(down) > 0 { // what was heard before
		drain(up)
		drain(down)
	}
	wire.cut.Store(false)
	restored := time.Now()
	hear(t, "after the outage", up)
	hear(t, "after the outage", down)
	if took := time.Since(restored); took > time.Second {
		t.Errorf("the voices took %v to come back", took)
	}
}

func hear(t *testing.T, when string, h heard) {
	t.Helper()
	select {
	case <-h:
	case <-time.After(patience):
		t.Fatalf("no voice %s", when)
	}
}

func drain(h heard) {
	select {
	case <-h:
	default:
	}
}

func TestTwoHundredAgentsWhoComeAndDropLeaveNothingBehind(t *testing.T) {
	g := newGateway(t, Config{ConnectTimeout: 500 * time.Millisecond})
	for range 200 {
		client, sdp, err := Offer(OfferConfig{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if err := client.Close(); err != nil { // its DTLS never comes
			t.Fatal(err)
		}
		if _, _, err := g.Accept(t.Context(), sdp); err != nil {
			t.Fatal(err)
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); g.Peers() > 0; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d peers are still held", g.Peers())
		}
	}
}
