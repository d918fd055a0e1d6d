package codec

import (
	"fmt"

	"gopkg.in/hraban/opus.v2"
)

// How speech is encoded: VoIP mode, with FEC for the loss a bad Wi-Fi shows, at half
// the CPU of complexity 10.
const (
	opusComplexity = 5
	opusBitrateWB  = 24000 // bit/s at 16 kHz
	opusBitrateFB  = 32000 // bit/s at 48 kHz
	opusLossPerc   = 10    // below about 8 % and at this bit rate libopus leaves the FEC copies out
)

type opusDecoder struct {
	dec     *opus.Decoder
	rate    int
	scratch []float32 // 20 ms
}

func newOpusDecoder(rate int) (*opusDecoder, error) {
	dec, err := opus.NewDecoder(rate, 1)
	if err != nil {
		return nil, fmt.Errorf("codec: opus decoder: %w", err)
	}
	return &opusDecoder{dec: dec, rate: rate, scratch: make([]float32, rate/50)}, nil
}

func (d *opusDecoder) Rate() int { return d.rate }

func (d *opusDecoder) Decode(payload []byte, pcm []float32) (int, error) {
	want := opusSamples(payload) * d.rate / 48000
	if want == 0 {
		return 0, ErrMalformed
	}
	if want > len(pcm) {
		return 0, ErrShortBuffer
	}
	// The binding writes up to the capacity, not the length.
	n, err := d.dec.DecodeFloat32(payload, pcm[:want:want])
	if err != nil {
		return 0, ErrMalformed
	}
	limit(pcm[:n])
	return n, nil
}

// limit keeps samples within full scale, which an Opus packet need not.
func limit(pcm []float32) {
	for i, x := range pcm {
		if x > 1 {
			pcm[i] = 1
		} else if x < -1 {
			pcm[i] = -1
		}
	}
}

// Conceal asks libopus for frames of 20 ms; what is no multiple of 2.5 ms at the end
// is cut from a longer one.
func (d *opusDecoder) Conceal(pcm []float32) int {
	unit := d.rate / 400
	for rest := pcm; len(rest) > 0; {
		n := min(len(rest), len(d.scratch))
		frame := d.scratch[: (n+unit-1)/unit*unit : (n+unit-1)/unit*unit]
		if err := d.dec.DecodePLCFloat32(frame); err != nil {
			clear(frame)
		}
		copy(rest[:n], frame)
		rest = rest[n:]
	}
	limit(pcm)
	return len(pcm)
}

// Recover uses the copy of the last frame that next may carry; what was lost before
// that frame is concealed.
func (d *opusDecoder) Recover(next []byte, pcm []float32) int {
	n := min(opusSamples(next)*d.rate/48000, len(pcm))
	if n == 0 || n%(d.rate/400) != 0 {
		return d.Conceal(pcm)
	}
	d.Conceal(pcm[:len(pcm)-n])
	tail := pcm[len(pcm)-n:]
	if err := d.dec.DecodeFECFloat32(next, tail[:n:n]); err != nil {
		d.Conceal(tail)
	}
	limit(tail)
	return len(pcm)
}

type opusEncoder struct {
	enc  *opus.Encoder
	rate int
}

func newOpusEncoder(rate int) (*opusEncoder, error) {
	enc, err := opus.NewEncoder(rate, 1, opus.AppVoIP)
	if err != nil {
		return nil, fmt.Errorf("codec: opus encoder: %w", err)
	}
	bitrate := opusBitrateWB
	if rate == 48000 {
		bitrate = opusBitrateFB
	}
	for _, set := range []error{
		enc.SetComplexity(opusComplexity), enc.SetBitrate(bitrate),
		enc.SetInBandFEC(true), enc.SetPacketLossPerc(opusLossPerc),
	} {
		if set != nil {
			return nil, fmt.Errorf("codec: opus encoder: %w", set)
		}
	}
	return &opusEncoder{enc: enc, rate: rate}, nil
}

func (e *opusEncoder) Rate() int { return e.rate }

func (e *opusEncoder) Encode(pcm []float32, out []byte) (int, error) {
	n, err := e.enc.EncodeFloat32(pcm, out)
	if err != nil {
		return 0, fmt.Errorf("codec: opus encode %d samples: %w", len(pcm), err)
	}
	return n, nil
}
