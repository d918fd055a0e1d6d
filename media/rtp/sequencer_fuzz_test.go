package rtp_test

import (
	"testing"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

// FuzzSequencer: what comes out of a source is in order, each packet once and with its own
// payload, and no piece of it is longer than the stream's time; nothing is lost but what did not
// come, and what a source has begun does not keep the next from being heard.
func FuzzSequencer(f *testing.F) {
	f.Add([]byte{1, 1, 1, 1, 3, 1, 0xff, 1, 1, 0x41, 1, 0x81})
	f.Add([]byte{1, 0x05, 1, 0x0d, 20, 0x01, 0xfe, 0x11})
	f.Fuzz(func(t *testing.T, data []byte) {
		s := rtp.NewSequencer()
		var seq, ts uint64 = 1 << 16, 1 << 32
		pushed, out := 0, 0
		var last media.Packet
		pop := func() {
			for n := 0; ; n++ {
				item, ok := s.Pop()
				if !ok {
					return
				}
				set := 0
				for _, is := range []bool{item.Packet != nil, item.Lost != 0, item.Silence != 0} {
					if is {
						set++
					}
				}
				if set != 1 || item.Lost < 0 || item.Silence < 0 || n > 20 {
					t.Fatalf("piece %d: %+v", n, item)
				}
				p := item.Packet
				if p == nil {
					continue
				}
				out++
				if out > pushed || p.Source == last.Source && out > 1 && p.Seq <= last.Seq {
					t.Fatalf("%d of source %d came out after %d of %d", p.Seq, p.Source, last.Seq, last.Source)
				}
				if p.Payload[0] != byte(p.Seq) || p.Payload[1] != byte(p.Seq>>8) {
					t.Fatalf("packet %d has the payload of another", p.Seq)
				}
				last = *p
			}
		}
		source := uint32(0)
		for ; len(data) >= 2; data = data[2:] {
			seq += uint64(int64(int8(data[0])))
			ts += uint64(int64(int8(data[0]))) * 160
			if data[1]>>6 == 3 {
				source++
				last = media.Packet{}
			}
			c := []media.Codec{media.PCMU, media.PCMA, media.CN, media.G722}[data[1]>>4&3]
			payload := make([]byte, 2+int(data[1]&15)*100)
			payload[0], payload[1] = byte(seq), byte(seq>>8)
			s.Push(&media.Packet{Source: source, Seq: seq, Timestamp: ts, Codec: c, Payload: payload})
			pushed++
			pop()
		}
		// A clean stream of a new source is heard.
		before := out
		source++
		for i := range uint64(10) {
			seq++
			ts += 160
			s.Push(&media.Packet{Source: source, Seq: seq, Timestamp: ts, Codec: media.PCMU, Payload: []byte{byte(seq), byte(seq >> 8)}})
			pushed++
			if pop(); i > 3 && (last.Source != source || last.Seq != seq) {
				t.Fatalf("packet %d of a clean stream: the last one out is %d of source %d", i, last.Seq, last.Source)
			}
		}
		if out-before < 9 {
			t.Fatalf("%d of 10 packets of a clean stream came out", out-before)
		}
	})
}
