package rtp

import (
	"net/netip"
	"testing"
	"time"

	"github.com/pion/rtcp"

	"github.com/headroom-voice/headroom/media"
)

// FuzzRTP: no datagram harms a session, and what reaches the sink is a part of the
// datagram in an agreed codec.
func FuzzRTP(f *testing.F) {
	f.Add([]byte{0x80, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9, 9})
	f.Add([]byte{0xb1, 0x80, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 0x10, 1, 0, 0, 7, 7, 2, 2})
	f.Add([]byte{0x80, 101, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 5, 0x8a, 1, 0})
	s := still(f, 21800)
	from := netip.AddrPortFrom(loopback, 21898)
	f.Fuzz(func(t *testing.T, data []byte) {
		s.SetSink(sinkFunc(func(p *media.Packet) {
			if p.Codec != media.PCMU || len(p.Payload) == 0 || len(p.Payload) > len(data)-headerSize {
				t.Fatalf("the sink was given %+v of %d bytes", p, len(data))
			}
		}))
		before := s.Stats()
		s.incoming(data, from, time.Now())
		if after := s.Stats(); after.Stranger != before.Stranger || after.PacketsIn > before.PacketsIn+1 {
			t.Fatalf("from %+v to %+v", before, after)
		}
	})
}

type sinkFunc func(*media.Packet)

func (f sinkFunc) Packet(p *media.Packet) { f(p) }

// FuzzRTCP: no datagram harms a session, nor makes the round trip absurd.
func FuzzRTCP(f *testing.F) {
	s := still(f, 21900)
	rr, _ := rtcp.ReceiverReport{SSRC: 5, Reports: []rtcp.ReceptionReport{{SSRC: s.sender.SSRC(), LastSenderReport: 1}}}.Marshal()
	f.Add(rr)
	f.Add([]byte{0x81, 200, 0, 6})
	from := netip.AddrPortFrom(loopback, 21999)
	f.Fuzz(func(t *testing.T, data []byte) {
		s.incomingRTCP(data, from, time.Now())
		if rtt := s.Stats().RoundTrip; rtt < 0 || rtt > 65536*time.Second/2 {
			t.Fatalf("round trip %v", rtt)
		}
	})
}

func BenchmarkSessionReceive(b *testing.B) {
	s := still(b, 22000)
	s.SetSink(&counter{})
	from := netip.AddrPortFrom(loopback, 22098)
	data := make([]byte, 12+160)
	data[0] = 0x80
	b.ReportAllocs()
	for seq := 0; b.Loop(); seq++ {
		data[2], data[3] = byte(seq>>8), byte(seq)
		s.incoming(data, from, time.Now())
	}
}

func BenchmarkSessionSend(b *testing.B) {
	s := still(b, 22100)
	p := media.Packet{Source: 1, Codec: media.PCMU, Payload: payload()}
	b.ReportAllocs()
	for b.Loop() {
		p.Seq++
		p.Timestamp += 160
		s.Send(&p)
	}
}
