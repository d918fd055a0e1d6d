package main

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
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

// keyAt is a key held for 100 ms, as RFC 4733 has it, with durations in units of clock kHz: four
// packets and three ends.
func keyAt(at int, seq uint16, key byte, kHz int) []timed {
	var all []timed
	for i := range 7 {
		duration, flags := min(i+1, 5)*20*kHz, byte(0)
		if i >= 4 {
			flags = 0x80
		}
		all = append(all, event(at+20*i, seq+uint16(i), uint32(at*kHz), key, flags, uint16(duration), i == 0))
	}
	return all
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

// keyRow is a call that offers a media line, plays a capture and is to have pressed so many keys.
func keyRow(name, offer string, want int, packets []timed) row {
	return row{area: "keys", name: name, peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		file, err := filepath.Abs(filepath.Join(dir, "keys.pcap"))
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, capture(packets), 0o600); err != nil {
			return err
		}
		long := int(packets[len(packets)-1].at/time.Millisecond) + 800
		scenario := play(number, invite(sdp(1, offer)), answered(), ack(""), pause(300), action(`play_pcap_audio="`+file+`"`), pause(long), bye())
		if err := sipp(ctx, s, dir, scenario, "-t", "u1"); err != nil {
			return err
		}
		return errors.Join(s.settled(ctx), s.keys(ctx, want))
	}}
}

// digitRows are the keys that need no audio beside them: in a clock of 48 kHz, as tones, by INFO.
func digitRows() []row {
	const clock48 = "m=audio [media_port] RTP/AVP 8 101\na=rtpmap:8 PCMA/8000\na=rtpmap:101 telephone-event/48000"
	const soundOnly = "m=audio [media_port] RTP/AVP 8\na=rtpmap:8 PCMA/8000"
	return []row{
		keyRow("one packet each of two keys", pcma, 2, append(keyAt(0, 1, 5, 8)[2:3], keyAt(300, 8, 6, 8)[6:]...)),
		keyRow("the same key twice in a clock of 48 kHz", clock48, 2, append(keyAt(0, 1, 5, 48), keyAt(300, 8, 5, 48)...)),
		keyRow("a key held for 3 s in a clock of 48 kHz", clock48, 1, heldAt48()),
		keyRow("four keys as tones, for want of telephone-events", soundOnly, 4, tones("115#")),
		keyRow("tones beside telephone-events, which are no keys", pcma, 0, tones("115#")),
		{area: "keys", name: "two keys by INFO, as application/dtmf-relay and application/dtmf", peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
			err := sipp(ctx, s, dir, usual(infoKey("application/dtmf-relay", "Signal=5\nDuration=160"), infoKey("application/dtmf", "#")), "-t", "u1")
			return errors.Join(err, s.settled(ctx), s.keys(ctx, 2))
		}},
	}
}

// heldAt48 is a key held for 3 s, in three segments as a browser writes them (RFC 4733 section
// 2.5.1.3): the duration has 16 bits.
func heldAt48() []timed {
	var out []timed
	segment := uint32(0)
	for i := range 150 {
		duration := uint32(960*(i+1)) - segment
		if duration > 0xffff {
			out = append(out, event(20*i, uint16(len(out)), segment, 5, 0, 0xffff, false))
			segment, duration = uint32(960*(i+1)), 960
		}
		out = append(out, event(20*i, uint16(len(out)), segment, 5, 0, uint16(duration), i == 0))
	}
	return append(out, event(3000, uint16(len(out)), segment, 5, 0x80, 960, false))
}

// infoKey is an INFO with a key in its body, which is taken.
func infoKey(kind, body string) step {
	return func(s *scenario) {
		request("INFO", body, kind)(s)
		expect(200)(s)
	}
}
