package rtp

import (
	"strings"
	"testing"
)

// event is one telephone-event packet.
type event struct {
	digit    byte // event code
	ts       uint32
	duration uint16
	end      bool
	marker   bool
}

func (d *digits) feed(events []event) string {
	var got []rune
	for _, e := range events {
		flags := byte(10)
		if e.end {
			flags |= 0x80
		}
		if r, ok := d.packet([]byte{e.digit, flags, byte(e.duration >> 8), byte(e.duration)}, e.ts, e.marker); ok {
			got = append(got, r)
		}
	}
	return string(got)
}

// keyed is a row of packets and the keys to be heard in it.
type keyed struct {
	name   string
	events []event
	want   string
}

func (k *keyed) clock() uint32 {
	if strings.Contains(k.name, "48 kHz") || strings.Contains(k.name, "seam") {
		return wideClock
	}
	return narrowClock
}

// press is a whole key press as a good sender sends it.
func press(digit byte, ts uint32) []event {
	return []event{
		{digit, ts, 160, false, true}, {digit, ts, 320, false, false}, {digit, ts, 480, false, false},
		{digit, ts, 640, true, false}, {digit, ts, 640, true, false}, {digit, ts, 640, true, false},
	}
}

func TestEveryKeyPressIsHeardOnce(t *testing.T) {
	twice := append(press(5, 1000), press(5, 3000)...)
	for _, c := range []keyed{
		{"plain", press(5, 1000), "5"},
		{"the names", append(append(press(10, 0), press(11, 2000)...), press(15, 4000)...), "*#D"},
		{"no marker", press(5, 1000)[1:], "5"},
		{"lost start and middle", press(5, 1000)[3:], "5"},
		{"only the last end", press(5, 1000)[5:], "5"},
		{"lost ends", press(5, 1000)[:3], "5"},
		{"same digit twice", twice, "55"},
		{"same digit twice, no markers", append(append([]event{}, press(5, 1000)[1:]...), press(5, 3000)[1:]...), "55"},
		{"same digit twice, ends lost", append(append([]event{}, press(5, 1000)[:3]...), press(5, 3000)...), "55"},
		{"same digit twice, ends and starts lost", append(append([]event{}, press(5, 1000)[:2]...), press(5, 3000)[2:]...), "55"},
		{"an end overtaken by the next press", append(append(append([]event{}, press(1, 1000)[:5]...), press(2, 3000)[0]), append(press(1, 1000)[5:], press(2, 3000)[1:]...)...), "12"},
		{"timestamp wrap", append(press(1, 0xffffff00), press(2, 0x500)...), "12"},
		{"timestamps that count up", []event{{3, 1000, 160, false, true}, {3, 1160, 320, false, false}, {3, 1320, 480, false, false}, {3, 1480, 640, true, false}}, "3"},
		{"a long press in segments", []event{{3, 1000, 160, false, true}, {3, 1000, 0xffff, false, false}, {3, 1000 + 0xffff, 160, false, false}, {3, 1000 + 0xffff, 320, true, false}}, "3"},
		{"a long press of a browser at 48 kHz", []event{{3, 1000, 960, false, true}, {3, 1000, 65280, false, false}, {3, 1000, 0xffff, false, false}, {3, 1000 + 66240, 705, false, false}, {3, 1000 + 66240, 1665, true, false}}, "3"},
		{"the same, a packet lost at the seam", []event{{3, 1000, 960, false, true}, {3, 1000, 64320, false, false}, {3, 1000 + 66240, 705, false, false}, {3, 1000 + 66240, 1665, true, false}}, "3"},
		{"timestamps that count up at 48 kHz, durations at 8 kHz", []event{{3, 1000, 160, false, true}, {3, 1960, 320, false, false}, {3, 2920, 480, true, false}}, "3"},
		{"timestamps that count up at 8 kHz, durations at 48 kHz", []event{{3, 1000, 960, false, true}, {3, 1160, 1920, false, false}, {3, 1320, 2880, true, false}}, "3"},
		{"flash and nonsense", []event{{16, 0, 160, false, true}, {99, 400, 160, false, true}}, ""},
	} {
		d := digits{clock: c.clock()}
		if got := d.feed(c.events); got != c.want {
			t.Errorf("%s: heard %q, want %q", c.name, got, c.want)
		}
	}
}

func TestShortEventIsIgnored(t *testing.T) {
	var d digits
	if _, ok := d.packet([]byte{5, 0, 1}, 0, true); ok {
		t.Error("three bytes made a key press")
	}
}

// FuzzDigits: only the sixteen digits come out, and a packet repeated at once never
// presses a key again.
func FuzzDigits(f *testing.F) {
	f.Add([]byte{5, 0x0a, 0, 160, 5, 0x8a, 1, 0}, uint32(7))
	f.Fuzz(func(t *testing.T, data []byte, ts uint32) {
		var d digits
		for ; len(data) >= 5; data = data[5:] {
			ts += uint32(data[4]) * 80
			digit, ok := d.packet(data[:4], ts, data[4]&1 == 1)
			if ok && (digit < '#' || digit > 'D') {
				t.Fatalf("digit %q", digit)
			}
			if _, again := d.packet(data[:4], ts, data[4]&1 == 1); again {
				t.Fatal("the same packet twice pressed two keys")
			}
		}
	})
}
