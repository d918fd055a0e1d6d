package webrtc

import (
	"testing"
	"time"

	"github.com/pion/rtcp"
)

// narrator tells a strain of what the far side says it got, a report every second.
type narrator struct {
	s    strain
	now  time.Time
	seq  uint32
	trip time.Duration
}

func newNarrator() *narrator {
	n := &narrator{now: time.Unix(1_800_000_000, 0), seq: 70_000, trip: 40 * time.Millisecond}
	n.s.trips = true
	n.tell(0)
	return n
}

// tell is a second of 50 packets, this share of which was lost, and whether it is narrow then.
func (n *narrator) tell(loss float64) bool {
	n.now = n.now.Add(time.Second)
	n.seq += 50
	n.s.saw(&rtcp.ReceptionReport{LastSequenceNumber: n.seq, FractionLost: uint8(loss * 256)}, n.trip, n.now)
	return n.s.narrow.Load()
}

// until counts the seconds of this loss after which it is narrow, or wide; 0 for not within an hour.
func (n *narrator) until(narrow bool, loss float64) int {
	for i := range 3600 {
		if n.tell(loss) == narrow {
			return i + 1
		}
	}
	return 0
}

func TestAGoodNetworkIsLeftAlone(t *testing.T) {
	n := newNarrator()
	for i := range 1000 {
		loss := 0.01
		if i%7 == 0 {
			loss = 0.06 // a moment's
		}
		if n.tell(loss) {
			t.Fatalf("narrow after %d s", i)
		}
	}
}

func TestMuchLossMakesNarrowAtOnceAndSomeLossWhenItStays(t *testing.T) {
	if got := newNarrator().until(true, 0.6); got != 1 {
		t.Errorf("60 %% of loss: %d s", got)
	}
	if got := newNarrator().until(true, 0.06); got != 2 {
		t.Errorf("6 %% of loss: %d s", got)
	}
}

func TestAQueueThatGrowsMakesNarrow(t *testing.T) {
	n := newNarrator()
	for range 5 {
		n.tell(0)
	}
	n.trip += time.Second // as over TCP, which loses nothing
	if got := n.until(true, 0); got != 2 {
		t.Errorf("narrow after %d s", got)
	}
	busy := newNarrator()
	busy.s.trips = false
	busy.trip += time.Second
	if busy.until(true, 0) != 0 {
		t.Error("the service takes its own slowness for a queue")
	}
}

func TestWideIsTriedAgainAndLessOftenWhenInVain(t *testing.T) {
	n := newNarrator()
	n.until(true, 0.6)
	last := 0
	for i := range 8 {
		waited := n.until(false, 0)
		if waited < 30 || waited < last || waited > 602 {
			t.Errorf("trial %d after %d s, the one before after %d", i, waited, last)
		}
		last = waited
		if got := n.until(true, 0.6); got != 1 {
			t.Fatalf("narrow again after %d s", got)
		}
	}
	if last < 600 {
		t.Errorf("after eight trials in vain the next one comes after %d s", last)
	}
}

func TestLossThatNarrowDoesNotHelpAgainstIsLeftAlone(t *testing.T) {
	n := newNarrator()
	n.until(true, 0.2)
	if got := n.until(false, 0.2); got == 0 || got > 5 {
		t.Fatalf("given up after %d s", got)
	}
	if got := n.until(true, 0.2); got < 29 {
		t.Errorf("tried again after %d s", got)
	}
}

func TestFewPacketsAndStreamsThatBeginAnewDecideNothing(t *testing.T) {
	n := newNarrator()
	for range 4 {
		n.seq += 5
		n.s.saw(&rtcp.ReceptionReport{LastSequenceNumber: n.seq, FractionLost: 255}, 0, n.now)
	}
	if n.s.narrow.Load() {
		t.Error("twenty packets decide")
	}
	n = newNarrator()
	n.seq = 3
	if n.tell(0.9) {
		t.Error("a report of another stream decides")
	}
}

func TestLossIsReportedSoon(t *testing.T) {
	block := func(loss uint8) []rtcp.ReceptionReport { return []rtcp.ReceptionReport{{FractionLost: loss}} }
	if lossy([]rtcp.Packet{&rtcp.SenderReport{Reports: block(5)}}) || lossy(nil) {
		t.Error("2 % is told at once")
	}
	if !lossy([]rtcp.Packet{&rtcp.SenderReport{Reports: block(20)}}) || !lossy([]rtcp.Packet{&rtcp.ReceiverReport{Reports: block(20)}}) {
		t.Error("8 % waits")
	}
}
