package codec

import (
	"errors"
	"fmt"

	"github.com/headroom-voice/headroom/media"
)

// MaxFrame is the longest audio one packet may carry, in milliseconds (RFC 6716
// section 2.1.4: 120 ms). A pcm buffer of MaxFrame*rate/1000 samples holds any packet.
const MaxFrame = 120

// ErrMalformed is what Decode returns for a payload that is none of its codec.
var ErrMalformed = errors.New("codec: malformed payload")

// ErrShortBuffer is returned when a packet decodes or encodes to more than the buffer holds.
var ErrShortBuffer = errors.New("codec: buffer too short")

// Decoder turns payloads into mono samples, ±1, at Rate.
type Decoder interface {
	// Decode writes the payload's samples to pcm and returns how many there are. The
	// error is ErrMalformed or ErrShortBuffer; pcm then holds nothing of use.
	Decode(payload []byte, pcm []float32) (n int, err error)
	// Conceal makes up len(pcm) samples in place of lost ones and returns len(pcm).
	Conceal(pcm []float32) int
	// Rate is the sample rate in Hz.
	Rate() int
}

// Recoverer is a Decoder that can find a lost frame again in the packet after it
// (Opus in-band FEC, RFC 6716 section 2.1.7).
type Recoverer interface {
	// Recover fills pcm with the samples just before those of next, and conceals when
	// next carries no copy of them. Decode(next) follows.
	Recover(next []byte, pcm []float32) int
}

// Encoder turns mono samples, ±1, at Rate into payloads.
type Encoder interface {
	// Encode writes one packet of all of pcm to out and returns its length in bytes.
	// Opus takes 10, 20, 40 or 60 ms at once; G.711 any number of samples, G.722 any even one.
	Encode(pcm []float32, out []byte) (n int, err error)
	// Rate is the sample rate in Hz.
	Rate() int
}

// NewDecoder makes a decoder: PCMU, PCMA and CN at 8000 Hz, G.722 at 16000 Hz, Opus at 8000, 16000 or 48000 Hz.
func NewDecoder(c media.Codec, rate int) (Decoder, error) {
	switch c {
	case media.PCMU, media.PCMA:
		if rate == 8000 {
			return newG711Decoder(c), nil
		}
	case media.CN:
		if rate == noiseRate {
			return newNoise(), nil
		}
	case media.G722:
		if rate == 16000 {
			return newG722Decoder(), nil
		}
	case media.Opus:
		if rate == 8000 || rate == 16000 || rate == 48000 {
			return newOpusDecoder(rate)
		}
	}
	return nil, fmt.Errorf("codec: no decoder for %v at %d Hz", c, rate)
}

// NewEncoder makes an encoder: PCMU and PCMA at 8000 Hz, G.722 at 16000 Hz, Opus at 16000 or 48000 Hz.
func NewEncoder(c media.Codec, rate int) (Encoder, error) {
	switch c {
	case media.PCMU, media.PCMA:
		if rate == 8000 {
			return &g711Encoder{encode: encodeFunc(c)}, nil
		}
	case media.G722:
		if rate == 16000 {
			return newG722Encoder(), nil
		}
	case media.Opus:
		if rate == 16000 || rate == 48000 {
			return newOpusEncoder(rate)
		}
	}
	return nil, fmt.Errorf("codec: no encoder for %v at %d Hz", c, rate)
}

// Samples is how long a payload plays, in units of c.ClockRate; 0 when it is malformed. One of
// comfort noise holds until the next packet, whenever that is: it is counted as 20 ms.
func Samples(c media.Codec, payload []byte) int {
	switch c {
	case media.PCMU, media.PCMA, media.G722: // of G.722, pairs of samples
		return len(payload)
	case media.Opus:
		return opusSamples(payload)
	case media.CN:
		return min(len(payload), 1) * noiseFrame
	}
	return 0
}

// Silent reports whether the payload only keeps a stream alive through a pause: an
// Opus packet whose frames are all empty (DTX, RFC 6716 section 2.1.9), or comfort noise.
func Silent(c media.Codec, payload []byte) bool {
	return c == media.CN || c == media.Opus && len(payload) <= 2
}

// opusSamples reads a packet's duration from its table-of-contents byte, in 48 kHz
// samples (RFC 6716 sections 3.1 and 3.2).
func opusSamples(payload []byte) int {
	if len(payload) == 0 {
		return 0
	}
	toc := payload[0]
	var frame int
	switch config := toc >> 3; {
	case config < 12: // SILK: 10, 20, 40, 60 ms
		frame = [4]int{480, 960, 1920, 2880}[config&3]
	case config < 16: // hybrid: 10, 20 ms
		frame = [2]int{480, 960}[config&1]
	default: // CELT: 2.5, 5, 10, 20 ms
		frame = 120 << (config & 3)
	}
	count := 1
	switch toc & 3 {
	case 1, 2:
		count = 2
	case 3:
		if len(payload) < 2 {
			return 0
		}
		count = int(payload[1] & 0x3f)
	}
	if n := count * frame; n <= MaxFrame*48 {
		return n
	}
	return 0
}
