package wavfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
)

// Writer stores samples as they come.
type Writer struct {
	format Format
	file   *os.File
	out    *bufio.Writer
	size   int64 // bytes of samples
	raw    []byte
}

// headerSize is that of the plainest file: one format chunk of 16 bytes and the samples.
const headerSize = 44

// Create replaces a file by one without samples. Until Close it is marked as of unknown
// length, so that what a killed program leaves can be heard all the same.
func Create(path string, format Format) (*Writer, error) {
	if converter(format) == nil {
		return nil, fmt.Errorf("%s: %d-bit samples are not written", path, format.Bits)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{format: format, file: f, out: bufio.NewWriter(f)}
	_, _ = w.out.Write(w.header(math.MaxUint32 - headerSize)) // a failure comes again at Close
	return w, nil
}

// Write stores interleaved samples; what exceeds the full scale of integers is clipped,
// and what is no number is 0.
func (w *Writer) Write(pcm []float32) error {
	w.raw = w.raw[:0]
	for _, v := range pcm {
		w.raw = appendSample(w.raw, w.format, float64(v))
	}
	w.size += int64(len(w.raw))
	_, err := w.out.Write(w.raw)
	return err
}

// Close completes the header.
func (w *Writer) Close() error {
	if w.size%2 != 0 {
		_ = w.out.WriteByte(0) // chunks are padded to even sizes; a failure comes again:
	}
	err := w.out.Flush()
	_, headerErr := w.file.WriteAt(w.header(uint32(min(w.size, math.MaxUint32-headerSize))), 0)
	return errors.Join(err, headerErr, w.file.Close())
}

func (w *Writer) header(size uint32) []byte {
	f, le := w.format, binary.LittleEndian
	encoding := uint16(encodingInteger)
	if f.Float {
		encoding = encodingFloat
	}
	frame := f.Channels * f.Bits / 8
	h := make([]byte, 0, headerSize)
	h = le.AppendUint32(append(h, "RIFF"...), headerSize-8+size)
	h = le.AppendUint32(append(h, "WAVEfmt "...), 16)
	h = le.AppendUint16(h, encoding)
	h = le.AppendUint16(h, uint16(f.Channels))
	h = le.AppendUint32(h, uint32(f.Rate))
	h = le.AppendUint32(h, uint32(f.Rate*frame))
	h = le.AppendUint16(h, uint16(frame))
	h = le.AppendUint16(h, uint16(f.Bits))
	return le.AppendUint32(append(h, "data"...), size)
}

func appendSample(dst []byte, f Format, v float64) []byte {
	le := binary.LittleEndian
	if f.Float {
		if f.Bits == 64 {
			return le.AppendUint64(dst, math.Float64bits(v))
		}
		return le.AppendUint32(dst, math.Float32bits(float32(v)))
	}
	if math.IsNaN(v) {
		v = 0
	}
	full := math.Exp2(float64(f.Bits - 1))
	i := int64(min(max(math.Round(v*full), -full), full-1))
	switch f.Bits {
	case 8: // unsigned
		return append(dst, byte(i+128))
	case 16:
		return le.AppendUint16(dst, uint16(i))
	case 24:
		return append(dst, byte(i), byte(i>>8), byte(i>>16))
	}
	return le.AppendUint32(dst, uint32(i))
}

// Write stores mono samples as 16-bit PCM; what exceeds full scale is clipped.
func Write(path string, rate int, pcm []float32) error {
	w, err := Create(path, Format{Rate: rate, Channels: 1, Bits: 16})
	if err != nil {
		return err
	}
	return errors.Join(w.Write(pcm), w.Close())
}
