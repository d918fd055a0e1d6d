package impair_test

import (
	"context"
	"math"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/testenv/impair"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/rtp"
)

// party is one end of a call: it says a tone in packets of 20 ms, and hears through a jitter
// buffer, both at the pace of a clock.
type party struct {
	*rtp.Session
	said   []media.Packet
	n      int // of which were sent
	jitter *rtp.JitterBuffer

	mu    sync.Mutex
	pcm   []float32 // heard, at 16 kHz
	marks []dsp.Mark
}

// Packet is part of media.Sink.
func (p *party) Packet(packet *media.Packet) { p.jitter.Push(packet, time.Now()) }

// step says and plays what is due after a time.
func (p *party) step(since time.Duration) {
	for ; len(p.said) > 0 && time.Duration(p.n)*20*ms <= since; p.n++ {
		packet := p.said[p.n%len(p.said)]
		packet.Seq, packet.Timestamp = uint64(p.n), uint64(p.n*packet.Codec.ClockRate()/50)
		p.Send(&packet)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	frame := make([]float32, 160)
	for time.Duration(len(p.pcm))*time.Second/16000 <= since {
		p.marks = append(p.marks, p.jitter.Pull(frame))
		p.pcm = append(p.pcm, frame...)
	}
}

// heard is the last d of what was heard.
func (p *party) heard(d time.Duration) (hz, dbov float64, lost int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := int(d * 16000 / time.Second)
	if len(p.pcm) < n {
		return 0, dsp.SilenceDBov, 0
	}
	for _, m := range p.marks[len(p.marks)-n/160:] {
		if m&dsp.Lost != 0 {
			lost++
		}
	}
	hz, dbov = mediatest.FindTone(p.pcm[len(p.pcm)-n:], 16000)
	return hz, dbov, lost
}

// session is a leg of the service's, or one that stands for a far end's.
func session(t *testing.T, ports *rtp.Ports) *rtp.Session {
	t.Helper()
	s, err := rtp.Open(ports)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

// call is a caller on a trunk and an agent, joined by a bridge, each behind a bad network.
type call struct {
	t             *testing.T
	caller, agent *party
	trunk, desk   *rtp.Session // the service's legs
	callers, wifi *impair.Proxy
}

var loopback = netip.MustParseAddr("127.0.0.1")

func newCall(t *testing.T, low int, link impair.Link) *call {
	t.Helper()
	ports, err := rtp.NewPorts(loopback, low, low+63, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := &call{t: t, trunk: session(t, ports), desk: session(t, ports)}
	join := func(leg *rtp.Session, codecs []media.Codec, say media.Codec, hz float64, seed uint64) (*party, *impair.Proxy) {
		proxy := impair.Start(t, impair.Config{To: leg.LocalAddr(), Up: link, Down: link, Seed: seed})
		j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 16000})
		if err != nil {
			t.Fatal(err)
		}
		p := &party{Session: session(t, ports), said: tone(t, say, hz), jitter: j}
		p.SetSink(p)
		types := map[media.Codec]uint8{media.Opus: 111, media.PCMU: 0}
		for s, remote := range map[*rtp.Session]netip.AddrPort{p.Session: proxy.Addr(), leg: p.LocalAddr()} {
			// The leg is told where the party is; its packets come from the proxy, as from a NAT.
			if err := s.Configure(rtp.Params{Remote: remote, Codecs: codecs, PayloadTypes: types}); err != nil {
				t.Fatal(err)
			}
		}
		return p, proxy
	}
	c.caller, c.callers = join(c.trunk, []media.Codec{media.PCMU}, media.PCMU, 600, 11)
	c.agent, c.wifi = join(c.desk, []media.Codec{media.PCMU, media.Opus}, media.Opus, 1000, 12)
	b, err := bridge.Join(c.trunk, c.desk, bridge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	began := time.Now()
	ctx, stop := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() {
		tick := time.NewTicker(5 * ms)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.caller.step(time.Since(began))
				c.agent.step(time.Since(began))
			case <-ctx.Done():
				return
			}
		}
	})
	t.Cleanup(func() { stop(); run.Wait() })
	return c
}

// tone is 2 s of it at -20 dBov, whole periods.
func tone(t *testing.T, c media.Codec, hz float64) []media.Packet {
	t.Helper()
	rate := codec.EncodeRate(c)
	enc, err := codec.NewEncoder(c, rate)
	if err != nil {
		t.Fatal(err)
	}
	pcm := mediatest.Tone(rate, hz, -20, 2*rate)
	var out []media.Packet
	for ; len(pcm) > 0; pcm = pcm[rate/50:] {
		payload := make([]byte, 1500)
		n, err := enc.Encode(pcm[:rate/50], payload)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, media.Packet{Source: 1, Codec: c, Payload: payload[:n]})
	}
	return out
}

// hear waits until both hear each other's tone for half a second, and fails after a while.
func (c *call) hear() (took time.Duration) {
	const within = 10 * time.Second
	c.t.Helper()
	began := time.Now()
	for {
		time.Sleep(50 * ms)
		hz1, level1, lost1 := c.caller.heard(500 * ms)
		hz2, level2, lost2 := c.agent.heard(500 * ms)
		if near(hz1, 1000) && near(hz2, 600) && level1 > -24 && level2 > -24 {
			return time.Since(began)
		}
		if time.Since(began) > within {
			c.t.Fatalf("after %v the caller hears %.0f Hz at %.1f dBov (%d lost), the agent %.0f Hz at %.1f dBov (%d lost)",
				within, hz1, level1, lost1, hz2, level2, lost2)
		}
	}
}

func near(hz, want float64) bool { return math.Abs(hz-want) < 5 }

func TestACallOverABadNetworkIsHeardOnBothSides(t *testing.T) {
	c := newCall(t, 23000, impair.Link{Delay: 10 * ms, Jitter: 25 * ms, Loss: 0.05, Burst: 2, Reorder: 0.01, Duplicate: 0.01})
	time.Sleep(3 * time.Second)
	c.hear()
	up, _ := c.callers.Counts()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * ms) {
		s := c.trunk.Stats()
		if s.Lost > 0 && s.Duplicate > 0 && s.MOS > 1 && s.MOS < 4.4 && s.Jitter > 0 && s.Codec == media.PCMU {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the proxy did %+v, the leg says %+v", up, s)
		}
	}
	heard, _, _ := c.desk.Quality()
	if s := c.desk.Stats(); heard.LossRate == 0 || s.Stranger > 20 {
		t.Errorf("of the agent's voice %+v, %+v", heard, s)
	}
}

func TestTwoSecondsInTheDarkAreOverWithinOne(t *testing.T) {
	c := newCall(t, 23100, impair.Link{Delay: 5 * ms})
	c.hear()
	c.callers.Dark(true)
	c.wifi.Dark(true)
	time.Sleep(2 * time.Second)
	if _, level, _ := c.agent.heard(time.Second); level > -40 {
		t.Errorf("in the dark the agent hears %.1f dBov", level)
	}
	c.callers.Dark(false)
	c.wifi.Dark(false)
	// It takes half a second to hear half a second of tone. What the machine is late by is not
	// the network's: a loaded one may take longer than the second that it takes here.
	took := c.hear()
	t.Logf("half a second of both tones was heard %v after the dark", took.Round(10*ms))
}

func TestANATThatGivesOutAnotherPortIsFollowed(t *testing.T) {
	c := newCall(t, 23200, impair.Link{})
	c.hear()
	if err := c.callers.Rebind(); err != nil {
		t.Fatal(err)
	}
	if err := c.wifi.Rebind(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(600 * ms) // what was heard before is out of sight
	took := c.hear()
	t.Logf("half a second of both tones was heard %v after that", took.Round(10*ms))
}
