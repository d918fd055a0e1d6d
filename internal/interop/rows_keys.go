package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
)

const (
	eventType  = 101
	withEvents = "m=audio %d RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n"
	keyLength  = 100 * time.Millisecond
	keyEnds    = 3 // packets that say so
)

// press is one key in a stream of audio.
type press struct {
	at       time.Duration
	key      byte
	ends     int  // packets that say that it ended; 0: none
	noMarker bool // on the first packet
	noStart  bool // only the ends come
}

// keysOnTheWire are the ways in which phones send keys as telephone-events (RFC 4733), right and wrong.
func keysOnTheWire() []row {
	usual := func(at time.Duration, key byte) press { return press{at: at, key: key, ends: keyEnds} }
	const second, third = 1200 * time.Millisecond, 1500 * time.Millisecond
	one := func(change func(*press)) []press {
		p := usual(time.Second, 5)
		change(&p)
		return []press{p}
	}
	var rows []row
	for _, c := range []struct {
		name    string
		keys    int
		presses []press
	}{
		{"three keys as they ought to be", 3, []press{usual(time.Second, 1), usual(second, 10), usual(third, 11)}},
		{"a key without a marker", 1, one(func(p *press) { p.noMarker = true })},
		{"a key whose start is lost", 1, one(func(p *press) { p.noStart = true })},
		{"a key whose end is lost", 1, one(func(p *press) { p.ends = 0 })},
		{"a key whose end comes once", 1, one(func(p *press) { p.ends = 1 })},
		{"the same key twice", 2, []press{usual(time.Second, 7), usual(second, 7)}},
		{"the same key twice, the ends of the first lost, and no markers", 2, []press{{at: time.Second, key: 7, noMarker: true}, {at: third, key: 7, ends: 1, noMarker: true}}},
		{"all sixteen keys", 16, sixteen(usual)},
	} {
		t := talk{name: c.name, offer: withEvents, codec: media.PCMU, ptime: 20 * time.Millisecond, length: 5 * time.Second,
			share: 0.3, hole: 3500 * time.Millisecond, heardIn: payload{media.PCMU, 0}, ticks: 160,
			spoil: func(s []shot) []shot { return pressed(s, c.presses) }}
		rows = append(rows, row{area: "keys", name: c.name, peer: "a plain socket", try: func(ctx context.Context, s *system, _ string) error {
			if err := t.try(ctx, s); err != nil {
				return err
			}
			return s.keys(ctx, c.keys)
		}})
	}
	return append(rows, captures())
}

// captures are SIPp's recordings of a phone's keys.
func captures() row {
	const folder = "/usr/share/sip-tester/"
	names := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "star", "pound"}
	return row{area: "keys", name: "its captures of twelve keys (play_pcap_audio)", peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
		steps := []step{invite(sdp(1, pcma)), answered(body("a=rtpmap:101 telephone-event")), ack(""), pause(300)}
		for _, name := range names {
			file := folder + "dtmf_2833_" + name + ".pcap"
			if _, err := os.Stat(file); err != nil {
				return fmt.Errorf("SIPp's captures are not installed (Debian: apt install sip-tester): %w", err)
			}
			steps = append(steps, action(`play_pcap_audio="`+file+`"`), pause(600))
		}
		if err := sipp(ctx, s, dir, play(toneNumber, append(steps, bye())...), "-t", "u1"); err != nil {
			return err
		}
		return s.keys(ctx, len(names))
	}}
}

func sixteen(usual func(time.Duration, byte) press) []press {
	var all []press
	for key := range 16 {
		all = append(all, usual(time.Second+time.Duration(key)*200*time.Millisecond, byte(key)))
	}
	return all
}

// pressed puts presses in the place of audio. A press stands at its beginning's timestamp.
func pressed(s []shot, presses []press) []shot {
	var out []shot
	for _, one := range s {
		p := pressAt(presses, one.at)
		if p == nil {
			out = append(out, one)
			continue
		}
		into := one.at - p.at
		last := into+20*time.Millisecond >= keyLength
		one.packet.Timestamp -= uint32(into * 8000 / time.Second)
		one.packet.PayloadType = eventType
		one.packet.Marker = into == 0 && !p.noMarker
		times := 1
		if last {
			times = max(p.ends, 1)
		}
		for range times {
			one.packet.Payload = telephoneEvent(p.key, last && p.ends > 0, uint16((into+20*time.Millisecond)*8000/time.Second))
			out = append(out, one)
		}
	}
	for i := range out {
		out[i].packet.SequenceNumber = uint16(i)
	}
	return withoutStarts(out, presses)
}

// pressAt is the press that is down at a time.
func pressAt(presses []press, at time.Duration) *press {
	for i := range presses {
		if p := &presses[i]; at >= p.at && at < p.at+keyLength {
			return p
		}
	}
	return nil
}

// withoutStarts loses the first packets of the presses that say so.
func withoutStarts(s []shot, presses []press) []shot {
	var out []shot
	for _, one := range s {
		p := pressAt(presses, one.at)
		if p == nil || !p.noStart || isEnd(&one.packet) {
			out = append(out, one)
		}
	}
	return out
}

func isEnd(p *rtp.Packet) bool { return p.PayloadType == eventType && p.Payload[1]&0x80 != 0 }

// keys waits until the record of the newest call has so many keys.
func (s *system) keys(ctx context.Context, want int) error {
	return s.newest(ctx, fmt.Sprintf("%d keys", want), func(story callStory) bool {
		got := 0
		for _, e := range story.Events {
			if e.Kind == "dtmf" {
				n, err := strconv.Atoi(e.Detail["count"])
				if err != nil {
					return false
				}
				got += n
			}
		}
		return got == want
	})
}
