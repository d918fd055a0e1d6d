package events_test

import (
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/events"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// drain reads what is buffered until the subscription is closed.
func drain(s *events.Subscription) []int {
	var got []int
	for e := range s.C {
		got = append(got, e.Data.(int))
	}
	return got
}

func publish(b *events.Bus, from, to int) {
	for i := from; i <= to; i++ {
		b.Publish(events.Event{Kind: "n", Data: i})
	}
}

func TestEveryReaderSeesEverythingInOrder(t *testing.T) {
	b := events.NewBus()
	x, y := b.Subscribe(10), b.Subscribe(10)
	publish(b, 1, 5)
	b.Close()
	for _, s := range []*events.Subscription{x, y} {
		if got := drain(s); len(got) != 5 || got[0] != 1 || got[4] != 5 {
			t.Errorf("got %v, want 1 to 5", got)
		}
		if s.Dropped() != 0 {
			t.Errorf("%d dropped", s.Dropped())
		}
	}
}

func TestASlowReaderLosesTheOldestAndCanCountThem(t *testing.T) {
	b := events.NewBus()
	slow, quick := b.Subscribe(3), b.Subscribe(100)
	publish(b, 1, 10)
	b.Close()
	if got := drain(slow); len(got) != 3 || got[0] != 8 || got[2] != 10 {
		t.Errorf("the slow reader got %v, want 8 9 10", got)
	}
	if slow.Dropped() != 7 {
		t.Errorf("%d dropped, want 7", slow.Dropped())
	}
	if got := drain(quick); len(got) != 10 || quick.Dropped() != 0 {
		t.Errorf("the quick reader got %v and lost %d", got, quick.Dropped())
	}
}

func TestAReaderWithoutABufferStillSeesTheNewest(t *testing.T) {
	b := events.NewBus()
	s := b.Subscribe(0)
	publish(b, 1, 2)
	b.Close()
	if got := drain(s); len(got) != 1 || got[0] != 2 {
		t.Errorf("got %v, want 2", got)
	}
}

func TestWhoHasLeftIsSentNothing(t *testing.T) {
	b := events.NewBus()
	s, stays := b.Subscribe(4), b.Subscribe(4)
	publish(b, 1, 1)
	s.Close()
	s.Close()
	publish(b, 2, 2)
	if got := drain(s); len(got) != 1 {
		t.Errorf("got %v, want only what came before", got)
	}
	if n := b.Subscribers(); n != 1 {
		t.Errorf("%d subscribers, want 1", n)
	}
	b.Close()
	if got := drain(stays); len(got) != 2 {
		t.Errorf("who stayed got %v", got)
	}
}

func TestAClosedBusEndsItsReadersAndTakesNothing(t *testing.T) {
	b := events.NewBus()
	s := b.Subscribe(1)
	b.Close()
	b.Close()
	publish(b, 1, 1)
	s.Close()
	if got := drain(s); len(got) != 0 {
		t.Errorf("got %v after the end", got)
	}
	if got := drain(b.Subscribe(1)); len(got) != 0 {
		t.Errorf("a late reader got %v", got)
	}
}

// TestReadersMayComeAndGoWhileOthersPublish is for the race detector; each reader sees
// rising numbers of each publisher whatever it loses.
func TestReadersMayComeAndGoWhileOthersPublish(t *testing.T) {
	b := events.NewBus()
	var publishers, readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 50 {
				s := b.Subscribe(2)
				last := map[string]int{}
				for range 3 {
					e, ok := <-s.C
					if !ok {
						break
					}
					if n := e.Data.(int); n <= last[e.Kind] {
						t.Errorf("%s: %d after %d", e.Kind, n, last[e.Kind])
					} else {
						last[e.Kind] = n
					}
				}
				s.Close()
			}
		})
	}
	stop := make(chan struct{})
	for _, kind := range []string{"a", "b"} {
		publishers.Go(func() {
			for i := 1; ; i++ {
				select {
				case <-stop:
					return
				default:
					b.Publish(events.Event{Kind: kind, Data: i})
				}
			}
		})
	}
	readers.Wait()
	close(stop)
	publishers.Wait()
	b.Close()
}

func BenchmarkPublishTo100(b *testing.B) {
	bus := events.NewBus()
	for range 100 {
		bus.Subscribe(64)
	}
	b.ReportAllocs()
	for b.Loop() {
		bus.Publish(events.Event{Kind: "reading"})
	}
	bus.Close()
}
