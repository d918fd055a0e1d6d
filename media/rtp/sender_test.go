package rtp_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

func TestMusicToAgentToMusicIsOneSeamlessStream(t *testing.T) {
	s := rtp.NewSender(1)
	now := start
	var lastSeq uint16
	var lastTS uint32
	first := true
	for _, source := range []struct {
		id      uint32
		seq, ts uint64
	}{{11, 0, 0}, {22, 1 << 20, 1 << 35}, {11, 900, 5}} {
		for i := range uint64(50) {
			p := media.Packet{Source: source.id, Seq: source.seq + i, Timestamp: source.ts + 160*i, Codec: media.PCMU, Payload: payload20}
			seq, ts, marker, ok := s.NextAt(&p, now)
			if !ok || marker != (i == 0) {
				t.Fatalf("source %d packet %d: ok %v, marker %v", source.id, i, ok, marker)
			}
			if !first && (seq != lastSeq+1 || ts != lastTS+160) {
				t.Fatalf("source %d packet %d: sequence +%d, timestamp +%d", source.id, i, seq-lastSeq, ts-lastTS)
			}
			lastSeq, lastTS, first = seq, ts, false
			now = now.Add(20*time.Millisecond + time.Duration(i%3-1)*time.Millisecond)
		}
	}
}

func TestTimestampAdvancesByThePauseBetweenSources(t *testing.T) {
	s := rtp.NewSender(1)
	_, ts1, _, _ := s.NextAt(&media.Packet{Source: 1, Codec: media.PCMU, Payload: payload20}, start)
	_, ts2, marker, _ := s.NextAt(&media.Packet{Source: 2, Codec: media.PCMU, Payload: payload20}, start.Add(2*time.Second))
	if ts2-ts1 != 16000 || !marker {
		t.Errorf("after 2 s the timestamp is %d on, marker %v; want 16000 and a marker", ts2-ts1, marker)
	}
	_, ts3, _, _ := s.NextAt(&media.Packet{Source: 3, Codec: media.Opus, Payload: []byte{0x48}}, start.Add(3*time.Second))
	if ts3-ts2 != 48000 {
		t.Errorf("1 s before Opus is %d ticks, want 48000", ts3-ts2)
	}
}

func TestGapsAndOrderOfASourceAreKept(t *testing.T) {
	s := rtp.NewSender(1)
	send := func(n uint64) (uint16, bool) {
		seq, _, _, ok := s.NextAt(&media.Packet{Source: 1, Seq: 100 + n, Timestamp: n * 160, Codec: media.PCMU, Payload: payload20}, start)
		return seq, ok
	}
	base, _ := send(0)
	for _, n := range []uint64{1, 5, 3, 4, 200} {
		if seq, ok := send(n); !ok || seq != base+uint16(n) {
			t.Errorf("packet %d went out as base+%d, ok %v", n, seq-base, ok)
		}
	}
	if _, ok := send(200); ok {
		t.Error("a packet was numbered twice")
	}
	if _, ok := send(4); ok {
		t.Error("a packet far behind was numbered again")
	}
}

// Property: whatever is handed to a Sender, no sequence number goes out twice within
// half the number space, and none leaps further than a receiver follows.
func TestNoSequenceNumberIsUsedTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rtp.NewSender(1)
		seen := map[uint16]int{}
		var highest uint16
		for i := range rapid.IntRange(1, 300).Draw(t, "packets") {
			p := media.Packet{
				Source:  rapid.Uint32Range(1, 3).Draw(t, "source"),
				Seq:     rapid.OneOf(rapid.Uint64Range(0, 80), rapid.Uint64()).Draw(t, "seq"),
				Codec:   media.Codec(rapid.IntRange(1, 3).Draw(t, "codec")),
				Payload: payload20,
			}
			seq, _, _, ok := s.NextAt(&p, start.Add(time.Duration(i)*time.Millisecond))
			if !ok {
				continue
			}
			if step := int16(seq - highest); i > 0 && step > 3000 {
				t.Fatalf("a leap of %d", step)
			} else if i == 0 || step > 0 {
				highest = seq
			}
			if at, used := seen[seq]; used && i-at < 10 {
				t.Fatalf("sequence number %d used at packets %d and %d", seq, at, i)
			}
			seen[seq] = i
		}
	})
}
