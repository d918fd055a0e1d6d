package load

import (
	"sync"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/rtp"
)

const (
	rate        = 8000 // Hz, of G.711 and so of everything here
	defaultKeep = 30 * time.Second
)

// ear decodes what a call hears and keeps the latest of it. A gap is filled as a listener
// would hear it: concealed, or silent where nothing was sent.
type ear struct {
	mu      sync.Mutex
	order   *rtp.Sequencer
	decoder codec.Decoder
	codec   media.Codec
	pcm     [rate * codec.MaxFrame / 1000]float32
	ring    []float32
	at      int // where the next sample goes
	full    bool
	power   float64 // sum of squares of what was received
	samples int
}

func newEar(keep time.Duration) *ear {
	if keep <= 0 {
		keep = defaultKeep
	}
	return &ear{order: rtp.NewSequencer(), ring: make([]float32, int(keep.Seconds()*rate)+1)}
}

// Packet is part of media.Sink.
func (e *ear) Packet(p *media.Packet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.order.Push(p)
	for {
		item, ok := e.order.Pop()
		if !ok {
			return
		}
		e.take(item)
	}
}

func (e *ear) take(item rtp.Item) {
	switch {
	case item.Packet != nil:
		if e.decoder == nil || item.Packet.Codec != e.codec {
			d, err := codec.NewDecoder(item.Packet.Codec, rate)
			if err != nil {
				return
			}
			e.decoder, e.codec = d, item.Packet.Codec
		}
		n, err := e.decoder.Decode(item.Packet.Payload, e.pcm[:])
		if err != nil {
			return
		}
		for _, v := range e.pcm[:n] {
			e.power += float64(v) * float64(v)
		}
		e.samples += n
		e.keep(e.pcm[:n])
	case item.Lost > 0 && e.decoder != nil:
		e.fill(item.Lost, func(pcm []float32) { e.decoder.Conceal(pcm) })
	default:
		e.fill(item.Silence, func(pcm []float32) { clear(pcm) })
	}
}

// fill adds made-up samples, no more than the ring holds.
func (e *ear) fill(samples int, make func([]float32)) {
	for left := min(samples, len(e.ring)); left > 0; {
		part := e.pcm[:min(left, len(e.pcm))]
		make(part)
		e.keep(part)
		left -= len(part)
	}
}

func (e *ear) keep(pcm []float32) {
	for _, v := range pcm {
		e.ring[e.at] = v
		if e.at++; e.at == len(e.ring) {
			e.at, e.full = 0, true
		}
	}
}

func (e *ear) heard() []float32 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.full {
		return append([]float32(nil), e.ring[:e.at]...)
	}
	return append(append([]float32(nil), e.ring[e.at:]...), e.ring[:e.at]...)
}

func (e *ear) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at, e.full = 0, false
}

func (e *ear) dbov() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.samples == 0 {
		return dsp.SilenceDBov
	}
	return dsp.PowerDBov(e.power / float64(e.samples))
}
