package bridge_test

import (
	"context"
	"math"
	"net"
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"
	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// trunk is a Session with a bare socket as its party.
type trunk struct {
	*rtp.Session
	t    *testing.T
	conn *net.UDPConn
}

func newTrunk(t *testing.T, ports *rtp.Ports, c media.Codec, ptime time.Duration) *trunk {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rtp.Open(ports)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Configure(rtp.Params{
		Remote: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: []media.Codec{c}, PTime: ptime,
	}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		_ = conn.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return &trunk{s, t, conn}
}

func (k *trunk) say(p *media.Packet, ssrc uint32) {
	k.t.Helper()
	pt := uint8(0)
	if p.Codec == media.PCMA {
		pt = 8
	}
	packet := pionrtp.Packet{Payload: p.Payload, Header: pionrtp.Header{
		Version: 2, PayloadType: pt, SequenceNumber: uint16(p.Seq), Timestamp: uint32(p.Timestamp), SSRC: ssrc,
	}}
	data, err := packet.Marshal()
	if err != nil {
		k.t.Fatal(err)
	}
	if _, err := k.conn.WriteTo(data, net.UDPAddrFromAddrPort(k.LocalAddr())); err != nil {
		k.t.Fatal(err)
	}
}

// hear gives the next n packets, which must follow each other as one stream.
func (k *trunk) hear(n int) []media.Packet {
	k.t.Helper()
	var out []media.Packet
	var buf [2000]byte
	var last pionrtp.Packet
	_ = k.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	for len(out) < n {
		size, err := k.conn.Read(buf[:])
		if err != nil {
			k.t.Fatalf("after %d packets: %v", len(out), err)
		}
		var p pionrtp.Packet
		if err := p.Unmarshal(append([]byte(nil), buf[:size]...)); err != nil {
			k.t.Fatal(err)
		}
		if len(out) > 0 && (p.SSRC != last.SSRC || p.SequenceNumber != last.SequenceNumber+1 || p.Timestamp-last.Timestamp < 160) {
			k.t.Fatalf("packet %d, %+v, does not follow %+v", len(out), p.Header, last.Header)
		}
		last = p
		c := media.PCMU
		if p.PayloadType == 8 {
			c = media.PCMA
		}
		out = append(out, media.Packet{Codec: c, Payload: p.Payload})
	}
	return out
}

func level(t *testing.T, packets []media.Packet) (hz, dbov float64) {
	t.Helper()
	dec, err := codec.NewDecoder(packets[0].Codec, 8000)
	if err != nil {
		t.Fatal(err)
	}
	var pcm []float32
	frame := make([]float32, 960)
	for _, p := range packets {
		n, err := dec.Decode(p.Payload, frame)
		if err != nil {
			t.Fatal(err)
		}
		pcm = append(pcm, frame[:n]...)
	}
	return mediatest.FindTone(pcm, 8000)
}

// TestACallerHearsMusicThenTheOtherPartyAsOneStream is a call in small: on hold, then
// bridged to a trunk of another codec and packet time that changes its SSRC in the
// middle, then on hold again.
func TestACallerHearsMusicThenTheOtherPartyAsOneStream(t *testing.T) {
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 23000, 23099, 0)
	if err != nil {
		t.Fatal(err)
	}
	caller, other := newTrunk(t, ports, media.PCMU, 20*ms), newTrunk(t, ports, media.PCMA, 30*ms)
	pacer := prompt.NewPacer()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = pacer.Run(ctx) }()

	stop := pacer.Play(caller, prompt.Tone(440, -26))
	if hz, dbov := level(t, caller.hear(10)); math.Abs(hz-440) > 2 || math.Abs(dbov+26) > 0.5 {
		t.Errorf("on hold: %.1f Hz at %.2f dBov", hz, dbov)
	}
	stop()
	before := caller.Stats().PacketsOut

	br, err := bridge.Join(caller, other, bridge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	said := voice(t, media.PCMA, 30*ms, 1000, -20, 40)
	for i := range said {
		if i < 20 {
			other.say(&said[i], 5)
		} else {
			said[i].Seq += 30000
			other.say(&said[i], 6)
		}
	}
	held := int(before) - 10 // sent before stop and not read yet
	heard := caller.hear(held + 58)[held:]
	if hz, dbov := level(t, heard); math.Abs(hz-1000) > 1 || math.Abs(dbov+20) > 0.5 {
		t.Errorf("in the call: %.1f Hz at %.2f dBov", hz, dbov)
	}
	br.Close()

	defer pacer.Play(caller, prompt.Tone(440, -26))()
	if hz, _ := level(t, caller.hear(14)[4:]); math.Abs(hz-440) > 2 {
		t.Errorf("on hold again: %.1f Hz", hz)
	}
}
