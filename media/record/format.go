package record

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/codec"
	"github.com/headroom-voice/headroom/media/record/ogg"
)

// Format is how a recording is kept, and given out.
type Format string

// The formats.
const (
	WAV  Format = "wav"  // PCM, 16 bit
	Opus Format = "opus" // in Ogg, each channel coded by itself, so that neither is heard in the other
)

// encoder turns what the tracks have into what is kept.
type encoder interface {
	// encode appends to dst what both sides say; as many samples of the one as of the other.
	encode(dst []byte, left, right []int16) ([]byte, error)
	// finish appends what completes the stream.
	finish(dst []byte) ([]byte, error)
}

func newEncoder(f Format, rate int, id string) (encoder, error) {
	switch f {
	case WAV:
		return pcmEncoder{}, nil
	case Opus:
		return newOpusEncoder(rate, crc32.ChecksumIEEE([]byte(id)))
	}
	return nil, fmt.Errorf("record: format %q is not known; write wav or opus", f)
}

type pcmEncoder struct{}

func (pcmEncoder) encode(dst []byte, left, right []int16) ([]byte, error) {
	for i, l := range left {
		dst = binary.LittleEndian.AppendUint16(dst, uint16(l))
		dst = binary.LittleEndian.AppendUint16(dst, uint16(right[i]))
	}
	return dst, nil
}

func (pcmEncoder) finish(dst []byte) ([]byte, error) { return dst, nil }

const (
	opusRate    = 48000         // of Ogg's positions
	opusFrame   = opusRate / 50 // 20 ms
	opusPreSkip = 312           // 6.5 ms, the delay of libopus at any rate in VoIP mode
	vendor      = "headroom"
)

// opusEncoder makes pages of 20 ms packets. A page is as long as what is written at once.
type opusEncoder struct {
	rate    int
	enc     [2]codec.Encoder
	pages   *ogg.Writer
	began   bool
	pending [2][]float32 // less than a packet
	coded   [2][1275]byte
	pair    []byte
}

func newOpusEncoder(rate int, serial uint32) (*opusEncoder, error) {
	if rate != 16000 {
		return nil, fmt.Errorf("record: Opus is recorded at 16000 Hz, not %d", rate)
	}
	e := &opusEncoder{rate: rate, pages: ogg.NewWriter(serial)}
	for i := range e.enc {
		var err error
		if e.enc[i], err = codec.NewEncoder(media.Opus, rate); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
	}
	return e, nil
}

func (e *opusEncoder) encode(dst []byte, left, right []int16) ([]byte, error) {
	if !e.began {
		e.began = true
		dst = e.pages.Head(dst, e.rate, opusPreSkip, vendor)
	}
	for i, side := range [2][]int16{left, right} {
		for _, v := range side {
			e.pending[i] = append(e.pending[i], float32(v)/32768)
		}
	}
	size := e.rate / 50
	for len(e.pending[0]) >= size {
		var err error
		if dst, err = e.packet(dst, size); err != nil {
			return dst, err
		}
		for i := range e.pending {
			e.pending[i] = e.pending[i][:copy(e.pending[i], e.pending[i][size:])]
		}
	}
	return e.pages.Page(dst, false), nil
}

func (e *opusEncoder) packet(dst []byte, size int) ([]byte, error) {
	var n [2]int
	for i := range e.enc {
		var err error
		if n[i], err = e.enc[i].Encode(e.pending[i][:size], e.coded[i][:]); err != nil {
			return dst, fmt.Errorf("record: %w", err)
		}
	}
	var err error
	if e.pair, err = ogg.Pair(e.pair[:0], e.coded[0][:n[0]], e.coded[1][:n[1]]); err != nil {
		return dst, fmt.Errorf("record: %w", err)
	}
	if !e.pages.Packet(e.pair, opusFrame) {
		dst = e.pages.Page(dst, false)
	}
	return dst, nil
}

// finish fills the last packet up with silence and ends the stream.
func (e *opusEncoder) finish(dst []byte) ([]byte, error) {
	size := e.rate / 50
	if n := len(e.pending[0]); n > 0 || !e.began {
		rest := make([]int16, size-n)
		var err error
		if dst, err = e.encode(dst, rest, rest); err != nil {
			return dst, err
		}
	}
	return e.pages.Page(dst, true), nil
}

// wavHeader is that of so many bytes of PCM, two channels of 16 bits; beyond 4 GiB it says as
// much as it can.
func wavHeader(rate int, data int64) []byte {
	const size = wavHeaderSize
	stated := uint32(min(data, 1<<32-1-size))
	h := append(make([]byte, 0, size), "RIFF"...)
	h = binary.LittleEndian.AppendUint32(h, stated+size-8)
	h = append(h, "WAVEfmt "...)
	h = binary.LittleEndian.AppendUint32(h, 16)
	h = binary.LittleEndian.AppendUint16(h, 1)
	h = binary.LittleEndian.AppendUint16(h, 2)
	h = binary.LittleEndian.AppendUint32(h, uint32(rate))
	h = binary.LittleEndian.AppendUint32(h, uint32(rate*wavFrame))
	h = binary.LittleEndian.AppendUint16(h, wavFrame)
	h = binary.LittleEndian.AppendUint16(h, 16)
	h = append(h, "data"...)
	return binary.LittleEndian.AppendUint32(h, stated)
}

const (
	wavHeaderSize = 44
	wavFrame      = 4 // bytes: two samples
)
