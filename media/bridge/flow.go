package bridge

import (
	"sync"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/rtp"
)

const (
	narrowband = 8000  // Hz
	wideband   = 16000 // Hz: what Opus is decoded to when a meter listens, and encoded from
	maxConceal = 100   // milliseconds made up for one loss; the rest is silence
	maxSilence = 1000  // milliseconds of silence the taps are told of at once
	smallGap   = 60    // milliseconds of silence sent as samples; more is a leap of the timestamp
	chunk      = 20    // milliseconds of silence at a time
)

// flow is one direction: what one party says, to the other. It is a media.Sink.
type flow struct {
	to   media.Leg
	taps []media.Tap

	mu        sync.Mutex // against close only; the reader goroutine alone sends packets
	closed    bool
	held      bool
	sequencer *rtp.Sequencer // made when something must be decoded
	decoders  [media.NumCodecs]codec.Decoder
	out       packetizer
	comfort   comfort
	source    uint32      // of what was decoded last
	seam      media.Codec // of what was decoded last
	coded     bool        // the last packet did not pass as it was
	pcm       []float32
}

func newFlow(to media.Leg, taps []media.Tap) *flow {
	return &flow{to: to, taps: taps}
}

// Packet is part of media.Sink.
func (f *flow) Packet(p *media.Packet) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	p = f.comfort.pass(p, f.to)
	direct := f.seamless(p, f.held || f.comfort.accepts(p, f.to))
	if direct {
		if !f.held {
			f.to.Send(p)
		}
		if len(f.taps) == 0 {
			f.rest()
			return
		}
	}
	if f.sequencer == nil {
		f.sequencer = rtp.NewSequencer()
		f.pcm = make([]float32, codec.MaxFrame*wideband/1000)
	}
	f.sequencer.Push(p)
	for item, ok := f.sequencer.Pop(); ok; item, ok = f.sequencer.Pop() {
		f.item(&item, direct)
	}
}

func (f *flow) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
}

// hold keeps what is said from the other party, or lets it pass again, as a new stream.
func (f *flow) hold(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.held != on {
		f.held = on
		f.out.restart()
	}
}

// item decodes one piece of the stream in order and hands it on.
func (f *flow) item(item *rtp.Item, direct bool) {
	decoder := f.decoder(item.Codec)
	if decoder == nil {
		return
	}
	if item.Source != f.source {
		f.source = item.Source
		f.out.restart()
	}
	switch {
	case item.Packet != nil:
		n, err := decoder.Decode(item.Packet.Payload, f.pcm)
		if err != nil {
			f.conceal(decoder, samples(item.Packet.Payload, item.Codec, decoder), item.Codec, nil, direct)
			return
		}
		f.decoded(f.pcm[:n], item.Codec)
		var mark dsp.Mark
		if codec.Silent(item.Codec, item.Packet.Payload) {
			mark = dsp.ComfortNoise
		}
		f.emit(f.pcm[:n], decoder.Rate(), item.Codec, mark, direct)
	case item.Lost > 0:
		n := item.Lost * decoder.Rate() / item.Codec.ClockRate()
		made := min(n, maxConceal*decoder.Rate()/1000)
		var next *media.Packet
		if made == n && item.Next != nil && item.Next.Codec == item.Codec {
			next = item.Next
		}
		f.conceal(decoder, made, item.Codec, next, direct)
		f.silence(n-made, decoder.Rate(), item.Codec, dsp.Lost, direct)
	default:
		f.silence(item.Silence*decoder.Rate()/item.Codec.ClockRate(), decoder.Rate(), item.Codec, dsp.ComfortNoise, direct)
	}
}

func samples(payload []byte, c media.Codec, d codec.Decoder) int {
	return codec.Samples(c, payload) * d.Rate() / c.ClockRate()
}

// decoder gives the decoder for c: G.722 wide-band, as it has no other, Opus so if a meter or a wide-band party
// listens, and only as wide as the trunk if not.
func (f *flow) decoder(c media.Codec) codec.Decoder {
	if int(c) >= len(f.decoders) {
		return nil
	}
	if f.decoders[c] == nil {
		rate := narrowband
		if c == media.G722 || c == media.Opus && (len(f.taps) > 0 || codec.EncodeRate(f.to.Preferred()) == wideband) {
			rate = wideband
		}
		decoder, err := codec.NewDecoder(c, rate)
		if err != nil {
			return nil
		}
		f.decoders[c] = decoder
	}
	return f.decoders[c]
}

// conceal makes up n samples, recovering what it can from next.
func (f *flow) conceal(decoder codec.Decoder, n int, from media.Codec, next *media.Packet, direct bool) {
	n = min(n, len(f.pcm))
	if n == 0 {
		return
	}
	if r, ok := decoder.(codec.Recoverer); ok && next != nil {
		r.Recover(next.Payload, f.pcm[:n])
	} else {
		decoder.Conceal(f.pcm[:n])
	}
	f.emit(f.pcm[:n], decoder.Rate(), from, dsp.Lost|dsp.Concealed, direct)
}

// silence hands on n samples in which nothing was said: to the taps as samples, so that
// their time goes on, to the other party as a leap of the timestamp.
func (f *flow) silence(n, rate int, from media.Codec, mark dsp.Mark, direct bool) {
	if n <= 0 {
		return
	}
	step := rate * chunk / 1000
	zeros := f.pcm[:step]
	clear(zeros)
	for rest := min(n, rate*maxSilence/1000); rest > 0; rest -= step {
		f.offer(zeros[:min(step, rest)], rate, from, mark)
	}
	if direct {
		return
	}
	if n > rate*smallGap/1000 {
		f.out.leap(n, rate, f.to)
		return
	}
	for ; n > 0; n -= step {
		f.out.write(zeros[:min(step, n)], rate, f.to)
	}
}

func (f *flow) emit(pcm []float32, rate int, from media.Codec, mark dsp.Mark, direct bool) {
	if !direct {
		f.out.write(pcm, rate, f.to)
	}
	f.offer(pcm, rate, from, mark)
}

func (f *flow) offer(pcm []float32, rate int, from media.Codec, mark dsp.Mark) {
	if f.held {
		mark |= dsp.Held
	}
	for _, tap := range f.taps {
		tap.Offer(pcm, rate, from, mark)
	}
}
