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
	"github.com/headroom-voice/headroom/media/codec"
)

// decoder turns the bytes of samples into ±1. It fills pcm, of at most the length it was
// made for, as far as there are samples; none and no error is the end.
type decoder interface {
	decode(pcm []float32) (int, error)
}

// newDecoder decodes blocks of up to n samples out of src, size bytes that hold nothing else.
func newDecoder(src io.Reader, f Format, size int64, n int) decoder {
	if convert := plain(f); convert != nil {
		return &plainSamples{src: src, width: f.Bits / 8, raw: make([]byte, n*f.Bits/8), convert: convert}
	}
	d := &integers{format: f, src: src, left: size, longest: maxData, data: make([]int, n), step: float32(math.Exp2(float64(1 - f.Bits)))}
	if f.Bits == 8 {
		d.zero = 128 // unsigned in the file, and to go-audio
	}
	return d
}

// plain gives what turns bytes into samples where that is done here, else nil: floats and
// G.711, which go-audio does not know, and 16 bits, which nearly every recording has.
// go-audio takes 5.7 µs for 20 ms of them at 16 kHz, as long as many a meter [M].
func plain(f Format) func(pcm []float32, raw []byte) {
	switch {
	case f.Law == ALaw:
		return expand(codec.ALawDecode)
	case f.Law == MuLaw:
		return expand(codec.MuLawDecode)
	case f.Float && f.Bits == 64:
		return func(pcm []float32, raw []byte) {
			for i := range pcm {
				pcm[i] = dsp.Sample(float32(math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))))
			}
		}
	case f.Float:
		return func(pcm []float32, raw []byte) {
			for i := range pcm {
				pcm[i] = dsp.Sample(math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:])))
			}
		}
	case f.Bits == 16:
		return func(pcm []float32, raw []byte) {
			for i := range pcm {
				pcm[i] = float32(int16(binary.LittleEndian.Uint16(raw[2*i:]))) * (1.0 / 32768)
			}
		}
	}
	return nil
}

// expand looks codes up.
func expand(decode func(byte) int16) func([]float32, []byte) {
	return func(pcm []float32, raw []byte) {
		for i := range pcm {
			pcm[i] = float32(decode(raw[i])) * (1.0 / 32768)
		}
	}
}

// plainSamples are decoded here.
type plainSamples struct {
	src     io.Reader
	width   int // bytes of a sample
	raw     []byte
	convert func(pcm []float32, raw []byte)
}

func (d *plainSamples) decode(pcm []float32) (int, error) {
	n, err := io.ReadFull(d.src, d.raw[:len(pcm)*d.width])
	if err != nil && !ended(err) {
		return 0, err
	}
	n /= d.width
	d.convert(pcm[:n], d.raw)
	return n, nil
}

// integers are left to go-audio. It believes in sizes of 32 bits, so a longer file is
// shown to it as several.
type integers struct {
	format  Format
	src     io.Reader
	left    int64 // bytes at most
	longest int64 // bytes in one file
	wav     *wav.Decoder
	inFile  int64 // bytes left of the file it believes in
	data    []int
	zero    int
	step    float32 // of full scale
}

func (d *integers) decode(pcm []float32) (int, error) {
	width := int64(d.format.Bits / 8)
	if d.inFile < width && d.left >= width {
		frame := int64(d.format.Channels) * width
		d.inFile = min(d.left, d.longest/frame*frame)
		d.left -= d.inFile
		d.wav = wav.NewDecoder(steady{io.MultiReader(bytes.NewReader(header(d.format, d.inFile)), d.src)})
	}
	block := audio.IntBuffer{Data: d.data[:min(int64(len(pcm)), d.inFile/width)]}
	if len(block.Data) == 0 {
		return 0, nil
	}
	n, err := d.wav.PCMBuffer(&block)
	if err != nil {
		return 0, err
	}
	d.inFile -= int64(n) * width
	for i, v := range block.Data[:n] {
		pcm[i] = float32(v-d.zero) * d.step
	}
	return n, nil
}

// header begins a plain file of integers with size bytes of samples, at most maxData. This is all that
// go-audio sees of what a file says about itself.
func header(f Format, size int64) []byte {
	le, data := binary.LittleEndian, uint32(size)
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
