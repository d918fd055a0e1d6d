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
)

// unsure is the size from which on it is not believed: programs that write into a pipe state
// something just below 2 GiB, or more, because they cannot go back and mend it.
const unsure = 1<<31 - 1<<16

var errNoSamples = errors.New("has no samples in it")

// Reader gives a file's samples as they come. Sizes that the file states are only upper
// bounds: one that lies, or a file that is cut short, costs neither memory nor time and
// yields the samples that are there.
type Reader struct {
	Format
	samples decoder
	rest    *io.LimitedReader // of the bytes that the file states
	stated  bool              // it does
	file    *os.File          // that Stream opened
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

// NewReader reads up to the first sample. It takes integers of 8, 16, 24 and 32 bits,
// floats of 32 and 64, A-law and µ-law, up to 64 channels, at 1 to 384 kHz; and files
// beyond 4 GiB (RF64, EBU Tech 3306).
func NewReader(src io.Reader) (*Reader, error) {
	in := bufio.NewReader(src)
	var head [12]byte
	if n, err := io.ReadFull(in, head[:]); n == 0 && ended(err) {
		return nil, errors.New("is empty: it is not a WAV file")
	} else if ended(err) || !slices.Contains([]string{"RIFF", "RF64", "BW64"}, string(head[:4])) || string(head[8:]) != "WAVE" {
		return nil, errors.New("is not a WAV file; convert it first, for instance with: ffmpeg -i IN OUT.wav")
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
			if size >= maxData { // of unknown length, or said elsewhere
				size = math.MaxInt64
			}
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
	r.rest, r.stated = &io.LimitedReader{R: in, N: size}, size < unsure
	r.samples = newDecoder(r.rest, r.Format, size, r.block())
	return r, nil
}

// format takes the fields of the format chunk.
func (r *Reader) format(fields []byte) error {
	field := func(at int) int { return int(binary.LittleEndian.Uint16(fields[at:])) }
	encoding, rate := field(0), binary.LittleEndian.Uint32(fields[4:])
	if encoding == encodingExtensible && len(fields) >= 26 {
		encoding = field(24)
	}
	r.Format = Format{Rate: int(rate), Channels: field(2), Bits: field(14)}
	switch encoding {
	case encodingInteger:
	case encodingFloat:
		r.Float = true
	case encodingALaw:
		r.Law = ALaw
	case encodingMuLaw:
		r.Law = MuLaw
	default:
		return fmt.Errorf("is encoded as WAV format %d; only PCM, float, A-law and µ-law are read; convert it, for instance with: sox IN.wav -b 16 -e signed OUT.wav", encoding)
	}
	return r.check()
}

// Read puts the samples that follow into pcm, interleaved, full scale ±1, and says how
// many: whole frames, perhaps fewer than there is room for. A float that is no number is
// 0 (dsp.Sample). io.EOF comes alone, after the last of them.
func (r *Reader) Read(pcm []float32) (int, error) {
	want := min(r.block(), len(pcm)/r.Channels*r.Channels)
	if want == 0 {
		return 0, io.ErrShortBuffer
	}
	n, err := r.samples.decode(pcm[:want])
	if err != nil {
		return 0, fmt.Errorf("read: %w", err)
	}
	n -= n % r.Channels // a frame cut short is dropped
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}

// Missing gives how many frames, after the last was read, a file states that are not there:
// it was cut short. 0 where it does not know its length, as what comes through a pipe.
func (r *Reader) Missing() int64 {
	if !r.stated {
		return 0
	}
	return r.rest.N / int64(r.Channels*r.Bits/8)
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
