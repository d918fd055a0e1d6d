package sip

import (
	"encoding/binary"
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

func TestBansGrowAndEndAndAreForgotten(t *testing.T) {
	b := newBans(slog.New(slog.DiscardHandler))
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	from := netip.MustParseAddr("2001:db8::1")
	neighbour, stranger := netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8:0:1::1")
	misbehave := func() {
		for range 20 { // of 5 points
			b.note(from, offenceGarbage, false, false, now)
		}
	}
	for _, length := range []time.Duration{5 * time.Minute, 20 * time.Minute, 80 * time.Minute, 320 * time.Minute, 1280 * time.Minute, 24 * time.Hour, 24 * time.Hour} {
		if misbehave(); !b.holds(from, false, now.Add(length-time.Second)) || b.holds(from, false, now.Add(length)) {
			t.Fatalf("not banned for %v", length)
		}
		if !b.holds(neighbour, false, now) || b.holds(stranger, false, now) {
			t.Error("not the network that did it, or more than that, is banned")
		}
		now = now.Add(length)
	}
	now = now.Add(banMemory)
	if misbehave(); !b.holds(from, false, now) || b.holds(from, false, now.Add(firstBan)) {
		t.Error("a day without a ban does not make the next the first")
	}
	if n := b.byCause()["garbage"]; n != 8 {
		t.Errorf("%d bans are counted", n)
	}
	if !b.forgive(neighbour, now) || b.holds(from, false, now) {
		t.Error("a lifted ban holds")
	}
}

func TestWhoErrsNowAndThenIsNotBanned(t *testing.T) {
	b := newBans(slog.New(slog.DiscardHandler))
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	from := netip.MustParseAddr("192.0.2.1")
	for range 1000 { // one wrong password in ten minutes
		b.note(from, offencePassword, true, true, now)
		now = now.Add(10 * time.Minute)
		if b.holds(from, true, now) {
			t.Fatal("banned")
		}
	}
}

func TestForgedDatagramsBanNobodyWhoMayCallFromAnywhere(t *testing.T) {
	b := newBans(slog.New(slog.DiscardHandler))
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	from := netip.MustParseAddr("192.0.2.1")
	for range 1000 {
		b.note(from, offenceFlood, false, true, now)
	}
	if b.holds(from, true, now) {
		t.Error("banned by what somebody else can have sent")
	}
	for range 1000 {
		b.note(from, offenceFlood, false, false, now) // no trunk may call from anywhere ...
	}
	if !b.holds(from, false, now) {
		t.Error("not banned")
	}
	if b.holds(from, true, now) { // ... until one may
		t.Error("banned by what somebody else can have sent, once it matters")
	}
	if b.note(from, offenceUnknown, true, true, now); b.holds(from, true, now) {
		t.Error("one slip of its own makes a forged ban count")
	}
	for range 1000 {
		b.note(from, offenceUnknown, true, true, now)
	}
	if !b.holds(from, true, now) {
		t.Error("a source that does hear us is not banned")
	}
}

func TestOffendersAreRememberedWithinABound(t *testing.T) {
	b := newBans(slog.New(slog.DiscardHandler))
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	banned, guessing := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	for range 10 {
		b.note(banned, offencePassword, true, true, now)
	}
	for range 9 {
		b.note(guessing, offencePassword, true, true, now)
	}
	for i := range uint32(3 * maxOffenders) {
		var a [4]byte
		binary.BigEndian.PutUint32(a[:], 10<<24|i)
		b.note(netip.AddrFrom4(a), offenceUnknown, false, false, now)
	}
	if n := len(b.offenders); n > maxOffenders {
		t.Errorf("%d sources are remembered", n)
	}
	if b.note(guessing, offencePassword, true, true, now); !b.holds(banned, true, now) || !b.holds(guessing, true, now) {
		t.Error("a flood from forged addresses pushed out who is known to misbehave")
	}
}
