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
	neighbour, stranger := netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:0:1::1")
	for i := range maxFailures {
		if g.banned(from, now) {
			t.Fatalf("shut out after %d", i)
		}
		g.note(from, false, now)
	}
	if !g.banned(from, now) || !g.banned(neighbour, now) || g.banned(stranger, now) {
		t.Error("not the network that did it, or more than that, is shut out")
	}
	if now = now.Add(penalty); g.banned(from, now) {
		t.Error("shut out for good")
	}
	if g.note(from, false, now); !g.banned(from, now) {
		t.Error("guesses on at full speed after a minute")
	}
	if g.note(from, true, now); g.banned(from, now) || !g.welcome(from, now) {
		t.Error("a right answer does not settle it")
	}
	if now = now.Add(failureMemory); g.welcome(from, now) {
		t.Error("welcome for ever")
	}
}

func TestSourcesAreRememberedWithinABound(t *testing.T) {
	g := newGate(Config{NonceLife: time.Minute, Refusals: 1}, slog.New(slog.DiscardHandler))
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	trunk := netip.MustParseAddr("192.0.2.9")
	g.note(trunk, true, now)
	for i := range uint32(2 * maxVisitors) {
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], 10<<24|i)
		g.note(netip.AddrFrom4(b), false, now)
	}
	if n := len(g.visitors); n > maxVisitors {
		t.Errorf("%d sources are remembered", n)
	}
	if !g.welcome(trunk, now) {
		t.Error("who failed pushed out who answered rightly")
	}
}
