package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// talk is a call whose caller and agent are a tone each, and what the network does to it.
type talk struct {
	name   string
	offer  string // of media: everything after the address; "" is G.711
	codec  media.Codec
	ptime  time.Duration
	length time.Duration
	spoil  func([]shot) []shot
	within func(ctx context.Context, c *toneCall) error // beside the caller's tone, once it is answered
	// The share of what the agent hears that must be the caller's tone at its level, and the
	// most that may be missing in one piece.
	share float64
	hole  time.Duration
	// What the caller must hear it in: the codec's payload type, the packets' ticks.
	heardIn payload
	ticks   int
}

// payload is a codec and the number it has.
type payload struct {
	codec media.Codec
	typ   uint8
}

// toneCall is a call that is up.
type toneCall struct {
	s      *system
	wire   *wire
	stream *stream
	talk   *talk
}

const mulaw = "m=audio %d RTP/AVP 0\r\n"

// onTheWire is what networks and phones do to RTP (RFC 3550).
func onTheWire() []row {
	plain := talk{codec: media.PCMU, ptime: 20 * time.Millisecond, length: 5 * time.Second, share: 0.95, hole: 200 * time.Millisecond,
		heardIn: payload{media.PCMU, 0}, ticks: 160}
	with := func(name string, change func(*talk)) talk {
		t := plain
		t.name = name
		change(&t)
		return t
	}
	spoilt := func(name string, spoil func([]shot) []shot) talk {
		return with(name, func(t *talk) { t.spoil = spoil })
	}
	talks := []talk{
		with("sends what it ought to", func(*talk) {}),
		spoilt("changes its SSRC in mid-stream, and everything with it", func(s []shot) []shot {
			return later(s, 2*time.Second, func(h *rtp.Header) {
				h.SSRC, h.SequenceNumber, h.Timestamp = 99, h.SequenceNumber+30000, h.Timestamp+1<<30
			})
		}),
		spoilt("wraps its sequence number and its timestamp", func(s []shot) []shot {
			return later(s, 0, func(h *rtp.Header) { h.SequenceNumber += 65535 - 1050; h.Timestamp += math.MaxUint32 - 20000 })
		}),
		spoilt("begins its numbering anew without a word", func(s []shot) []shot {
			return later(s, 2*time.Second, func(h *rtp.Header) { h.SequenceNumber += 20000; h.Timestamp += 1 << 29 })
		}),
		spoilt("has every fifth packet overtaken by the next two", func(s []shot) []shot {
			for i := 5; i+2 < len(s); i += 5 {
				s[i].at += 45 * time.Millisecond
			}
			return inOrder(s)
		}),
		spoilt("sends every packet twice", func(s []shot) []shot {
			return inOrder(slices.Concat(s, s))
		}),
		with("loses 5 % of its packets", func(t *talk) {
			t.spoil, t.share, t.hole = lossy(5), 0.75, 500*time.Millisecond
		}),
		with("loses 30 % of its packets", func(t *talk) {
			t.spoil, t.share, t.hole = lossy(30), 0.1, 2500*time.Millisecond
		}),
		with("falls silent for 2 s and comes back", func(t *talk) {
			t.spoil, t.share, t.hole = silentFor(2*time.Second, 2*time.Second), 0.45, 3*time.Second
		}),
		spoilt("has a jitter of 40 ms", func(s []shot) []shot {
			random := rand.New(rand.NewPCG(1, 2))
			for i := range s {
				s[i].at += time.Duration(random.IntN(40)) * time.Millisecond
			}
			return inOrder(s)
		}),
		with("has a clock that is 200 ppm too fast", func(t *talk) {
			t.length = 10 * time.Second
			t.spoil = func(s []shot) []shot {
				for i := range s {
					s[i].at -= s[i].at / 5000
				}
				return s
			}
		}),
		with("says nothing, and sends nothing, for 3 s", func(t *talk) {
			t.spoil = func(s []shot) []shot {
				for i := range s {
					s[i].at += 3 * time.Second
				}
				return s
			}
		}),
		with("sends nothing in its pauses (DTX)", func(t *talk) {
			t.length, t.share, t.hole = 6*time.Second, 0.45, 1200*time.Millisecond
			t.spoil = func(s []shot) []shot {
				s = slices.DeleteFunc(s, func(p shot) bool { return p.at.Truncate(time.Second)/time.Second%2 == 1 })
				for i := range s { // without a hole in the numbering
					s[i].packet.SequenceNumber, s[i].packet.Marker = uint16(i), i == 0 || s[i].at-s[i-1].at > 100*time.Millisecond
				}
				return s
			}
		}),
		spoilt("sends padding and an extension header", func(s []shot) []shot {
			for i := range s {
				s[i].packet.Padding, s[i].packet.PaddingSize = true, 4
				if err := s[i].packet.SetExtension(1, []byte{0x40}); err != nil {
					panic(err)
				}
			}
			return s
		}),
		spoilt("comes from another port than it said, behind a NAT", func(s []shot) []shot {
			for i := range s {
				s[i].socket = 1
			}
			return s
		}),
		with("moves to another port in mid-call without a word, as a NAT does", func(t *talk) {
			t.share, t.hole = 0.8, time.Second
			t.spoil = func(s []shot) []shot { return elsewhere(s, 2*time.Second) }
		}),
		with("moves to another port by a re-INVITE, and begins its numbering anew", func(t *talk) {
			t.share, t.hole = 0.9, 300*time.Millisecond
			t.spoil = func(s []shot) []shot {
				return later(elsewhere(s, 2*time.Second), 2*time.Second, func(h *rtp.Header) {
					h.SSRC, h.SequenceNumber, h.Timestamp = 98, h.SequenceNumber-900, h.Timestamp-5000
				})
			}
			t.within = func(ctx context.Context, c *toneCall) error {
				return errors.Join(sleep(ctx, 1900*time.Millisecond), c.wire.up(c.description(2, 1)), c.wire.send("ACK", ""))
			}
		}),
		spoilt("has a stranger shout into it from the second packet on", func(s []shot) []shot {
			shout := slices.Clone(s[2:])
			for i := range shout {
				shout[i].socket, shout[i].packet.SSRC = 1, 666
				shout[i].packet.Payload = slices.Repeat([]byte{0x80, 0x00}, len(shout[i].packet.Payload)/2) // as loud as can be
			}
			return inOrder(slices.Concat(s, shout))
		}),
	}
	rows := make([]row, 0, 2*len(talks))
	for _, t := range slices.Concat(talks, packetTimes(plain), codecsOnTheWire(plain)) {
		rows = append(rows, t.row("audio on the wire"))
	}
	return append(rows, forGood(plain), sippStream("audio on the wire"))
}

// forGood falls silent and sends no report either.
func forGood(t talk) row {
	t.name = "falls silent for good: the call is hung up after a minute"
	return row{area: "audio on the wire", name: t.name, peer: "a plain socket", try: func(ctx context.Context, s *system, _ string) error {
		shots, err := speech(t.codec, t.ptime, 2*time.Second)
		if err != nil {
			return err
		}
		c, err := t.call(ctx, s)
		if err != nil {
			return err
		}
		defer c.stream.close()
		if err := c.play(ctx, shots); err != nil {
			return err
		}
		bye, err := c.wire.next(80 * time.Second)
		if err != nil || what(bye) != "BYE" {
			return fmt.Errorf("no BYE came, but %q: %w", firstLine(bye), err)
		}
		return c.wire.accept(bye)
	}}
}

// sippStream is SIPp saying the caller's tone out of a file.
func sippStream(area string) row {
	t := talk{length: 4 * time.Second, share: 0.9, hole: 300 * time.Millisecond}
	return row{area: area, name: "streams a file (its rtp_stream)", peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
		shots, err := speech(media.PCMA, 20*time.Millisecond, t.length)
		if err != nil {
			return err
		}
		var raw []byte
		for _, one := range shots {
			raw = append(raw, one.packet.Payload...)
		}
		file := filepath.Join(dir, "tone.alaw")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			return err
		}
		before, _, err := s.ear()
		if err != nil {
			return err
		}
		if err := sipp(ctx, s, dir, play(toneNumber, invite(sdp(1, pcma)), answered(), ack(""),
			action(`rtp_stream="`+file+`,1,8"`), pause(5000), bye()), "-t", "u1"); err != nil {
			return err
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		heard, rate, err := s.ear()
		if err != nil {
			return err
		}
		return t.judgeAgent(heard[len(before):], rate)
	}}
}

// action lets SIPp do something with audio.
func action(exec string) step { return raw("<nop><action><exec " + exec + "/></action></nop>") }

// packetTimes are those a party may ask for, and may send in whatever it asked for.
func packetTimes(plain talk) []talk {
	var all []talk
	for _, ms := range []int{10, 20, 30, 40, 60} {
		t := plain
		t.name = fmt.Sprintf("speaks and hears in packets of %d ms", ms)
		t.offer = mulaw + fmt.Sprintf("a=ptime:%d\r\n", ms)
		t.ptime, t.ticks = time.Duration(ms)*time.Millisecond, 8*ms
		all = append(all, t)
		if ms != 20 {
			t.name = fmt.Sprintf("speaks in packets of 20 ms and hears in those of %d", ms)
			t.ptime = 20 * time.Millisecond
			all = append(all, t)
		}
	}
	return all
}

// codecsOnTheWire are those of trunks, under whatever number.
func codecsOnTheWire(plain talk) []talk {
	t := plain
	alaw := t
	alaw.name, alaw.offer = "speaks A-law", "m=audio %d RTP/AVP 8\r\n"
	alaw.codec, alaw.heardIn = media.PCMA, payload{media.PCMA, 8}
	wide := t
	wide.name, wide.offer = "speaks G.722, whose clock says 8 kHz", "m=audio %d RTP/AVP 9\r\n"
	wide.codec, wide.heardIn = media.G722, payload{media.G722, 9}
	both := t
	both.name, both.offer = "changes from A-law to mu-law in mid-stream", "m=audio %d RTP/AVP 8 0\r\n"
	both.heardIn = payload{media.PCMA, 8}
	both.spoil = func(s []shot) []shot {
		other, err := speech(media.PCMA, both.ptime, both.length)
		if err != nil {
			panic(err)
		}
		return slices.Concat(other[:len(other)/2], s[len(s)/2:])
	}
	renumbered := t
	renumbered.name = "has given mu-law a number of its own"
	renumbered.offer = "m=audio %d RTP/AVP 102\r\na=rtpmap:102 PCMU/8000\r\n"
	renumbered.heardIn.typ = 102
	renumbered.spoil = func(s []shot) []shot {
		return later(s, 0, func(h *rtp.Header) { h.PayloadType = 102 })
	}
	return []talk{alaw, wide, both, renumbered}
}

// later changes the headers from a time on.
func later(s []shot, from time.Duration, change func(*rtp.Header)) []shot {
	for i := range s {
		if s[i].at >= from {
			change(&s[i].packet.Header)
		}
	}
	return s
}

// inOrder sorts by time.
func inOrder(s []shot) []shot {
	slices.SortStableFunc(s, func(a, b shot) int { return int(a.at - b.at) })
	return s
}

// elsewhere lets everything come from another socket from a time on.
func elsewhere(s []shot, from time.Duration) []shot {
	for i := range s {
		if s[i].at >= from {
			s[i].socket = 1
		}
	}
	return s
}

// lossy loses so many in a hundred, the same ones in every run.
func lossy(percent int) func([]shot) []shot {
	return func(s []shot) []shot {
		random := rand.New(rand.NewPCG(3, 4))
		return slices.DeleteFunc(s, func(shot) bool { return random.IntN(100) < percent })
	}
}

// silentFor loses everything for a while.
func silentFor(from, length time.Duration) func([]shot) []shot {
	return func(s []shot) []shot {
		return slices.DeleteFunc(s, func(p shot) bool { return p.at >= from && p.at < from+length })
	}
}

// row makes a row of it.
func (t talk) row(area string) row {
	return row{area: area, name: t.name, peer: "a plain socket", try: func(ctx context.Context, s *system, _ string) error {
		return t.try(ctx, s)
	}}
}

func (t talk) try(ctx context.Context, s *system) error {
	shots, err := speech(t.codec, t.ptime, t.length)
	if err != nil {
		return err
	}
	if t.spoil != nil {
		shots = t.spoil(shots)
	}
	before, _, err := s.ear()
	if err != nil {
		return err
	}
	c, err := t.call(ctx, s)
	if err != nil {
		return err
	}
	defer c.stream.close()
	if err := c.play(ctx, shots); err != nil {
		return errors.Join(err, c.hangUp())
	}
	if err := errors.Join(sleep(ctx, time.Second), c.hangUp(), sleep(ctx, 500*time.Millisecond)); err != nil {
		return err
	}
	heard, rate, err := s.ear()
	if err != nil {
		return err
	}
	return errors.Join(t.judgeAgent(heard[len(before):], rate), t.judgeCaller(c))
}

// call puts one through to the agent who is a tone.
func (t *talk) call(ctx context.Context, s *system) (*toneCall, error) {
	stream, err := newStream()
	if err != nil {
		return nil, err
	}
	w, err := newWire(ctx, s)
	if err != nil {
		stream.close()
		return nil, err
	}
	w.number = toneNumber
	w.target = strings.Replace(w.target, number, toneNumber, 1)
	c := &toneCall{s: s, wire: w, stream: stream, talk: t}
	if err := errors.Join(w.up(c.description(1, 0)), w.send("ACK", "")); err != nil {
		stream.close()
		return nil, err
	}
	return c, nil
}

// description is the caller's, in a version, for a socket of the stream's.
func (c *toneCall) description(version, socket int) string {
	text := c.talk.offer
	if text == "" {
		text = mulaw
	}
	return fmt.Sprintf("v=0\r\no=- 1 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+text, version, c.stream.port(socket))
}

// play says the shots, and does what else there is to do meanwhile.
func (c *toneCall) play(ctx context.Context, shots []shot) error {
	to, err := mediaAddress(c.wire.answer)
	if err != nil {
		return err
	}
	said := make(chan error, 1)
	go func() { said <- c.stream.say(ctx, to, shots) }()
	if c.talk.within != nil {
		err = c.talk.within(ctx, c)
	}
	return errors.Join(err, <-said)
}

func (c *toneCall) hangUp() error {
	if err := c.wire.send("BYE", ""); err != nil {
		return err
	}
	_, err := c.wire.expect("200 BYE")
	return err
}

// judgeAgent looks at what the agent's earphone was given during the call.
func (t *talk) judgeAgent(pcm []float32, rate int) error {
	step := int(toneWindow) * rate / int(time.Second)
	first, last, right, hole, longest := -1, 0, 0, 0, 0
	for i := 0; (i+1)*step <= len(pcm); i++ {
		part := pcm[i*step : (i+1)*step]
		level := mediatest.ToneDBov(part, rate, callerHz)
		_, rest := mediatest.ToneAndRest(part, rate, callerHz)
		if loud := max(level, rest); loud > toneDBov+6 {
			return fmt.Errorf("the agent heard something at %.1f dBov", loud)
		}
		if level < toneDBov-toneWithin || level > toneDBov+toneWithin {
			hole++
			continue
		}
		if first < 0 {
			first = i
		} else {
			longest = max(longest, hole)
		}
		hole, last = 0, i
		right++
	}
	if first < 0 {
		return errors.New("the agent did not hear the caller's tone")
	}
	share := float64(right) / float64(max(int(t.length/toneWindow)-1, 1))
	missing := time.Duration(longest) * toneWindow
	if share < t.share || missing > t.hole {
		return fmt.Errorf("the agent heard the tone in %.0f %% of the call's %v (%.1f s from first to last), with %v missing in one piece",
			100*share, t.length, float64(last-first+1)*toneWindow.Seconds(), missing)
	}
	return nil
}

// judgeCaller looks at what came to where the caller speaks from.
func (t *talk) judgeCaller(c *toneCall) error {
	socket := 0
	if len(c.stream.packets(1)) > len(c.stream.packets(0)) {
		socket = 1
	}
	packets := c.stream.packets(socket)
	packets = slices.DeleteFunc(packets, func(p rtp.Packet) bool { return p.PayloadType != t.heardIn.typ })
	if len(packets) < 100*int(20*time.Millisecond)/max(t.ticks*int(time.Millisecond)/8, 1) {
		return fmt.Errorf("the caller heard %d packets in %v", len(packets), t.heardIn.codec)
	}
	pcm, rate, err := listened(packets, t.heardIn.codec, t.heardIn.typ)
	if err != nil {
		return err
	}
	for i := 1; i < len(packets); i++ {
		if step := int(packets[i].Timestamp - packets[i-1].Timestamp); !packets[i].Marker && step != t.ticks {
			return fmt.Errorf("a packet of what the caller heard is %d ticks after the one before, not %d", step, t.ticks)
		}
	}
	if right, all := windows(pcm[min(rate, len(pcm)):], rate, agentHz); right < all*9/10 {
		return fmt.Errorf("the caller heard the agent's tone in %d of %d tenths of a second", right, all)
	}
	return nil
}
