package wavfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"

	"github.com/go-audio/audio"
	"github.com/go-audio/wav"
)

// Writer stores samples as they come.
type Writer struct {
	format Format
	out    output
	wav    *wav.Encoder
	block  audio.IntBuffer // to be encoded
}

// Where go-audio's encoder puts the sizes of what follows, in bytes.
const (
	riffSizeAt = 4
	dataSizeAt = headerSize - 4
)

// Create replaces a file by one without samples. Until Close it is marked as of unknown
// length, so that what a killed program leaves can be heard all the same.
func Create(path string, format Format) (*Writer, error) {
	if err := format.check(); err != nil {
		return nil, fmt.Errorf("create %s: the format %w", path, err)
	}
	if format.Law != 0 {
		return nil, fmt.Errorf("create %s: codes of G.711 are not written", path)
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{format: format, out: output{bufio.NewWriter(f), f}}
	if err := w.begin(); err != nil {
		f.Close()
		return nil, fmt.Errorf("create %s: %w", path, err)
	}
	return w, nil
}

// begin writes a header that leaves the length open.
func (w *Writer) begin() error {
	f, encoding := w.format, encodingInteger
	if f.Float {
		encoding = encodingFloat
	}
	// The encoder reserves memory for a minute at the rate it is made with, but needs one block.
	w.wav = wav.NewEncoder(w.out, 1, f.Bits, f.Channels, encoding)
	w.wav.SampleRate = f.Rate
	w.block.Format = &audio.Format{NumChannels: f.Channels, SampleRate: f.Rate}
	if err := errors.Join(w.wav.Write(&w.block), w.out.Flush()); err != nil {
		return err
	}
	le := binary.LittleEndian
	_, riffErr := w.out.file.WriteAt(le.AppendUint32(nil, headerSize-8+maxData), riffSizeAt)
	_, dataErr := w.out.file.WriteAt(le.AppendUint32(nil, maxData), dataSizeAt)
	return errors.Join(riffErr, dataErr)
}

// Write stores interleaved samples, whole frames of them; what exceeds the full scale of
// integers is clipped, and what is no number is 0. Floats are stored as they are.
func (w *Writer) Write(pcm []float32) error {
	if len(pcm)%w.format.Channels != 0 {
		return fmt.Errorf("%d samples are no whole frames of %d channels", len(pcm), w.format.Channels)
	}
	if w.format.Float {
		return w.writeFloats(pcm)
	}
	for block := range slices.Chunk(pcm, w.format.block()) {
		w.block.Data = w.block.Data[:0]
		for _, v := range block {
			w.block.Data = append(w.block.Data, toInteger(float64(v), w.format.Bits))
		}
		if err := w.wav.Write(&w.block); err != nil {
			return err
		}
	}
	return nil
}

// writeFloats goes frame by frame, as go-audio's blocks are of integers.
func (w *Writer) writeFloats(pcm []float32) error {
	wide := make([]float64, w.format.Channels)
	for frame := range slices.Chunk(pcm, w.format.Channels) {
		var value any = frame
		if w.format.Bits == 64 {
			for i, v := range frame {
				wide[i] = float64(v)
			}
			value = wide
		}
		if err := w.wav.WriteFrame(value); err != nil {
			return err
		}
	}
	return nil
}

// toInteger gives the nearest integer of so many bits, as go-audio takes it.
func toInteger(v float64, bits int) int {
	if math.IsNaN(v) {
		v = 0
	}
	full := math.Exp2(float64(bits - 1))
	i := int(min(max(math.Round(v*full), -full), full-1))
	if bits == 8 {
		i += 128 // unsigned
	}
	return i
}

// Close completes the header. A file without samples is a valid one of no length; one
// too long for the header to say stays marked as of unknown length.
func (w *Writer) Close() error {
	var err error
	if w.wav.WrittenBytes%2 != 0 {
		err = w.wav.AddLE(uint8(0)) // chunks are padded to even sizes
	}
	if int64(w.wav.WrittenBytes) <= headerSize+maxData {
		err = errors.Join(err, w.wav.Close())
	}
	return errors.Join(err, w.out.Flush(), w.out.file.Close())
}

// Write stores mono samples as 16-bit PCM; what exceeds full scale is clipped.
func Write(path string, rate int, pcm []float32) error {
	w, err := Create(path, Format{Rate: rate, Channels: 1, Bits: 16})
	if err != nil {
		return err
	}
	return errors.Join(w.Write(pcm), w.Close())
}

// output is a file that is not written to for every few bytes, and goes back all the same.
// It also keeps go-audio from waiting for the disk, as it does when it closes a plain file.
type output struct {
	*bufio.Writer
	file *os.File
}

var _ io.WriteSeeker = output{}

// Seek moves to where the next Write goes.
func (o output) Seek(offset int64, whence int) (int64, error) {
	if err := o.Flush(); err != nil {
		return 0, err
	}
	return o.file.Seek(offset, whence)
}
