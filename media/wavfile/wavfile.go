package wavfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
)

// MaxSize bounds a file that is read into memory, in bytes.
const MaxSize = 256 << 20

// Encodings of the format chunk.
const (
	encodingInteger    = 1
	encodingFloat      = 3
	encodingALaw       = 6
	encodingMuLaw      = 7
	encodingExtensible = 0xfffe // the real one stands in the extension
)

// headerSize is that of the plainest file: one format chunk of 16 bytes and the samples.
const headerSize = 44

// maxData is how many bytes of samples such a header can state.
const maxData = math.MaxUint32 - headerSize

const (
	maxChannels = 64
	minRate     = 1000
	maxRate     = 384000
	blockSize   = 16 << 10 // bytes that are converted at a time
)

// Format says how a file holds its samples.
type Format struct {
	Rate     int  // Hz
	Channels int  // at least one
	Bits     int  // per sample: 8, 16, 24 or 32, of a float 32 or 64, of a law 8
	Float    bool // else integers
	Law      Law  // or the codes of G.711, which are read but not written
}

// Law is how ITU-T G.711 presses a sample into a byte; the zero Law is none.
type Law uint8

// The laws.
const (
	ALaw Law = iota + 1
	MuLaw
)

// check says what of a format is neither read nor written.
func (f Format) check() error {
	switch {
	case f.Channels < 1 || f.Channels > maxChannels:
		return fmt.Errorf("has %d channels; 1 to %d are supported", f.Channels, maxChannels)
	case f.Rate < minRate || f.Rate > maxRate:
		return fmt.Errorf("gives its sample rate as %d Hz; %d to %d are supported", f.Rate, minRate, maxRate)
	case f.Law != 0 && f.Bits != 8:
		return fmt.Errorf("has %d-bit samples of G.711; they have 8 bits", f.Bits)
	case f.Float && f.Bits != 32 && f.Bits != 64, !f.Float && !slices.Contains([]int{8, 16, 24, 32}, f.Bits):
		return fmt.Errorf("has %d-bit samples; 8, 16, 24 and 32 are supported, of floats 32 and 64", f.Bits)
	}
	return nil
}

// block is how many samples are converted at a time: whole frames.
func (f Format) block() int {
	return blockSize / (f.Channels * f.Bits / 8) * f.Channels
}

// Clip is a recording held in memory.
type Clip struct {
	Format
	Samples []float32 // interleaved, full scale is ±1
}

// Mono gives the mean of the channels, one sample a frame.
func (c Clip) Mono() []float32 {
	if c.Channels == 1 {
		return c.Samples
	}
	out := make([]float32, len(c.Samples)/c.Channels)
	for i := range out {
		var sum float32
		for _, v := range c.Samples[i*c.Channels : (i+1)*c.Channels] {
			sum += v
		}
		out[i] = sum / float32(c.Channels)
	}
	return out
}

// AppendFirst appends to dst the first channel of interleaved samples, in stereo the left.
func AppendFirst(dst, pcm []float32, channels int) []float32 {
	for i := 0; i < len(pcm); i += channels {
		dst = append(dst, pcm[i])
	}
	return dst
}

// Open reads a whole file of at most MaxSize; see NewReader for what is read.
func Open(path string) (Clip, error) {
	f, size, err := openFile(path)
	if err != nil {
		return Clip{}, err
	}
	defer f.Close()
	if size > MaxSize {
		return Clip{}, fmt.Errorf("%s: %d MiB is more than the %d MiB that are read at once", path, size>>20, MaxSize>>20)
	}
	c, err := readAll(f, size)
	if err != nil {
		return Clip{}, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Decode reads a whole file that is in memory; see NewReader for what is read.
func Decode(data []byte) (Clip, error) { return readAll(bytes.NewReader(data), int64(len(data))) }

// readAll reads from src, of which the size in bytes is known.
func readAll(src io.Reader, size int64) (Clip, error) {
	r, err := NewReader(src)
	if err != nil {
		return Clip{}, err
	}
	c := Clip{Format: r.Format, Samples: make([]float32, 0, size/int64(r.Bits/8))}
	block := make([]float32, r.block())
	for {
		n, err := r.Read(block)
		if errors.Is(err, io.EOF) {
			return c, nil
		}
		if err != nil {
			return Clip{}, err
		}
		c.Samples = append(c.Samples, block[:n]...)
	}
}

// openFile opens what is no folder and gives its size in bytes. The error names the file.
func openFile(path string) (*os.File, int64, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = fmt.Errorf("%s: is a folder, not a WAV file", path)
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}
