package bridge

import (
	"slices"
	"time"

	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// earpiece turns what one party of a conference hears into packets of the codec and packet
// time that it asks for. Two that are about to encode the same need to do so only once.
type earpiece struct {
	leg   media.Leg
	guest bool // may be sent wide-band where it prefers narrow-band, since its stream is new

	codec     media.Codec
	ptime     time.Duration
	from      int // rate of what is taken, Hz
	encoder   codec.Encoder
	resampler *resample.Resampler
	size      int       // samples a packet
	fifo      []float32 // not sent yet, at the encoder's rate
	seam      seam      // to begin the next packet with
	fresh     bool      // it begins with it

	last    []float32 // what was encoded last
	lent    bool      // by somebody else: the encoder has not heard it
	length  int       // of payload
	packet  media.Packet
	payload [1500]byte
}

func newEarpiece(leg media.Leg, guest bool) *earpiece {
	return &earpiece{leg: leg, guest: guest, fresh: true}
}

// earCodec is what a leg is sent of a mix: what it prefers, so that somebody who is heard directly
// the moment before hears no change of codec, but wide-band for a guest where the mix is.
func earCodec(leg media.Leg, wide bool) media.Codec {
	c := leg.Preferred()
	if wide && codec.EncodeRate(c) != wideband {
		for _, wide := range [...]media.Codec{media.G722, media.Opus} {
			if leg.Accepts(wide) {
				return wide
			}
		}
	}
	return c
}

// prepare makes the encoder that the leg asks for, unless it is there already.
func (e *earpiece) prepare(rate int) bool {
	c, ptime := earCodec(e.leg, e.guest && rate == wideband), e.leg.PacketTime()
	if e.encoder != nil && c == e.codec && ptime == e.ptime && rate == e.from {
		return true
	}
	out := codec.EncodeRate(c)
	encoder, err := codec.NewEncoder(c, out)
	if err != nil {
		return false
	}
	resampler, err := resample.New(rate, out)
	if err != nil {
		return false
	}
	e.codec, e.ptime, e.from, e.encoder, e.resampler = c, ptime, rate, encoder, resampler
	e.size = int(codec.PacketTime(c, ptime) * time.Duration(out) / time.Second)
	e.fifo = make([]float32, 0, e.size+maxTick+1)
	e.last = make([]float32, 0, e.size)
	e.packet = media.Packet{Source: media.NewSource(), Codec: c, Marker: true}
	e.seam, e.fresh = seam{}, true
	return true
}

// take puts more of what is heard behind what waits.
func (e *earpiece) take(pcm []float32, rate int) {
	if e.prepare(rate) {
		e.fifo = e.resampler.Process(e.fifo, pcm)
	}
}

// due reports whether there is enough for a packet.
func (e *earpiece) due() bool { return e.encoder != nil && len(e.fifo) >= e.size }

// begin says that packets are sent from now on, after what went another way.
func (e *earpiece) begin(s seam) { e.seam, e.fresh = s, true }

// skip drops a packet that is not to be sent.
func (e *earpiece) skip() {
	e.drop()
	e.fresh = true
}

func (e *earpiece) drop() { e.fifo = e.fifo[:copy(e.fifo, e.fifo[e.size:])] }

// same reports whether the packet that is due was just encoded by e for somebody else.
func (e *earpiece) same(due *earpiece) bool {
	return e.codec == due.codec && e.length > 0 && !due.fresh && slices.Equal(e.last, due.fifo[:due.size])
}

// encode makes the packet that is due, of what twin encoded if there is one. It is valid until
// the next; nil if it cannot be made.
func (e *earpiece) encode(twin *earpiece) *media.Packet {
	pcm := e.fifo[:e.size]
	rate := e.encoder.Rate()
	e.packet.Marker = e.fresh
	if e.fresh {
		e.seam.blend(pcm, rate)
		e.packet.Source = media.NewSource()
		e.seam, e.fresh = seam{}, false
	}
	e.last = append(e.last[:0], pcm...)
	e.drop()
	if twin != nil {
		e.length = copy(e.payload[:], twin.payload[:twin.length])
		e.lent = true
	} else {
		e.renew()
		n, err := e.encoder.Encode(e.last, e.payload[:])
		if err != nil {
			e.length = 0
			e.packet.Timestamp += e.ticks()
			return nil
		}
		e.length = n
	}
	e.packet.Payload = e.payload[:e.length]
	e.packet.Seq++
	e.packet.Timestamp += e.ticks()
	return &e.packet
}

// renew begins with a new encoder where somebody else's had been listened to: what follows
// must not be told in terms of what this one remembers.
func (e *earpiece) renew() {
	if !e.lent {
		return
	}
	e.lent = false
	if e.codec == media.PCMU || e.codec == media.PCMA {
		return
	}
	if encoder, err := codec.NewEncoder(e.codec, e.encoder.Rate()); err == nil {
		e.encoder = encoder
	}
}

// ticks is how long a packet lasts, on the clock of RTP.
func (e *earpiece) ticks() uint64 {
	return uint64(e.size * e.codec.ClockRate() / e.encoder.Rate())
}

// finish sends what waits and the last of what is heard, filled up with silence.
func (e *earpiece) finish(rest []float32, rate int) {
	if e.encoder == nil || e.from != rate || e.fresh {
		return
	}
	e.fifo = e.resampler.Process(e.fifo, rest)
	if len(e.fifo) < e.size {
		n := len(e.fifo)
		e.fifo = e.fifo[:e.size]
		clear(e.fifo[n:])
	}
	if p := e.encode(nil); p != nil {
		e.leg.Send(p)
	}
	e.hush()
}

// hush forgets what waits.
func (e *earpiece) hush() {
	e.fifo = e.fifo[:0]
	if e.resampler != nil {
		e.resampler.Reset()
	}
	e.seam, e.fresh = seam{}, true
}
