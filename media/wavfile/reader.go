package wavfile

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/headroom-voice/headroom/dsp"
)

// Encodings of the format chunk.
const (
	encodingInteger    = 1
	encodingFloat      = 3
	encodingExtensible = 0xfffe // the real one stands in the extension
)

const (
	maxChannels = 64
	blockSize   = 16 << 10 // bytes that are converted at a time
)

var errNoSamples = errors.New("has no samples in it")

// Reader gives a file's samples as they come. Sizes that the file states are only upper
// bounds: one that lies, or a file that is cut short, costs neither memory nor time and
// yields the samples that are there.
type Reader struct {
	Format
	src    io.Reader // of the samples alone
	file   *os.File  // that Stream opened
	sample func([]byte) float32
	raw    []byte
}

// Stream opens a file of any size to be read piece by piece; close it in the end.
func Stream(path string) (*Reader, error) {
	f, _, err := openFile(path)
	if err != nil {
		return nil, err
	}
	r, err := NewReader(f)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.file = f
	return r, nil
}

// NewReader reads up to the first sample. It takes integers of 8, 16, 24 and 32 bits and
// floats of 32 and 64, up to 64 channels, at 1 to 384 kHz.
func NewReader(src io.Reader) (*Reader, error) {
	in := bufio.NewReader(src)
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); ended(err) || string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return nil, errors.New("is not a WAV file")
	} else if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	r := &Reader{}
	for {
		var chunk [8]byte
		if _, err := io.ReadFull(in, chunk[:]); err != nil {
			return nil, orNoSamples(err)
		}
		name, size := string(chunk[:4]), int64(binary.LittleEndian.Uint32(chunk[4:]))
		rest := size + size&1 // chunks are padded to even sizes
		switch {
		case name == "data" && r.Channels == 0:
			return nil, errors.New("does not say how its samples are encoded")
		case name == "data":
			return r.begin(in, size)
		case name == "fmt " && size >= 16:
			fields := make([]byte, min(size, 40))
			if _, err := io.ReadFull(in, fields); err != nil {
				return nil, orNoSamples(err)
			}
			if err := r.format(fields); err != nil {
				return nil, err
			}
			rest -= int64(len(fields))
		}
		if _, err := io.CopyN(io.Discard, in, rest); err != nil {
			return nil, orNoSamples(err)
		}
	}
}

// begin stands in front of size bytes of samples.
func (r *Reader) begin(in *bufio.Reader, size int64) (*Reader, error) {
	frame := r.Channels * r.Bits / 8
	if size < int64(frame) {
		return nil, errNoSamples
	}
	if _, err := in.Peek(frame); err != nil {
		return nil, orNoSamples(err)
	}
	r.src = io.LimitReader(in, size)
	r.raw = make([]byte, blockSize/frame*frame)
	return r, nil
}

// format takes the fields of the format chunk.
func (r *Reader) format(fields []byte) error {
	field := func(at int) int { return int(binary.LittleEndian.Uint16(fields[at:])) }
	encoding, rate, bits := field(0), binary.LittleEndian.Uint32(fields[4:]), field(14)
	if encoding == encodingExtensible && len(fields) >= 26 {
		encoding = field(24)
	}
	r.Format = Format{Rate: int(rate), Channels: field(2), Bits: bits, Float: encoding == encodingFloat}
	switch {
	case encoding != encodingInteger && encoding != encodingFloat:
		return fmt.Errorf("is encoded as WAV format %d; only PCM and float are read; convert it, for instance with: sox IN.wav -b 16 OUT.wav", encoding)
	case r.Channels < 1 || r.Channels > maxChannels:
		return fmt.Errorf("has %d channels; 1 to %d are read", r.Channels, maxChannels)
	case rate < 1000 || rate > 384000:
		return fmt.Errorf("gives its sample rate as %d Hz", rate)
	}
	if r.sample = converter(r.Format); r.sample == nil {
		return fmt.Errorf("has %d-bit samples; 8, 16, 24 and 32 are read, of floats 32 and 64", bits)
	}
	return nil
}

// converter gives what turns the bytes of one sample into ±1, or nil for an odd width.
func converter(f Format) func([]byte) float32 {
	le := binary.LittleEndian
	switch {
	case f.Float && f.Bits == 32:
		return func(b []byte) float32 { return dsp.Sample(math.Float32frombits(le.Uint32(b))) }
	case f.Float && f.Bits == 64:
		return func(b []byte) float32 { return dsp.Sample(float32(math.Float64frombits(le.Uint64(b)))) }
	case f.Float:
		return nil
	case f.Bits == 8: // unsigned
		return func(b []byte) float32 { return (float32(b[0]) - 128) / 128 }
	case f.Bits == 16:
		return func(b []byte) float32 { return float32(int16(le.Uint16(b))) / (1 << 15) }
	case f.Bits == 24:
		return func(b []byte) float32 {
			return float32(int32(uint32(b[0])<<8|uint32(b[1])<<16|uint32(b[2])<<24)) / (1 << 31)
		}
	case f.Bits == 32:
		return func(b []byte) float32 { return float32(int32(le.Uint32(b))) / (1 << 31) }
	}
	return nil
}

// Read puts the samples that follow into pcm, interleaved, full scale ±1, and says how
// many: whole frames, perhaps fewer than there is room for. A float that is no number is
// 0 (dsp.Sample). io.EOF comes alone, after the last of them.
func (r *Reader) Read(pcm []float32) (int, error) {
	width := r.Bits / 8
	frame := width * r.Channels
	want := min(len(r.raw), len(pcm)/r.Channels*frame)
	if want == 0 {
		return 0, io.ErrShortBuffer
	}
	n, err := io.ReadFull(r.src, r.raw[:want])
	n = n / frame * r.Channels // samples; a frame cut short is dropped
	if n == 0 && ended(err) {
		return 0, io.EOF
	}
	if err != nil && !ended(err) {
		return 0, fmt.Errorf("read: %w", err)
	}
	for i := range n {
		pcm[i] = r.sample(r.raw[i*width:])
	}
	return n, nil
}

// Close closes a file that Stream opened. There is nothing to lose by it.
func (r *Reader) Close() {
	if r.file != nil {
		r.file.Close()
	}
}

// ended says whether a read failed because there is no more.
func ended(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

func orNoSamples(err error) error {
	if ended(err) {
		return errNoSamples
	}
	return fmt.Errorf("read: %w", err)
}
