package webrtc

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
)

func TestAClientWhoseAddressChangesIsHeardOnAndHears(t *testing.T) {
	g := newGateway(t, Config{})
	wire := newCable(t, g.Addr())
	client, service := connectThrough(t, g, OfferConfig{}, wire.port())
	up, down := make(heard, 8), make(heard, 8)
	service.SetSink(up)
	client.SetSink(down)
	defer speak(client, media.Opus)()
	defer speak(service, media.PCMU)()
	hear(t, "before the change", up)
	hear(t, "before the change", down)
	for range 3 { // to cable, back to Wi-Fi, to cable
		wire.rebind(t)
		changed := time.Now()
		for len(up) > 0 || len(down) > 0 { // what was on its way
			drain(up)
			drain(down)
		}
		hear(t, "after the change", up)
		upAgain := time.Since(changed)
		hear(t, "after the change", down)
		t.Logf("silence after the change of address: up %v, down %v", upAgain, time.Since(changed))
		if gap := time.Since(changed); gap > 5*time.Second {
			t.Errorf("the voices were away for %v", gap)
		}
	}
	for _, p := range []*Peer{client, service} {
		if p.Err() != nil {
			t.Errorf("the connection ended: %v", p.Err())
		}
	}
}

func TestACheckSentAgainByAStrangerDoesNotTakeTheAudioAway(t *testing.T) {
	g := newGateway(t, Config{})
	wire := newCable(t, g.Addr())
	var mu sync.Mutex
	var check []byte // of the client's, as somebody on its network could take it down
	take := func(data []byte) {
		mu.Lock()
		defer mu.Unlock()
		if len(data) > 20 && data[0] == 0 && data[1] == 1 {
			check = append(check[:0], data...)
		}
	}
	wire.tap.Store(&take)
	client, service := connectThrough(t, g, OfferConfig{}, wire.port())
	up, down := make(heard, 8), make(heard, 8)
	service.SetSink(up)
	client.SetSink(down)
	defer speak(client, media.Opus)()
	defer speak(service, media.PCMU)()
	hear(t, "at first", up)

	stranger, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(g.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close() }()
	for range 10 {
		mu.Lock()
		_, err := stranger.Write(check)
		mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		next(t, up)
		next(t, down)
	}
	// All the stranger ever gets is the answer to the check.
	if err := stranger.SetReadDeadline(time.Now().Add(200 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, maxPacket)
	for {
		n, err := stranger.Read(buf)
		if err != nil {
			break
		}
		if n > 0 && buf[0]>>6 == 2 {
			t.Fatal("the stranger was sent audio")
		}
	}
}

func TestAMachineHasAnAddressToShow(t *testing.T) {
	if a := anyAddress(false); !a.Is4() {
		t.Errorf("of IPv4: %v", a)
	}
	if a := anyAddress(true); a.IsValid() && (!a.Is6() || a == netip.IPv6Unspecified()) {
		t.Errorf("of IPv6: %v", a)
	}
}
