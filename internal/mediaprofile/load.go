package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/webrtc"
	"github.com/headroom-voice/headroom/testdata"
)

const (
	phases   = 20 // of 1 ms: calls are spread over a packet time
	header   = 12 // bytes of an RTP header
	stampLen = 8  // bytes of a caller's payload that hold the time it was sent
)

// callers is the load's half.
type callers struct {
	epoch  time.Time
	speech [][]byte // packets that agents say
	codec  media.Codec
	lines  []*line
	sent   uint64
	up     atomic.Uint64
	down   atomic.Uint64

	mu     sync.Mutex
	delays []time.Duration
}

// line is one call: its caller and its agent.
type line struct {
	agent  *webrtc.Peer
	caller *net.UDPConn
	to     *net.UDPAddr
	packet media.Packet
	header pionrtp.Header
	buf    [header + 160]byte
	at     int
}

// load is the callers' and agents' process: it ends when its input does.
func load(o options) error {
	c := &callers{epoch: time.Now(), codec: media.PCMU}
	if o.mode == "metered" {
		c.codec = media.Opus
	}
	var err error
	if c.speech, err = encoded(c.codec); err != nil {
		return err
	}
	in, out := json.NewDecoder(bufio.NewReader(os.Stdin)), json.NewEncoder(os.Stdout)
	for range o.calls {
		if err := c.place(in, out); err != nil {
			return err
		}
	}
	for _, l := range c.lines {
		select {
		case <-l.agent.Connected():
		case <-time.After(30 * time.Second):
			return errNotConnected
		}
	}
	stop := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, io.MultiReader(in.Buffered(), os.Stdin))
		close(stop)
	}()
	c.talk(stop)
	time.Sleep(200 * time.Millisecond) // for what is under way
	err = out.Encode(c.heard())
	for _, l := range c.lines {
		_ = l.caller.Close()
		_ = l.agent.Close()
	}
	return err
}

// encoded is speech, packet by packet.
func encoded(c media.Codec) ([][]byte, error) {
	pcm, hz, err := testdata.Samples("agent-1")
	if err != nil {
		return nil, err
	}
	rate := codec.EncodeRate(c)
	r, err := resample.New(hz, rate)
	if err != nil {
		return nil, err
	}
	pcm = r.Process(nil, pcm)
	e, err := codec.NewEncoder(c, rate)
	if err != nil {
		return nil, err
	}
	var packets [][]byte
	var buf [1500]byte
	for n := rate / 50; len(pcm) >= n; pcm = pcm[n:] {
		size, err := e.Encode(pcm[:n], buf[:])
		if err != nil {
			return nil, err
		}
		packets = append(packets, slices.Clone(buf[:size]))
	}
	return packets, nil
}

// place sets a call up with the service.
func (c *callers) place(in *json.Decoder, out *json.Encoder) error {
	agent, offer, err := webrtc.Offer(webrtc.OfferConfig{}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	caller, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return err
	}
	if err := out.Encode(placed{Offer: offer, Caller: caller.LocalAddr().String()}); err != nil {
		return err
	}
	var t taken
	if err := in.Decode(&t); err != nil {
		return err
	}
	if err := agent.Answered(t.Answer); err != nil {
		return err
	}
	to, err := net.ResolveUDPAddr("udp4", t.Trunk)
	if err != nil {
		return err
	}
	l := &line{
		agent: agent, caller: caller, to: to, at: rand.IntN(len(c.speech)),
		packet: media.Packet{Source: media.NewSource(), Codec: c.codec, Seq: 1 << 20, Timestamp: 1 << 40},
		header: pionrtp.Header{Version: 2, SSRC: rand.Uint32()},
	}
	for i := range l.buf {
		l.buf[i] = byte(0x7f + i%3) // a hum, quiet
	}
	agent.SetSink(ear{c})
	go c.listen(caller)
	c.lines = append(c.lines, l)
	return nil
}

// talk sends what every line says, a part of them each millisecond, until stop.
func (c *callers) talk(stop <-chan struct{}) {
	next := time.Now()
	for phase := 0; ; phase = (phase + 1) % phases {
		for i := phase; i < len(c.lines); i += phases {
			c.say(c.lines[i])
		}
		next = next.Add(time.Millisecond)
		select {
		case <-stop:
			return
		case <-time.After(time.Until(next)):
		}
	}
}

func (c *callers) say(l *line) {
	l.packet.Payload = c.speech[l.at%len(c.speech)]
	l.at++
	l.agent.Send(&l.packet)
	l.packet.Seq++
	l.packet.Timestamp += uint64(c.codec.ClockRate() / 50)

	if _, err := l.header.MarshalTo(l.buf[:]); err != nil {
		return
	}
	binary.BigEndian.PutUint64(l.buf[header:], uint64(time.Since(c.epoch)))
	if _, err := l.caller.WriteTo(l.buf[:], l.to); err != nil {
		return
	}
	l.header.SequenceNumber++
	l.header.Timestamp += 160
	c.sent += 2
}

// listen counts what a caller hears.
func (c *callers) listen(caller *net.UDPConn) {
	var buf [2048]byte
	for {
		if _, _, err := caller.ReadFromUDPAddrPort(buf[:]); err != nil {
			return
		}
		if buf[1]&0x7f == 0 { // PCMU; the rest is RTCP
			c.up.Add(1)
		}
	}
}

// ear is what an agent hears.
type ear struct{ c *callers }

// Packet is part of media.Sink.
func (e ear) Packet(p *media.Packet) {
	if p.Codec != media.PCMU || len(p.Payload) < stampLen {
		return
	}
	e.c.down.Add(1)
	delay := time.Since(e.c.epoch) - time.Duration(binary.BigEndian.Uint64(p.Payload))
	e.c.mu.Lock()
	e.c.delays = append(e.c.delays, delay)
	e.c.mu.Unlock()
}

func (c *callers) heard() heard {
	c.mu.Lock()
	defer c.mu.Unlock()
	slices.Sort(c.delays)
	h := heard{Sent: c.sent, Up: c.up.Load(), Down: c.down.Load()}
	if n := len(c.delays); n > 0 {
		h.Median, h.P99 = c.delays[n/2], c.delays[n*99/100]
	} else {
		fmt.Fprintln(os.Stderr, "mediaprofile: nothing was heard")
	}
	return h
}
