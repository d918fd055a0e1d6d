package rtp

import (
	"github.com/headroom-voice/headroom/dsp/dtmf"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// inBand hears the keys in the voice of a party that sends them as sound. It belongs to the
// reader goroutine, and allocates only where another codec begins.
type inBand struct {
	codec    media.Codec
	source   uint32
	next     uint64 // sequence number expected
	nextTime uint64 // timestamp expected
	began    bool
	decoder  codec.Decoder
	detector *dtmf.Detector
	pcm      []float32
	digits   []dtmf.Digit
	told     bool // the key that is down was reported
}

// maxBridged is how many packets lost in a row a key may go on across; more begin anew.
const maxBridged = 2

// pauseTime is as much of a pause, in milliseconds, as parts one key from the next.
const pauseTime = 60

// hear takes one packet of audio as it arrived. What comes late is left out: it was concealed.
func (b *inBand) hear(p *media.Packet, press func(rune)) {
	if p.Codec != b.codec && !b.prepare(p.Codec) {
		return
	}
	switch lost := int64(p.Seq - b.next); {
	case p.Source != b.source || !b.began || lost > maxBridged:
		b.flush(press)
		b.source, b.began, b.next, b.nextTime = p.Source, true, p.Seq, p.Timestamp
	case lost < 0:
		return
	default:
		for range lost {
			n := codec.Samples(p.Codec, p.Payload) * b.decoder.Rate() / p.Codec.ClockRate()
			n = b.decoder.Conceal(b.pcm[:min(n, len(b.pcm))])
			b.listen(b.pcm[:n], press)
		}
	}
	samples := codec.Samples(p.Codec, p.Payload)
	if silent := int64(p.Timestamp - b.nextTime); b.next == p.Seq && silent > 0 {
		// Nothing was sent while nothing was to be heard: as a pause between keys is.
		n := min(int(silent)*b.decoder.Rate()/p.Codec.ClockRate(), pauseTime*b.decoder.Rate()/1000)
		clear(b.pcm[:n])
		b.listen(b.pcm[:n], press)
	}
	b.next, b.nextTime = p.Seq+1, p.Timestamp+uint64(samples)
	n, err := b.decoder.Decode(p.Payload, b.pcm)
	if err != nil {
		return
	}
	b.listen(b.pcm[:n], press)
}

// prepare makes the decoder and the detector of a codec; false for one that has no sound.
func (b *inBand) prepare(c media.Codec) bool {
	rate := 8000
	if c == media.G722 {
		rate = 16000
	}
	decoder, err := codec.NewDecoder(c, rate)
	if err != nil {
		return false
	}
	detector, err := dtmf.New(rate)
	if err != nil {
		return false
	}
	b.codec, b.decoder, b.detector, b.began, b.told = c, decoder, detector, false, false
	b.pcm, b.digits = make([]float32, codec.MaxFrame*rate/1000), make([]dtmf.Digit, 0, 8)
	return true
}

// listen reports each key as soon as it is known to be down.
func (b *inBand) listen(pcm []float32, press func(rune)) {
	b.ended(b.detector.Process(b.digits[:0], pcm), press)
	if down := b.detector.Down(); down != 0 && !b.told {
		b.told = true
		press(rune(down))
	}
}

func (b *inBand) ended(digits []dtmf.Digit, press func(rune)) {
	for _, d := range digits {
		if !b.told {
			press(rune(d.Key))
		}
		b.told = false
	}
}

// flush ends the key that is down where the voice breaks off.
func (b *inBand) flush(press func(rune)) { b.ended(b.detector.Flush(b.digits[:0]), press) }
