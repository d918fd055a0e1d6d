package rtp_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

// sequence pushes packets n (20 ms of PCMU, source 1 unless "n/s") and writes down what
// comes out: the number, L or S and milliseconds.
func sequence(s *rtp.Sequencer, packets string) string {
	var out []string
	for _, word := range strings.Fields(packets) {
		var n, source uint64 = 0, 1
		if _, err := fmt.Sscanf(word, "%d/%d", &n, &source); err != nil {
			_, _ = fmt.Sscanf(word, "%d", &n)
		}
		s.Push(&media.Packet{Source: uint32(source), Seq: 1000 + n, Timestamp: 160 * n, Codec: media.PCMU, Payload: payload20})
		for item, ok := s.Pop(); ok; item, ok = s.Pop() {
			switch {
			case item.Packet != nil:
				out = append(out, fmt.Sprint(item.Packet.Seq-1000))
			case item.Lost > 0:
				out = append(out, fmt.Sprintf("L%d", item.Lost/8))
			default:
				out = append(out, fmt.Sprintf("S%d", item.Silence/8))
			}
		}
		out = append(out, "|")
	}
	return strings.Join(out, " ")
}

func TestSequencerPutsPacketsInOrderAndFindsWhatIsMissing(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"in order", "1 2 3", "1 | 2 | 3 |"},
		{"two swapped", "1 3 2 4", "1 | | 2 3 | 4 |"},
		{"twice", "1 2 2 4 4 3", "1 | 2 | | | | 3 4 |"},
		{"one lost", "1 3 4 5", "1 | | L20 3 4 | 5 |"},
		{"five lost", "1 7 8", "1 | | L100 7 8 |"},
		{"too late", "1 3 4 2 5", "1 | | L20 3 4 | | 5 |"},
		{"late teaches it to wait", "1 3 4 2 5 7 8 6", "1 | | L20 3 4 | | 5 | | | 6 7 8 |"},
		{"new source", "1 2 9/2 10/2", "1 | 2 | 9 | 10 |"},
		{"new source in a gap", "1 3 9/2 10/2", "1 | | L20 3 9 | 10 |"},
	} {
		if got := sequence(rtp.NewSequencer(), c.in); got != c.want {
			t.Errorf("%s: %s came out as\n%s, want\n%s", c.name, c.in, got, c.want)
		}
	}
}

func TestSequencerTellsSilenceFromLoss(t *testing.T) {
	s := rtp.NewSequencer()
	var got []string
	push := func(seq, ts uint64) {
		s.Push(&media.Packet{Source: 1, Seq: seq, Timestamp: ts, Codec: media.PCMU, Payload: payload20})
		for item, ok := s.Pop(); ok; item, ok = s.Pop() {
			got = append(got, fmt.Sprintf("%v/%d/%d", item.Packet != nil, item.Lost, item.Silence))
		}
	}
	push(1, 0)
	push(2, 160+8000) // a second of DTX
	push(4, 160+8000+160+160+4000)
	push(5, 160+8000+160+160+4160) // one lost, and half a second of DTX
	want := "true/0/0 false/0/8000 true/0/0 false/160/0 false/0/4000 true/0/0 true/0/0"
	if strings.Join(got, " ") != want {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestSequencerHoldsBackAtMost60Milliseconds(t *testing.T) {
	s := rtp.NewSequencer()
	long := make([]byte, 480) // 60 ms
	popped := 0
	for _, n := range []uint64{1, 3, 4} {
		s.Push(&media.Packet{Source: 1, Seq: n, Timestamp: n * 480, Codec: media.PCMU, Payload: long})
		for _, ok := s.Pop(); ok; _, ok = s.Pop() {
			popped++
		}
	}
	if popped != 4 { // 1, lost, 3, 4
		t.Errorf("%d items came out, want 4", popped)
	}
}

// Property: every packet comes out at most once and in order, with its own payload;
// whatever is not pushed as late comes out.
func TestSequencerNeverRepeatsOrReorders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rtp.NewSequencer()
		var last uint64
		accepted, out := uint64(0), uint64(0)
		n := rapid.IntRange(1, 200).Draw(t, "n")
		at := uint64(100)
		for range n {
			at += uint64(rapid.IntRange(0, 3).Draw(t, "step"))
			seq := at - uint64(rapid.IntRange(0, 6).Draw(t, "back"))
			s.Push(&media.Packet{Source: 1, Seq: seq, Timestamp: seq * 80, Codec: media.PCMA, Payload: []byte{byte(seq), byte(seq >> 8)}})
			accepted++
			for item, ok := s.Pop(); ok; item, ok = s.Pop() {
				p := item.Packet
				if p == nil {
					continue
				}
				if out > 0 && p.Seq <= last {
					t.Fatalf("%d came out after %d", p.Seq, last)
				}
				if p.Payload[0] != byte(p.Seq) || p.Payload[1] != byte(p.Seq>>8) {
					t.Fatalf("packet %d has the payload of another", p.Seq)
				}
				last, out = p.Seq, out+1
			}
		}
		if out+s.Late() > accepted {
			t.Fatalf("%d in, %d out and %d late", accepted, out, s.Late())
		}
	})
}
