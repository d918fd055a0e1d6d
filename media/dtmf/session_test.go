package dtmf_test

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/dtmf"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
)

const eventType = 101

// far is the other side of a Session: a bare socket that keeps what comes.
type far struct {
	conn *net.UDPConn
	got  chan pionrtp.Packet
}

// open makes a Session that talks to a bare socket.
func open(t *testing.T, p rtp.Params, digit func(rune)) (*rtp.Session, *far) {
	t.Helper()
	ports, err := rtp.NewPorts(netip.MustParseAddr("127.0.0.1"), 24300, 24399, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	s, err := rtp.Open(ports)
	if err != nil {
		t.Fatal(err)
	}
	p.Remote = conn.LocalAddr().(*net.UDPAddr).AddrPort()
	if err := s.Configure(p); err != nil {
		t.Fatal(err)
	}
	if digit != nil {
		s.OnDigit(digit)
	}
	f := &far{conn, make(chan pionrtp.Packet, 1000)}
	ctx, cancel := context.WithCancel(t.Context())
	done, read := make(chan error, 1), make(chan struct{})
	go func() { done <- s.Run(ctx) }()
	go func() {
		defer close(read)
		buf := make([]byte, 2000)
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			var packet pionrtp.Packet
			if packet.Unmarshal(append([]byte(nil), buf[:n]...)) == nil {
				f.got <- packet
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = conn.Close()
		<-read
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s, f
}

// run keeps a loop going for the length of a test.
func run(t *testing.T, loop func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = loop(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// stream checks that packets follow each other as one stream, and gives the events of each press.
func stream(t *testing.T, packets []pionrtp.Packet, samples uint32) (presses [][]pionrtp.Packet) {
	t.Helper()
	var voice *pionrtp.Packet
	for i := range packets {
		p := &packets[i]
		if i > 0 && (p.SSRC != packets[0].SSRC || p.SequenceNumber != packets[i-1].SequenceNumber+1) {
			t.Fatalf("packet %d, %+v, does not follow %+v", i, p.Header, packets[i-1].Header)
		}
		if p.PayloadType != eventType {
			if voice != nil && int32(p.Timestamp-voice.Timestamp) < int32(samples) {
				t.Fatalf("voice packet %d is at %d, after %d", i, p.Timestamp, voice.Timestamp)
			}
			if voice != nil && i > 0 && packets[i-1].PayloadType == eventType && !p.Marker {
				t.Errorf("the voice after a key, packet %d, has no marker", i)
			}
			voice = p
			continue
		}
		if p.Marker {
			if voice != nil && (int32(p.Timestamp-voice.Timestamp) <= 0 || p.Timestamp-voice.Timestamp > 10*samples) && len(presses) == 0 {
				t.Errorf("a key at %d after a voice at %d", p.Timestamp, voice.Timestamp)
			}
			presses = append(presses, nil)
		}
		if len(presses) == 0 {
			t.Fatal("an event before a marker")
		}
		last := len(presses) - 1
		presses[last] = append(presses[last], *p)
	}
	return presses
}

func TestKeysGoOutAmongTheVoiceAsOneStream(t *testing.T) {
	for _, c := range []struct {
		name    string
		params  rtp.Params
		clock   uint32
		samples uint32
	}{
		{"beside PCMU", rtp.Params{Codecs: []media.Codec{media.PCMU}, DTMFPayloadType: eventType}, 8000, 160},
		{"beside Opus at 48 kHz", rtp.Params{Codecs: []media.Codec{media.Opus}, PayloadTypes: map[media.Codec]uint8{media.Opus: 111}, DTMF48: eventType}, 48000, 960},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, f := open(t, c.params, nil)
			pacer, player := prompt.NewPacer(), dtmf.NewPlayer()
			run(t, pacer.Run)
			run(t, player.Run)
			defer pacer.Play(s, prompt.Tone(440, -20))()
			var packets []pionrtp.Packet
			take := func(n int) {
				for range n {
					select {
					case p := <-f.got:
						packets = append(packets, p)
					case <-time.After(10 * time.Second):
						t.Fatalf("%d packets, then none", len(packets))
					}
				}
			}
			take(5)
			if err := player.Press(s, "55*", false); err != nil {
				t.Fatal(err)
			}
			take(15 + 20)
			presses := stream(t, packets, c.samples)
			if len(presses) != 3 {
				t.Fatalf("%d presses", len(presses))
			}
			var keys rtp.Keys
			heard := ""
			for _, press := range presses {
				if len(press) != 5 {
					t.Errorf("%d packets of a press", len(press))
				}
				for i, p := range press {
					if p.Timestamp != press[0].Timestamp || p.Marker != (i == 0) {
						t.Errorf("packet %d of a press: %+v", i, p.Header)
					}
					units := uint32(p.Payload[2])<<8 | uint32(p.Payload[3])
					if end := p.Payload[1]&0x80 != 0; end != (i >= 2) || end && units != c.clock/10 {
						t.Errorf("packet %d of a press: end %v, duration %d", i, end, units)
					}
					if k, ok := keys.Packet(p.Payload, 1, p.Timestamp, p.Marker, int(c.clock)); ok {
						heard += string(k)
					}
				}
			}
			if heard != "55*" {
				t.Errorf("heard %q", heard)
			}
			if step := presses[1][0].Timestamp - presses[0][0].Timestamp; step < c.clock/10 || step > c.clock {
				t.Errorf("the second key is %d units after the first", step)
			}
		})
	}
}

// TestKeysInTheVoiceAreHeardOnce has one Session hear what the tones of another's Player say.
func TestKeysInTheVoiceAreHeardOnce(t *testing.T) {
	for _, c := range []media.Codec{media.PCMU, media.PCMA, media.G722, media.Opus} {
		t.Run(c.String(), func(t *testing.T) {
			digits := make(chan rune, 100)
			types := map[media.Codec]uint8{media.Opus: 111}
			hears, party := open(t, rtp.Params{Codecs: []media.Codec{c}, PayloadTypes: types, InBand: true}, func(d rune) { digits <- d })
			says, way := open(t, rtp.Params{Codecs: []media.Codec{c}, PayloadTypes: types}, nil)
			player := dtmf.NewPlayer()
			run(t, player.Run)
			if err := player.Press(says, "115#", false); err != nil {
				t.Fatal(err)
			}
			heard := ""
			for heard != "115#" {
				select {
				case p := <-way.got:
					data, err := p.Marshal()
					if err != nil {
						t.Fatal(err)
					}
					if _, err := party.conn.WriteTo(data, net.UDPAddrFromAddrPort(hears.LocalAddr())); err != nil {
						t.Fatal(err)
					}
				case d := <-digits:
					heard += string(d)
				case <-time.After(10 * time.Second):
					t.Fatalf("heard %q and no more", heard)
				}
			}
		})
	}
}

// TestListeningForKeysAllocatesNothing sends silence and tones to a Session that listens.
func TestListeningForKeysAllocatesNothing(t *testing.T) {
	enc, err := codec.NewEncoder(media.PCMU, 8000)
	if err != nil {
		t.Fatal(err)
	}
	payload := make([]byte, 160)
	if _, err := enc.Encode(make([]float32, 160), payload); err != nil {
		t.Fatal(err)
	}
	s, f := open(t, rtp.Params{Codecs: []media.Codec{media.PCMU}, InBand: true}, func(rune) {})
	seq := uint16(0)
	buf := make([]byte, 172)
	to := s.LocalAddr()
	send := func() {
		seq++
		h := pionrtp.Header{Version: 2, SequenceNumber: seq, Timestamp: uint32(seq) * 160, SSRC: 1}
		n, _ := h.MarshalTo(buf)
		copy(buf[n:], payload)
		was := s.Stats().PacketsIn
		_, _ = f.conn.WriteToUDPAddrPort(buf, to)
		for deadline := time.Now().Add(5 * time.Second); s.Stats().PacketsIn == was && time.Now().Before(deadline); {
			time.Sleep(100 * time.Microsecond)
		}
	}
	for range 20 {
		send()
	}
	if n := testing.AllocsPerRun(200, send); n > 0.2 {
		t.Errorf("%.2f allocations a packet", n)
	}
}
