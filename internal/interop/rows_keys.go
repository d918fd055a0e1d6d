package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/headroom-voice/headroom/dsp/dtmf"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// timed is one RTP packet of a capture, and when it is sent.
type timed struct {
	at   time.Duration
	data []byte
}

// event is one telephone-event packet of payload type 101 (RFC 4733): at is its time in ms.
func event(at int, seq uint16, ts uint32, key, flags byte, duration uint16, marker bool) timed {
	b := make([]byte, 16)
	b[0], b[1] = 0x80, 101
	if marker {
		b[1] |= 0x80
	}
	binary.BigEndian.PutUint16(b[2:], seq)
	binary.BigEndian.PutUint32(b[4:], ts)
	binary.BigEndian.PutUint32(b[8:], 0x4b455953)
	b[12], b[13] = key, flags|10
	binary.BigEndian.PutUint16(b[14:], duration)
	return timed{time.Duration(at) * time.Millisecond, b}
}

// pressed is a key held for 100 ms, as RFC 4733 has it, in units of clock kHz; from and to leave
// packets out, and their sequence numbers with them.
func pressed(at int, seq uint16, key byte, kHz int, marker bool, from, to int) []timed {
	ts := uint32(at * kHz)
	var all []timed
	for i := range 7 {
		duration, flags := min(i+1, 5)*20*kHz, byte(0)
		if i >= 4 {
			flags = 0x80
		}
		all = append(all, event(at+20*i, seq+uint16(i), ts, key, flags, uint16(duration), marker && i == 0))
	}
	return all[from:to]
}

// tones are keys as PCMA, with their packets counted from seq.
func tones(keys string) []timed {
	encoder, err := codec.NewEncoder(media.PCMA, 8000)
	if err != nil {
		return nil
	}
	var out []timed
	pcm := make([]float32, 160)
	for _, key := range []byte(keys) {
		for at := 0; at < 1600; at += len(pcm) {
			dtmf.Tone(pcm, key, at, 800, 8000)
			n := len(out)
			b := make([]byte, 12+len(pcm))
			b[0], b[1] = 0x80, 8
			binary.BigEndian.PutUint16(b[2:], uint16(n))
			binary.BigEndian.PutUint32(b[4:], uint32(160*n))
			binary.BigEndian.PutUint32(b[8:], 7)
			if _, err := encoder.Encode(pcm, b[12:]); err != nil {
				return nil
			}
			out = append(out, timed{time.Duration(20*n) * time.Millisecond, b})
		}
	}
	return out
}

// capture is packets as a pcap file of Ethernet, IPv4 and UDP, which SIPp plays.
func capture(packets []timed) []byte {
	b := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	b = binary.LittleEndian.AppendUint32(b, 4<<16|2)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 65535)
	b = binary.LittleEndian.AppendUint32(b, 1)
	for _, p := range packets {
		length := uint32(14 + 20 + 8 + len(p.data))
		b = binary.LittleEndian.AppendUint32(b, uint32(1+p.at/time.Second))
		b = binary.LittleEndian.AppendUint32(b, uint32(p.at%time.Second/time.Microsecond))
		b = binary.LittleEndian.AppendUint32(b, length)
		b = binary.LittleEndian.AppendUint32(b, length)
		b = append(b, make([]byte, 12)...)
		b = append(b, 8, 0, 0x45, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(28+len(p.data)))
		b = append(b, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1)
		b = binary.BigEndian.AppendUint16(b, 4000)
		b = binary.BigEndian.AppendUint16(b, 4000)
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(p.data)))
		b = append(append(b, 0, 0), p.data...)
	}
	return b
}

// playing has SIPp send a capture, and waits until it is over.
func playing(file string, ms int) step {
	return func(s *scenario) {
		fmt.Fprintf(&s.xml, "<nop><action><exec play_pcap_audio=\"%s\"/></action></nop>\n", file)
		pause(ms)(s)
	}
}

// keyRow is a call that offers a media line, plays captures one after the other and is to have
// pressed so many keys. A file that is not given is SIPp's own.
func keyRow(name, offer string, want int, packets []timed, files ...string) row {
	return row{area: "DTMF", name: name, peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		if packets != nil {
			files = []string{filepath.Join(dir, "keys.pcap")}
			if err := os.WriteFile(files[0], capture(packets), 0o600); err != nil {
				return err
			}
		}
		steps := []step{invite(sdp(1, offer)), answered(), ack(""), pause(300)}
		for _, file := range files {
			if _, err := os.Stat(file); err != nil {
				return fmt.Errorf("SIPp's captures are not installed: %w", err)
			}
			steps = append(steps, playing(absolute(file), 800))
		}
		if packets != nil {
			steps = append(steps, pause(int(packets[len(packets)-1].at/time.Millisecond)))
		}
		if err := sipp(ctx, s, dir, play(number, append(steps, bye())...), "-t", "u1"); err != nil {
			return err
		}
		if err := s.settled(ctx); err != nil {
			return err
		}
		return s.newest(ctx, strconv.Itoa(want)+" keys", func(story callStory) bool { return story.keys() == want })
	}}
}

func absolute(file string) string {
	if path, err := filepath.Abs(file); err == nil {
		return path
	}
	return file
}

// keys is how many the record has.
func (c callStory) keys() int {
	sum := 0
	for _, e := range c.Events {
		if n, err := strconv.Atoi(e.Detail["count"]); err == nil && e.Kind == "dtmf" {
			sum += n
		}
	}
	return sum
}

func keyRows() []row {
	const clock48 = "m=audio [media_port] RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/48000"
	const soundOnly = "m=audio [media_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000"
	var captures []string
	for _, key := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "star", "pound"} {
		captures = append(captures, "/usr/share/sip-tester/dtmf_2833_"+key+".pcap")
	}
	both := func(first, second []timed) []timed { return append(first, second...) }
	var long []timed // 3 s in a clock of 48 kHz: three segments, as a browser writes them
	segment := uint32(0)
	for i := range 150 {
		duration := uint32(960*(i+1)) - segment
		if duration > 0xffff {
			long = append(long, event(20*i, uint16(len(long)), segment, 5, 0, 0xffff, false))
			segment, duration = uint32(960*(i+1)), 960
		}
		long = append(long, event(20*i, uint16(len(long)), segment, 5, 0, uint16(duration), i == 0))
	}
	long = append(long, event(3000, uint16(len(long)), segment, 5, 0x80, 960, false))
	return []row{
		keyRow("presses every key, as in SIPp's captures", pcma, 12, nil, captures...),
		keyRow("presses two keys", pcma, 2, both(pressed(0, 1, 5, 8, true, 0, 7), pressed(300, 8, 6, 8, true, 0, 7))),
		keyRow("presses the same key twice", pcma, 2, both(pressed(0, 1, 5, 8, true, 0, 7), pressed(300, 8, 5, 8, true, 0, 7))),
		keyRow("presses a key twice, without markers", pcma, 2, both(pressed(0, 1, 5, 8, false, 0, 7), pressed(300, 8, 5, 8, false, 0, 7))),
		keyRow("presses two keys whose beginnings are lost", pcma, 2, both(pressed(0, 1, 5, 8, true, 3, 7), pressed(300, 8, 6, 8, true, 4, 7))),
		keyRow("presses two keys whose ends are lost", pcma, 2, both(pressed(0, 1, 5, 8, true, 0, 4), pressed(300, 8, 5, 8, true, 0, 4))),
		keyRow("presses two keys of which one packet each arrives", pcma, 2, both(pressed(0, 1, 5, 8, true, 2, 3), pressed(300, 8, 6, 8, true, 6, 7))),
		keyRow("presses a key twice in a clock of 48 kHz", clock48, 2, both(pressed(0, 1, 5, 48, true, 0, 7), pressed(300, 8, 5, 48, true, 0, 7))),
		keyRow("holds a key for 3 s in a clock of 48 kHz", clock48, 1, long),
		keyRow("agrees on no telephone-events and presses four keys as tones", soundOnly, 4, tones("115#")),
		keyRow("agrees on telephone-events and has tones in its voice: they are none", pcma, 0, tones("115#")),
		sippRow("DTMF", "presses a key by INFO, as application/dtmf-relay and application/dtmf", usual(
			infoKey("application/dtmf-relay", "Signal=5\nDuration=160"), infoKey("application/dtmf", "#"))),
	}
}

// infoKey is an INFO with a key in its body, which is taken.
func infoKey(kind, body string) step {
	return func(s *scenario) {
		request("INFO", body, kind)(s)
		expect(200)(s)
	}
}
