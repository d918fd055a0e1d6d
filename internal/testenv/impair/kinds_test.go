package impair_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/rtp"
)

// datagram is a packet of RTP as a trunk sends it, and when.
type datagram struct {
	at      time.Duration
	pt      byte
	marker  bool
	seq     uint16
	ts      uint32
	ssrc    uint32
	payload []byte
	long    bool // with a contributing source, an extension and padding
}

func (d datagram) bytes() []byte {
	b := []byte{0x80, d.pt}
	if d.marker {
		b[1] |= 0x80
	}
	if d.long {
		b[0] |= 0x31
	}
	b = binary.BigEndian.AppendUint16(b, d.seq)
	b = binary.BigEndian.AppendUint32(b, d.ts)
	b = binary.BigEndian.AppendUint32(b, d.ssrc)
	if d.long {
		b = append(b, 1, 2, 3, 4, 0xbe, 0xde, 0, 1, 0x10, 7, 0, 0)
	}
	b = append(b, d.payload...)
	if d.long {
		b = append(b, 0, 0, 3)
	}
	return b
}

const tones = 1600 * ms // of voice

// voiced is 600 Hz at -20 dBov in packets of a packet time.
func voiced(t *testing.T, c media.Codec, pt byte, ptime time.Duration) []datagram {
	t.Helper()
	enc, err := codec.NewEncoder(c, 8000)
	if err != nil {
		t.Fatal(err)
	}
	size := int(ptime * 8000 / time.Second)
	n := int(tones / ptime)
	pcm := mediatest.Tone(8000, 600, -20, n*size)
	out := make([]datagram, n)
	for i := range out {
		out[i] = datagram{at: time.Duration(i) * ptime, pt: pt, marker: i == 0, seq: uint16(100 + i), ts: uint32(1000 + i*size), ssrc: 77, payload: make([]byte, size)}
		if _, err := enc.Encode(pcm[i*size:(i+1)*size], out[i].payload); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// kinds are what trunks send, by the rows on RTP of the table of interoperability. least is
// the level, in dBov, at which the tone must be heard of what is -20 dBov while it sounds.
var kinds = map[string]struct {
	ptime time.Duration
	least float64
	of    func(t *testing.T, all []datagram) []datagram
}{
	"plain":                   {least: -24},
	"packets of 10 ms":        {ptime: 10 * ms, least: -24},
	"packets of 30 ms":        {ptime: 30 * ms, least: -24},
	"packets of 40 ms":        {ptime: 40 * ms, least: -24},
	"packets of 60 ms":        {ptime: 60 * ms, least: -24},
	"wraps":                   {least: -24, of: each(func(_ int, d *datagram) { d.seq += 65500 - 100; d.ts += 1<<32 - 9000 })},
	"another SSRC":            {least: -24, of: each(func(i int, d *datagram) { from(i, 50, func() { d.ssrc, d.seq, d.ts = 78, d.seq+30000, d.ts+1e9 }) })},
	"starts anew, same SSRC":  {least: -24, of: each(func(i int, d *datagram) { from(i, 50, func() { d.seq, d.ts = d.seq-30000, d.ts-1e9 }) })},
	"headers with everything": {least: -24, of: each(func(i int, d *datagram) { d.long = i%2 == 0 })},
	"two out of order":        {least: -24, of: each(func(i int, d *datagram) { from(i%2, 1, func() { d.at -= 25 * ms }) })},
	"everything twice":        {least: -24, of: func(_ *testing.T, all []datagram) []datagram { return append(all, all...) }},
	"30 % lost": {least: -26, of: func(_ *testing.T, all []datagram) []datagram {
		random := rand.New(rand.NewPCG(1, 1))
		return slices.DeleteFunc(all, func(datagram) bool { return random.IntN(100) < 30 })
	}},
	"nothing at first, then speech": {least: -24, of: each(func(_ int, d *datagram) { d.at += 500 * ms })},
	"A-law and mu-law by turns": {least: -24, of: func(t *testing.T, all []datagram) []datagram {
		for i, d := range voiced(t, media.PCMA, 8, 20*ms) {
			if i/25%2 == 1 {
				all[i].pt, all[i].payload = 8, d.payload
			}
		}
		return all
	}},
	"silence suppressed":                     {least: -30, of: pauses(nil)},
	"silence suppressed, with comfort noise": {least: -30, of: pauses([]byte{60})},
}

func each(f func(int, *datagram)) func(*testing.T, []datagram) []datagram {
	return func(_ *testing.T, all []datagram) []datagram {
		for i := range all {
			f(i, &all[i])
		}
		return all
	}
}

func from(i, first int, f func()) {
	if i >= first {
		f()
	}
}

// pauses takes out every second 200 ms; the sequence numbers go on (RFC 3551 section 4.1).
func pauses(noise []byte) func(*testing.T, []datagram) []datagram {
	return func(_ *testing.T, all []datagram) (out []datagram) {
		seq := uint16(0)
		for i, d := range all {
			switch at := i % 20; {
			case at == 10 && noise != nil:
				d.pt, d.payload = 13, noise
			case at >= 10:
				continue
			}
			d.marker, d.seq = i%20 == 0, seq
			seq++
			out = append(out, d)
		}
		return out
	}
}

// TestEveryKindOfRTPIsHeard has a trunk send each kind over a real socket to the service's leg,
// from where a bridge passes it on to an agent who takes G.711, or turns it into Opus.
func TestEveryKindOfRTPIsHeard(t *testing.T) {
	ports, err := rtp.NewPorts(loopback, 23400, 23699, 0)
	if err != nil {
		t.Fatal(err)
	}
	for name, kind := range kinds {
		for _, agent := range []media.Codec{media.PCMU, media.Opus} {
			t.Run(name+", to "+agent.String(), func(t *testing.T) {
				t.Parallel()
				if kind.ptime == 0 {
					kind.ptime = 20 * ms
				}
				all := voiced(t, media.PCMU, 0, kind.ptime)
				if kind.of != nil {
					all = kind.of(t, all)
				}
				slices.SortStableFunc(all, func(a, b datagram) int { return int(a.at - b.at) })
				for attempt := 1; ; attempt++ { // it is in real time, and the machine may be busy with another
					hz, level, stats := toAgent(t, ports, all, agent)
					if near(hz, 600) && level > kind.least && level < -19 {
						return
					}
					if attempt == 3 {
						t.Fatalf("the agent hears %.1f Hz at %.1f dBov; %+v", hz, level, stats)
					}
				}
			})
		}
	}
}

// toAgent says what the agent heard at the end of a voice.
func toAgent(t *testing.T, ports *rtp.Ports, all []datagram, agent media.Codec) (hz, dbov float64, stats media.Stats) {
	conn, _ := socket(t)
	trunk, desk, far := session(t, ports), session(t, ports), session(t, ports)
	j, err := rtp.NewJitterBuffer(rtp.JitterConfig{Rate: 16000})
	if err != nil {
		t.Fatal(err)
	}
	ear := &party{Session: far, jitter: j}
	far.SetSink(ear)
	types := map[media.Codec]uint8{media.Opus: 111, media.PCMU: 0, media.PCMA: 8, media.CN: 13}
	takes := []media.Codec{agent}
	if agent == media.PCMU {
		takes = []media.Codec{media.PCMU, media.PCMA, media.CN}
	}
	for s, p := range map[*rtp.Session]rtp.Params{
		trunk: {Remote: conn.LocalAddr().(*net.UDPAddr).AddrPort(), Codecs: []media.Codec{media.PCMU, media.PCMA, media.CN}},
		desk:  {Remote: far.LocalAddr(), Codecs: takes},
		far:   {Remote: desk.LocalAddr(), Codecs: takes},
	} {
		p.PayloadTypes = types
		if err := s.Configure(p); err != nil {
			t.Fatal(err)
		}
	}
	b, err := bridge.Join(trunk, desk, bridge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	began := time.Now()
	var say sync.WaitGroup
	say.Go(func() {
		for _, d := range all {
			time.Sleep(time.Until(began.Add(d.at)))
			_, _ = conn.WriteToUDPAddrPort(d.bytes(), trunk.LocalAddr())
		}
	})
	for ; time.Since(began) < all[len(all)-1].at; time.Sleep(5 * ms) {
		ear.step(time.Since(began))
	}
	say.Wait()
	hz, dbov, _ = ear.heard(800 * ms)
	return hz, dbov, trunk.Stats()
}
