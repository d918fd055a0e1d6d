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
			if p.Codec != media.PCMU && p.Codec != media.CN || len(p.Payload) == 0 || len(p.Payload) > len(data)-headerSize {
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

// FuzzRTCP: no datagram harms a session, makes the round trip absurd or reports a quality
// that there is none of.
func FuzzRTCP(f *testing.F) {
	s := still(f, 21900)
	rr, _ := rtcp.ReceiverReport{SSRC: 5, Reports: []rtcp.ReceptionReport{{SSRC: s.sender.SSRC(), LastSenderReport: 1}}}.Marshal()
	f.Add(rr)
	f.Add([]byte{0x81, 200, 0, 6})
	xr, _ := rtcp.Marshal([]rtcp.Packet{&rtcp.ReceiverReport{SSRC: 5}, &rtcp.ExtendedReport{SenderSSRC: 5, Reports: []rtcp.ReportBlock{
		Quality{LossRate: 0.1, R: 80, MOSLQ: 4, MOSCQ: 3}.block(s.sender.SSRC(), time.Second),
	}}})
	f.Add(xr)
	from := netip.AddrPortFrom(loopback, 21999)
	f.Fuzz(func(t *testing.T, data []byte) {
		s.incomingRTCP(data, from, time.Now())
		if rtt := s.Stats().RoundTrip; rtt < 0 || rtt > 65536*time.Second/2 {
			t.Fatalf("round trip %v", rtt)
		}
		heard, q, ok := s.Quality()
		score := func(x float64) bool { return x == 0 || x >= 1 && x <= 5 }
		if heard != (Quality{}) || !ok && q != (Quality{}) || q.LossRate >= 1 || q.DiscardRate >= 1 || q.BurstDensity >= 1 || q.GapDensity >= 1 ||
			q.R < 0 || q.R > 100 || !score(q.MOSLQ) || !score(q.MOSCQ) {
			t.Fatalf("heard %+v, reported %+v", heard, q)
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
