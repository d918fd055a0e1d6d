package sip

import (
	"testing"
	"time"
)

func TestOnePressByTwoWaysIsOneKey(t *testing.T) {
	const ms = time.Millisecond
	type came struct {
		key rune
		by  way
		at  time.Duration
	}
	for _, c := range []struct {
		name string
		came []came
		want string
	}{
		{"events alone", []came{{'5', byEvent, 0}, {'5', byEvent, 200 * ms}}, "55"},
		{"INFO alone", []came{{'5', byInfo, 0}, {'5', byInfo, 200 * ms}}, "55"},
		{"tones alone", []came{{'5', bySound, 0}, {'5', bySound, 80 * ms}}, "55"},
		{"an event, and INFO when the key is up", []came{{'5', byEvent, 0}, {'5', byInfo, 300 * ms}}, "5"},
		{"INFO overtakes the event", []came{{'5', byInfo, 0}, {'5', byEvent, 40 * ms}}, "5"},
		{"and again", []came{{'5', byInfo, 0}, {'5', byEvent, 40 * ms}, {'5', byEvent, 240 * ms}, {'5', byInfo, 260 * ms}}, "55"},
		{"tones and INFO", []came{{'1', bySound, 0}, {'1', byInfo, 90 * ms}, {'1', bySound, 200 * ms}, {'1', byInfo, 290 * ms}}, "11"},
		{"tones, and INFO late", []came{{'1', bySound, 0}, {'1', bySound, 200 * ms}, {'1', byInfo, 400 * ms}, {'1', byInfo, 600 * ms}}, "11"},
		{"INFO long after events", []came{{'7', byEvent, 0}, {'7', byInfo, 5000 * ms}}, "7"},
		{"other keys by another way, far apart", []came{{'1', bySound, 0}, {'2', byInfo, 100 * ms}, {'1', byInfo, 4000 * ms}}, "121"},
	} {
		var p presses
		start, got := time.Now(), ""
		for _, k := range c.came {
			if p.counts(k.key, k.by, start.Add(k.at)) {
				got += string(k.key)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAPartyThatLosesItsEventsIsHeardByInfoAgain(t *testing.T) {
	var p presses
	now := time.Now()
	p.agreed(true)
	if !p.counts('1', byEvent, now) || p.counts('2', byInfo, now) {
		t.Error("not heard by events alone")
	}
	p.agreed(true) // a re-INVITE
	if p.counts('2', byInfo, now) {
		t.Error("heard by INFO while there are events")
	}
	p.agreed(false)
	if !p.counts('3', byInfo, now) || !p.counts('4', bySound, now) {
		t.Error("not heard any more")
	}
}
