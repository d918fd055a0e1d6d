package wavfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/go-audio/audio"
	"github.com/go-audio/wav"

	"github.com/headroom-voice/headroom/dsp"
)

// decoder turns the bytes of samples into ±1. It fills pcm, of at most the length it was
// made for, as far as there are samples; none and no error is the end.
type decoder interface {
	decode(pcm []float32) (int, error)
}

// newDecoder decodes blocks of up to n samples out of src, size bytes that hold nothing else.
func newDecoder(src io.Reader, f Format, size int64, n int) decoder {
	if f.Float {
		return &floats{src: src, bits: f.Bits, raw: make([]byte, n*f.Bits/8)}
	}
	d := &integers{
		wav:  wav.NewDecoder(steady{io.MultiReader(bytes.NewReader(header(f, size)), src)}),
		data: make([]int, n),
		step: float32(math.Exp2(float64(1 - f.Bits))),
	}
	if f.Bits == 8 {
		d.zero = 128 // unsigned in the file, and to go-audio
	}
	return d
}

// integers are left to go-audio.
type integers struct {
	wav  *wav.Decoder
	data []int
	zero int
	step float32 // of full scale
}

func (d *integers) decode(pcm []float32) (int, error) {
	block := audio.IntBuffer{Data: d.data[:len(pcm)]}
	n, err := d.wav.PCMBuffer(&block)
	if err != nil {
		return 0, err
	}
	for i, v := range block.Data[:n] {
		pcm[i] = float32(v-d.zero) * d.step
	}
	return n, nil
}

// floats are decoded here, as go-audio reads integers only.
type floats struct {
	src  io.Reader
	bits int // 32 or 64
	raw  []byte
}

func (d *floats) decode(pcm []float32) (int, error) {
	width := d.bits / 8
	n, err := io.ReadFull(d.src, d.raw[:len(pcm)*width])
	if err != nil && !ended(err) {
		return 0, err
	}
	n /= width
	for i := range n {
		b := d.raw[i*width:]
		if d.bits == 64 {
			pcm[i] = dsp.Sample(float32(math.Float64frombits(binary.LittleEndian.Uint64(b))))
		} else {
			pcm[i] = dsp.Sample(math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	}
	return n, nil
}

// header begins a plain file of integers with size bytes of samples. This is all that
// go-audio sees of what a file says about itself.
func header(f Format, size int64) []byte {
	le, data := binary.LittleEndian, uint32(min(size, maxData))
	frame := f.Channels * f.Bits / 8
	h := make([]byte, 0, headerSize)
	h = le.AppendUint32(append(h, "RIFF"...), headerSize-8+data)
	h = le.AppendUint32(append(h, "WAVEfmt "...), 16)
	h = le.AppendUint16(h, encodingInteger)
	h = le.AppendUint16(h, uint16(f.Channels))
	h = le.AppendUint32(h, uint32(f.Rate))
	h = le.AppendUint32(h, uint32(f.Rate*frame))
	h = le.AppendUint16(h, uint16(frame))
	h = le.AppendUint16(h, uint16(f.Bits))
	return le.AppendUint32(append(h, "data"...), data)
}

// steady is a source as go-audio needs it: it decodes what a single Read gives as if it
// ended with a whole sample, and forgets what comes together with io.EOF.
type steady struct{ src io.Reader }

// Read fills p unless the source ends or fails.
func (s steady) Read(p []byte) (int, error) {
	n, err := io.ReadFull(s.src, p)
	if n > 0 && ended(err) {
		err = nil // io.EOF comes again, alone
	}
	return n, err
}

// Seek refuses: with a plain header nobody needs it.
func (s steady) Seek(int64, int) (int64, error) { return 0, errors.ErrUnsupported }
