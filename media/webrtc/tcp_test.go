package webrtc

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
)

// blackHole gives a UDP port that takes everything and answers nothing, as behind a firewall.
func blackHole(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return strconv.Itoa(int(conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()))
}

// connectThrough is connect, with another UDP port in the answer.
func connectThrough(t *testing.T, g *Gateway, cfg OfferConfig, port string) (client, service *Peer) {
	t.Helper()
	client, sdp, err := Offer(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	service, answer, err := g.Accept(t.Context(), sdp)
	if err != nil {
		t.Fatal(err)
	}
	replaced := false
	lines := strings.Split(answer, "\r\n")
	for i, line := range lines {
		if f := strings.Fields(line); len(f) > 5 && f[2] == "udp" && f[5] == strconv.Itoa(int(g.Addr().Port())) {
			f[5], replaced = port, true
			lines[i] = strings.Join(f, " ")
		}
	}
	if !replaced {
		t.Fatalf("no UDP port to replace in %s", answer)
	}
	if err := client.Answered(strings.Join(lines, "\r\n")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Peer{client, service} {
		await(t, "connection", p.Connected())
	}
	return client, service
}

// talkBothWays wants a few packets at each end.
func talkBothWays(t *testing.T, client, service *Peer) {
	t.Helper()
	up, down := make(heard, 8), make(heard, 8)
	service.SetSink(up)
	client.SetSink(down)
	stopUp, stopDown := speak(client, media.Opus), speak(service, media.PCMU)
	for range 5 {
		if p := next(t, up); p.Codec != media.Opus {
			t.Errorf("the service heard %v", p.Codec)
		}
		if p := next(t, down); p.Codec != media.PCMU {
			t.Errorf("the client heard %v", p.Codec)
		}
	}
	stopUp()
	stopDown()
}

func TestAnAgentWhomNoUDPReachesIsHeardOverTCP(t *testing.T) {
	g := newGateway(t, Config{ListenTCP: "127.0.0.1:0"})
	client, service := connectThrough(t, g, OfferConfig{}, blackHole(t))
	talkBothWays(t, client, service)
	if err := client.Close(); err != nil {
		t.Error(err)
	}
	await(t, "end of the service's side", service.Done())
}

func TestUDPIsPreferredWhereItWorks(t *testing.T) {
	g := newGateway(t, Config{ListenTCP: "127.0.0.1:0"})
	_, service, answer := connect(t, g, OfferConfig{})
	if want := fmt.Sprintf(" %d typ host tcptype passive", g.AddrTCP().Port()); !strings.Contains(answer, want) {
		t.Fatalf("no TCP candidate in %s", answer)
	}
	pair, err := service.pc.GetSenders()[0].Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Local.Protocol.String() != "udp" {
		t.Errorf("the audio runs over %v (%v)", pair, err)
	}
}

func TestAdvertisedAddressHasItsTCPPort(t *testing.T) {
	g := newGateway(t, Config{ListenTCP: "127.0.0.1:0", Advertise: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")}})
	_, answer, err := g.Accept(t.Context(), chromiumOffer)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		fmt.Sprintf("a=candidate:3 1 tcp 1671430143 192.0.2.7 %d typ host tcptype passive", g.AddrTCP().Port()),
		fmt.Sprintf("a=candidate:4 1 tcp 1671429887 2001:db8::7 %d typ host tcptype passive", g.AddrTCP().Port()),
	} {
		if !strings.Contains(answer, want) {
			t.Errorf("answer lacks %q:\n%s", want, answer)
		}
	}
}

// framed is RFC 4571: two bytes of length, then the packet.
func framed(packet string) []byte {
	return append([]byte{byte(len(packet) >> 8), byte(len(packet))}, packet...)
}

func TestStrangersOnTheTCPPortAreHungUpOn(t *testing.T) {
	g := newGateway(t, Config{ListenTCP: "127.0.0.1:0"})
	client, service := connectThrough(t, g, OfferConfig{}, blackHole(t))
	for name, junk := range map[string][]byte{
		"an HTTP request":           []byte("GET / HTTP/1.1\r\nHost: here\r\n\r\n"),
		"a frame of no STUN":        framed("hello there"),
		"a frame of 64 KiB":         append([]byte{0xff, 0xff}, make([]byte, 64<<10)...),
		"a check without a name":    framed("\x00\x01\x00\x00\x21\x12\xa4\x42abcdefghijkl"),
		"a check for nobody's name": framed("\x00\x01\x00\x08\x21\x12\xa4\x42abcdefghijkl\x00\x06\x00\x03a:b\x00"),
	} {
		stranger, err := net.DialTCP("tcp", nil, net.TCPAddrFromAddrPort(g.AddrTCP()))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stranger.Write(junk) // it may be hung up on meanwhile
		if err := stranger.SetReadDeadline(time.Now().Add(unclaimed + patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, stranger); err != nil {
			if e := net.Error(nil); errors.As(err, &e) && e.Timeout() {
				t.Errorf("%s keeps its connection", name)
			}
		}
		_ = stranger.Close()
	}
	talkBothWays(t, client, service)
}
