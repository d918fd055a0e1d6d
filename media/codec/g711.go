package codec

import (
	"math/bits"

	"github.com/headroom-voice/headroom/media"
)

// The expansions of all 256 codes, full scale 32768, and the same as float32 ±1. They
// are written once, before main, and only read after.
var (
	muLawLinear = expandAll(expandMuLaw)
	aLawLinear  = expandAll(expandALaw)
	muLawFloat  = toFloat(&muLawLinear)
	aLawFloat   = toFloat(&aLawLinear)
)

// MuLawDecode expands one µ-law code to 16-bit linear (ITU-T G.711 table 2, ×4).
func MuLawDecode(code byte) int16 { return muLawLinear[code] }

// ALawDecode expands one A-law code to 16-bit linear (ITU-T G.711 table 1, ×16).
func ALawDecode(code byte) int16 { return aLawLinear[code] }

// MuLawEncode compresses one 16-bit linear sample to µ-law (ITU-T G.711).
func MuLawEncode(sample int16) byte {
	const bias, clip = 0x84, 32635
	v, sign := int(sample), byte(0)
	if v < 0 {
		v, sign = -v, 0x80
	}
	v = min(v, clip) + bias
	segment := bits.Len(uint(v)) - 8
	return ^(sign | byte(segment<<4) | byte(v>>(segment+3))&0x0f)
}

// ALawEncode compresses one 16-bit linear sample to A-law (ITU-T G.711).
func ALawEncode(sample int16) byte {
	v, sign := int(sample), byte(0x80)
	if v < 0 {
		v, sign = ^v, 0
	}
	v >>= 4 // 0..2047, in steps of the two lowest segments
	if v < 32 {
		return (sign | byte(v)) ^ 0x55
	}
	segment := bits.Len(uint(v)) - 4
	return (sign | byte(segment<<4) | byte(v>>(segment-1))&0x0f) ^ 0x55
}

func expandMuLaw(code byte) int16 {
	code = ^code
	v := (int(code&0x0f)<<3+0x84)<<(code>>4&7) - 0x84
	if code&0x80 != 0 {
		v = -v
	}
	return int16(v)
}

func expandALaw(code byte) int16 {
	code ^= 0x55
	v, segment := int(code&0x0f)<<4+8, int(code>>4&7)
	if segment > 0 {
		v = (v + 0x100) << (segment - 1)
	}
	if code&0x80 == 0 {
		v = -v
	}
	return int16(v)
}

func expandAll(expand func(byte) int16) (table [256]int16) {
	for i := range table {
		table[i] = expand(byte(i))
	}
	return table
}

func toFloat(linear *[256]int16) (table [256]float32) {
	for i, v := range linear {
		table[i] = float32(v) / 32768
	}
	return table
}

// toInt16 rounds a ±1 sample to 16 bits, limited; NaN becomes 0.
func toInt16(x float32) int16 {
	v := x * 32768
	switch {
	case v >= 32767:
		return 32767
	case v <= -32768:
		return -32768
	case v >= 0:
		return int16(v + 0.5)
	case v < 0:
		return int16(v - 0.5)
	}
	return 0
}

type g711Decoder struct {
	table *[256]float32
	plc   concealer
}

func newG711Decoder(c media.Codec) *g711Decoder {
	d := &g711Decoder{table: &muLawFloat, plc: newConcealer(8000)}
	if c == media.PCMA {
		d.table = &aLawFloat
	}
	return d
}

func (d *g711Decoder) Rate() int { return 8000 }

func (d *g711Decoder) Decode(payload []byte, pcm []float32) (int, error) {
	if len(payload) == 0 {
		return 0, ErrMalformed
	}
	if len(payload) > len(pcm) {
		return 0, ErrShortBuffer
	}
	pcm = pcm[:len(payload)]
	for i, b := range payload {
		pcm[i] = d.table[b]
	}
	d.plc.good(pcm)
	return len(pcm), nil
}

func (d *g711Decoder) Conceal(pcm []float32) int {
	d.plc.lost(pcm)
	return len(pcm)
}

type g711Encoder struct{ encode func(int16) byte }

func encodeFunc(c media.Codec) func(int16) byte {
	if c == media.PCMA {
		return ALawEncode
	}
	return MuLawEncode
}

func (e *g711Encoder) Rate() int { return 8000 }

func (e *g711Encoder) Encode(pcm []float32, out []byte) (int, error) {
	if len(out) < len(pcm) {
		return 0, ErrShortBuffer
	}
	for i, x := range pcm {
		out[i] = e.encode(toInt16(x))
	}
	return len(pcm), nil
}
