package trunktest

import (
	"math"
	"sync"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

const (
	rate      = 8000       // Hz, of G.711
	blockSize = rate / 5   // 200 ms
	toneShare = 0.6        // of a block's power, for it to be our tone
	toneTimes = 3          // blocks, for the tone to have come back
	quiet     = silentDBov // blocks below it are nobody's tone
)

// ear measures what a call hears, in blocks of 200 ms and in the order of arrival: for a level
// that is good enough.
type ear struct {
	mu       sync.Mutex
	decoder  codec.Decoder
	codec    media.Codec
	pcm      [rate * codec.MaxFrame / 1000]float32
	block    []float32
	packets  int
	loudest  float64 // mean square
	returned int     // blocks that were our tone
}

func newEar() *ear { return &ear{block: make([]float32, 0, blockSize)} }

// Packet is part of media.Sink.
func (e *ear) Packet(p *media.Packet) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.packets++
	if e.decoder == nil || p.Codec != e.codec {
		d, err := codec.NewDecoder(p.Codec, rate)
		if err != nil {
			return
		}
		e.decoder, e.codec = d, p.Codec
	}
	n, err := e.decoder.Decode(p.Payload, e.pcm[:])
	if err != nil {
		return
	}
	for _, v := range e.pcm[:n] {
		if e.block = append(e.block, v); len(e.block) == blockSize {
			e.take()
		}
	}
}

// take measures a block that is full.
func (e *ear) take() {
	var power, re, im float64
	for i, v := range e.block {
		x, at := float64(v), 2*math.Pi*toneHz/rate*float64(i)
		power += x * x
		re += x * math.Cos(at)
		im += x * math.Sin(at)
	}
	power /= blockSize
	tone := 2 * (re*re + im*im) / (blockSize * blockSize) // mean square of the sine that fits best
	e.loudest = max(e.loudest, power)
	if dsp.PowerDBov(power) > quiet && tone > toneShare*power {
		e.returned++
	}
	e.block = e.block[:0]
}

// measure gives the level of the loudest block, whether our tone came back, and how many
// packets there were.
func (e *ear) measure() (levelDBov float64, tone bool, packets int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return max(dsp.PowerDBov(e.loudest), -100), e.returned >= toneTimes, e.packets
}
