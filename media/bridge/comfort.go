package bridge

import (
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
)

// comfort decides what becomes of comfort noise (RFC 3389) in a flow. A party that agreed on
// it gets it as it is. One that only takes the voice beside it gets 20 ms of that noise as a
// packet of the voice's codec, under the same numbers, so that nothing is missing: the rest
// of the pause is its own buffer's to fill. Where the voice is decoded, so is the noise.
type comfort struct {
	voice   media.Codec // of the last packet that had one in it
	replace *noisePacket
}

// noisePacket is made when it is first needed.
type noisePacket struct {
	decoder codec.Decoder
	encoder codec.Encoder
	pcm     [320]float32
	payload [320]byte
	packet  media.Packet
}

// pass gives the packet to go on with in place of p.
func (c *comfort) pass(p *media.Packet, to media.Leg) *media.Packet {
	if p.Codec != media.CN {
		c.voice = p.Codec
		return p
	}
	if to.Accepts(media.CN) || c.voice.ClockRate() != p.Codec.ClockRate() || !to.Accepts(c.voice) {
		return p
	}
	r := c.replacement()
	if r == nil {
		return p
	}
	pcm := r.pcm[:codec.EncodeRate(c.voice)/50]
	if _, err := r.decoder.Decode(p.Payload, pcm); err != nil {
		return p
	}
	r.decoder.Conceal(pcm) // at 16 kHz it is twice as much noise, and wider
	n, err := r.encoder.Encode(pcm, r.payload[:])
	if err != nil {
		return p
	}
	r.packet = *p
	r.packet.Codec, r.packet.Payload = c.voice, r.payload[:n]
	return &r.packet
}

// accepts reports whether p goes to the party as it is: comfort noise does where the voice does.
func (c *comfort) accepts(p *media.Packet, to media.Leg) bool {
	return to.Accepts(p.Codec) && (p.Codec != media.CN || to.Accepts(c.voice))
}

// replacement makes noise in the codec of the voice.
func (c *comfort) replacement() *noisePacket {
	if c.replace == nil {
		decoder, err := codec.NewDecoder(media.CN, media.CN.ClockRate())
		if err != nil {
			return nil
		}
		c.replace = &noisePacket{decoder: decoder}
	}
	r := c.replace
	if r.encoder == nil || r.packet.Codec != c.voice {
		encoder, err := codec.NewEncoder(c.voice, codec.EncodeRate(c.voice))
		if err != nil {
			return nil
		}
		r.encoder = encoder
	}
	return r
}
