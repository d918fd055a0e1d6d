package bridge

import (
	"math"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// seamTime is how long a change of what a leg hears takes, as a part of a second: 10 ms.
const seamTime = 100

// gate stands before a leg while the direct way of a bridge gives way to a mix, or takes over
// from it again. It listens to what the leg is sent, so that whatever comes next can go on from
// there without a step in the waveform. It is a media.Leg.
type gate struct {
	media.Leg

	mu      sync.Mutex
	state   gateState
	flow    *flow     // whose way it is, for gateEnds and gateBegins to be taken out of it, or hold it
	until   time.Time // gateEnds: what comes later is not sent
	listens bool
	codec   media.Codec
	decoder codec.Decoder // of what the leg hears
	pcm     []float32
	tail    seam
	changed media.Packet
	payload [1500]byte
}

type gateState uint8

const (
	gatePasses gateState = iota
	gateEnds             // the next packet fades out; nothing comes after it
	gateShut             // nothing passes
	gateBegins           // the next packet fades in, over what was heard before
)

// seam is 10 ms that would have come next, at a rate; none where that is not known.
type seam struct {
	pcm  [wideband / seamTime]float32
	rate int
}

func newGate(leg media.Leg, state gateState) *gate {
	return &gate{Leg: leg, state: state, pcm: make([]float32, codec.MaxFrame*wideband/1000)}
}

// Accepts is part of media.Leg. Of what does not pass nothing needs to be encoded.
func (g *gate) Accepts(c media.Codec) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.state == gateShut || g.Leg.Accepts(c)
}

// Send is part of media.Leg.
func (g *gate) Send(p *media.Packet) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch g.state {
	case gateShut:
		return
	case gateEnds:
		g.state = gateShut
		if g.flow != nil {
			g.flow.held = true // its lock is held: this is one of its packets
		}
		if time.Now().After(g.until) {
			return
		}
		p = g.faded(p, func(pcm []float32, rate int) {
			n := min(rate/seamTime, len(pcm))
			for i, x := range pcm[:n] {
				pcm[i] = x * (1 - ramp(i, n))
			}
			clear(pcm[n:])
		})
	case gateBegins:
		g.state = gatePasses
		if g.flow != nil {
			g.flow.to = g.Leg
		}
		p = g.faded(p, func(pcm []float32, rate int) { g.tail.blend(pcm, rate) })
	}
	g.hears(p)
	g.Leg.Send(p)
}

// faded gives the packet with its samples changed, or as it is where that cannot be done to
// one packet alone.
func (g *gate) faded(p *media.Packet, change func(pcm []float32, rate int)) *media.Packet {
	if p.Codec != media.PCMU && p.Codec != media.PCMA {
		return p
	}
	decoder, err := codec.NewDecoder(p.Codec, narrowband)
	if err != nil {
		return p
	}
	encoder, err := codec.NewEncoder(p.Codec, narrowband)
	if err != nil {
		return p
	}
	n, err := decoder.Decode(p.Payload, g.pcm)
	if err != nil || n > len(g.payload) {
		return p
	}
	change(g.pcm[:n], narrowband)
	if n, err = encoder.Encode(g.pcm[:n], g.payload[:]); err != nil {
		return p
	}
	g.changed = *p
	g.changed.Payload = g.payload[:n]
	return &g.changed
}

// listen makes the gate take note of what the leg hears, or no longer.
func (g *gate) listen(on bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.listens = on
	if !on {
		g.decoder = nil
	}
}

// heard takes note of a packet that the leg was sent past the gate.
func (g *gate) heard(p *media.Packet) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.hears(p)
}

func (g *gate) hears(p *media.Packet) {
	if !g.listens {
		return
	}
	if g.decoder == nil || g.codec != p.Codec {
		g.decoder, g.codec = nil, p.Codec
		d, err := codec.NewDecoder(p.Codec, codec.EncodeRate(p.Codec))
		if err != nil {
			return
		}
		g.decoder = d
	}
	_, _ = g.decoder.Decode(p.Payload, g.pcm)
}

// shut lets nothing pass any more, and gives what would have been heard next.
func (g *gate) shut() (next seam) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = gateShut
	return g.next()
}

// open lets packets pass again, the first of them blended with what would have been heard
// next.
func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tail = g.next()
	g.state = gateBegins
}

// next makes up the 10 ms that follow what the leg heard last.
func (g *gate) next() (s seam) {
	if g.decoder == nil {
		return s
	}
	s.rate = g.decoder.Rate()
	g.decoder.Conceal(s.pcm[:s.rate/seamTime])
	g.decoder = nil
	return s
}

// blend begins pcm, at rate, with the seam, which fades as pcm comes in.
func (s *seam) blend(pcm []float32, rate int) {
	n := min(rate/seamTime, len(pcm))
	for i := range n {
		w := ramp(i, n)
		pcm[i] = pcm[i]*w + s.at(i, rate)*(1-w)
	}
}

// at is sample i at rate, between those there are.
func (s *seam) at(i, rate int) float32 {
	if s.rate == 0 {
		return 0
	}
	x := i * s.rate / rate
	y := s.pcm[min(x, s.rate/seamTime-1)]
	if rest := i * s.rate % rate; rest > 0 && x+1 < s.rate/seamTime {
		part := float32(rest) / float32(rate)
		y += (s.pcm[x+1] - y) * part
	}
	return y
}

// ramp rises from 0 to 1 over n samples as half a cosine does, without a corner.
func ramp(i, n int) float32 {
	return float32(0.5 - 0.5*math.Cos(math.Pi*(float64(i)+0.5)/float64(n)))
}

// redirect has the flow speak to another leg, or to what stands before it; anew, if it was
// not heard for a while.
func (f *flow) redirect(to media.Leg, anew bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.to = to
	if anew {
		f.out.restart()
		if len(f.taps) == 0 { // nothing was decoded meanwhile
			f.sequencer, f.decoders = nil, [media.NumCodecs]codec.Decoder{}
		}
	}
}
