package sip

import (
	"encoding/binary"
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

func TestWhoAnswersWronglyIsShutOutForAMinuteAndNotForGood(t *testing.T) {
	g := newGate(Config{NonceLife: time.Minute, Refusals: 1}, slog.New(slog.DiscardHandler))
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	from := netip.MustParseAddr("2001:db8::1")
	port := netip.AddrPortFrom(from, 5060)
	neighbour, stranger := netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:0:1::1")
	for i := range maxFailures {
		if g.locked(from, nil, now) {
			t.Fatalf("shut out after %d", i)
		}
		g.note(port, nil, nil, false, now)
	}
	if !g.locked(from, nil, now) || !g.locked(neighbour, nil, now) || g.locked(stranger, nil, now) {
		t.Error("not the network that did it, or more than that, is shut out")
	}
	if g.locked(from, &knownTrunk{id: "carrier"}, now) {
		t.Error("what is shown there as the trunk's is not told from what anybody shows")
	}
	if now = now.Add(penalty); g.locked(from, nil, now) {
		t.Error("shut out for good")
	}
	if g.note(port, nil, nil, false, now); !g.locked(from, nil, now) {
		t.Error("guesses on at full speed after a minute")
	}
	if g.note(port, nil, &knownTrunk{id: "bob"}, true, now); !g.welcome(from, now) {
		t.Error("a right answer is not remembered")
	}
	if now = now.Add(failureMemory); g.welcome(from, now) {
		t.Error("welcome for ever")
	}
}

func TestGuessingAtAnAccountIsSlowAndKeepsItsOwnerOutOfNothing(t *testing.T) {
	g := newGate(Config{NonceLife: time.Minute, Refusals: 1}, slog.New(slog.DiscardHandler))
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	a := netip.MustParseAddr("192.0.2.1")
	phone, guesser := netip.AddrPortFrom(a, 5060), netip.AddrPortFrom(a, 6666)
	bob, ada := &knownTrunk{id: "phone:bob"}, &knownTrunk{id: "phone:ada"}
	g.note(phone, nil, bob, true, now)
	looked := 0
	for range 10 * 100 { // ten seconds of guesses
		if g.look(guesser, nil, bob, now) {
			looked++
		}
		g.note(guesser, nil, bob, false, now)
		if !g.look(phone, nil, bob, now) {
			t.Fatal("the phone that was there before is kept out")
		}
		if !g.look(guesser, nil, ada, now) {
			t.Fatal("what is done to one account is held against another")
		}
		now = now.Add(10 * time.Millisecond)
	}
	if looked > maxFailures+10 {
		t.Errorf("%d guesses were looked at in ten seconds", looked)
	}
	now = now.Add(lookEvery)
	moved := netip.AddrPortFrom(a, 5062)
	if !g.look(moved, nil, bob, now) {
		t.Error("the owner is not heard at another port")
	}
	if g.note(moved, nil, bob, true, now); g.visitor(visitOf(a, nil, bob)).locked(now) {
		t.Error("a right answer does not settle it")
	}
}

func TestSourcesAreRememberedWithinABound(t *testing.T) {
	g := newGate(Config{NonceLife: time.Minute, Refusals: 1}, slog.New(slog.DiscardHandler))
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	trunk := netip.MustParseAddr("192.0.2.9")
	g.note(netip.AddrPortFrom(trunk, 5060), nil, &knownTrunk{id: "branch"}, true, now)
	for i := range uint32(2 * maxVisitors) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 10<<24|i)
		g.note(netip.AddrPortFrom(netip.AddrFrom4(b), 5060), nil, &knownTrunk{id: "branch"}, false, now)
	}
	if n := len(g.visitors); n > maxVisitors {
		t.Errorf("%d sources are remembered", n)
	}
	if !g.welcome(trunk, now) {
		t.Error("who failed pushed out who answered rightly")
	}
}
