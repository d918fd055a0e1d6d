package webrtc

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// cable is a UDP path to a gateway, for one client, that can be cut.
type cable struct {
	near   *net.UDPConn
	far    atomic.Pointer[net.UDPConn]
	client atomic.Pointer[netip.AddrPort]
	cut    atomic.Bool

	to       netip.AddrPort
	tap      atomic.Pointer[func(fromClient []byte)] // before anything is carried
	carriers sync.WaitGroup
	sent     atomic.Int64 // packets of the service's, whether or not they were carried
}

func newCable(t *testing.T, to netip.AddrPort) *cable {
	t.Helper()
	near, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{near: near, to: to}
	c.carriers.Go(func() {
		c.carry(near, func(data []byte, from netip.AddrPort) {
			c.client.Store(&from)
			if tap := c.tap.Load(); tap != nil {
				(*tap)(data)
			}
			_, _ = c.far.Load().Write(data)
		})
	})
	c.rebind(t)
	t.Cleanup(func() {
		_, _ = near.Close(), c.far.Load().Close()
		c.carriers.Wait()
	})
	return c
}

// rebind gives the client another address, as a change of networks does. The old one is dark.
func (c *cable) rebind(t *testing.T) {
	t.Helper()
	far, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(c.to))
	if err != nil {
		t.Fatal(err)
	}
	if old := c.far.Swap(far); old != nil {
		_ = old.Close()
	}
	c.carriers.Go(func() {
		c.carry(far, func(data []byte, _ netip.AddrPort) {
			if client := c.client.Load(); client != nil {
				_, _ = c.near.WriteToUDPAddrPort(data, *client)
			}
		})
	})
}

func (c *cable) carry(from *net.UDPConn, forward func([]byte, netip.AddrPort)) {
	buf := make([]byte, maxPacket)
	for {
		n, addr, err := from.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if from != c.near {
			c.sent.Add(1)
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
	client, service := connectThrough(t, g, OfferConfig{LostAfter: lostAfter}, wire.port())
	up, down := make(heard, 8), make(heard, 8)
	service.SetSink(up)
	client.SetSink(down)
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

// RFC 7675 section 5.1: without consent nothing is sent, after 30 s at most.
func TestNothingIsSentAnyMoreToOneWhoVanished(t *testing.T) {
	const lostAfter = time.Second // 15 s in the product
	g := newGateway(t, Config{LostAfter: lostAfter})
	wire := newCable(t, g.Addr())
	client, service := connectThrough(t, g, OfferConfig{LostAfter: lostAfter}, wire.port())
	defer speak(client, media.Opus)()
	defer speak(service, media.PCMU)()
	down := make(heard, 8)
	client.SetSink(down)
	hear(t, "before", down)

	wire.cut.Store(true) // not a word more of the client's, and the service's go nowhere
	await(t, "end", service.Done())
	if err := service.Err(); !errors.Is(err, ErrLost) {
		t.Errorf("the cause is %v, wanted ErrLost", err)
	}
	if err := service.Close(); err != nil {
		t.Fatal(err)
	}
	await(t, "end of the client's side", client.Done())
	before := wire.sent.Load()
	for p := (media.Packet{Codec: media.PCMU, Payload: make([]byte, 160)}); p.Seq < 50; p.Seq++ {
		service.Send(&p)
	}
	wire.rebind(t) // ends the reader of what came, once it has read all of it
	if after := wire.sent.Load(); before == 0 || after != before {
		t.Errorf("%d packets were sent after the end", after-before)
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
