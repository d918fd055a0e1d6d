package analyze

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"

	"github.com/go-audio/audio"
	"github.com/go-audio/wav"
)

// The encodings of WAV's format chunk that are samples as they are.
const (
	formatPCM        = 1
	formatFloat      = 3
	formatExtensible = 0xFFFE
)

// source reads the first channel of a WAV file, a stretch at a time. Only the first:
// mixing channels would bury the very faults that are looked for.
type source struct {
	file     *os.File
	decoder  *wav.Decoder
	rate     int // Hz
	channels int
	convert  func(int) float32
	raw      audio.IntBuffer
	frame    []float32
	heard    bool
}

// open opens a WAV file; the error names it and says what is wrong.
func open(name string) (_ *source, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err // names the file
	}
	defer func() {
		if err != nil {
			f.Close()
			err = fmt.Errorf("%s: %w", name, err)
		}
	}()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.IsDir() {
		return nil, errors.New("is a folder, not a WAV file")
	}
	d := wav.NewDecoder(f)
	d.ReadInfo()
	if d.Err() != nil || d.NumChans == 0 {
		return nil, errors.New("is not a WAV file")
	}
	convert, err := converter(d.WavAudioFormat, d.BitDepth)
	if err != nil {
		return nil, err
	}
	if d.SampleRate == 0 || d.SampleRate > 1<<20 {
		return nil, fmt.Errorf("gives its sample rate as %d Hz", d.SampleRate)
	}
	if err := d.FwdToPCM(); err != nil {
		return nil, errors.New("has no samples in it")
	}
	const frames = 4096
	s := &source{file: f, decoder: d, rate: int(d.SampleRate), channels: int(d.NumChans), convert: convert}
	s.raw.Data = make([]int, frames*s.channels)
	s.frame = make([]float32, 0, frames)
	return s, nil
}

// converter gives what turns a decoded integer of an encoding into a sample.
func converter(format, bits uint16) (func(int) float32, error) {
	switch {
	case format == formatFloat && bits == 32:
		return func(v int) float32 { return math.Float32frombits(uint32(int32(v))) }, nil
	case format != formatPCM && format != formatExtensible:
		return nil, fmt.Errorf("is encoded as WAV format %d; only PCM and 32-bit float are read", format)
	case bits == 8: // unsigned
		return func(v int) float32 { return float32(v-128) / 128 }, nil
	case bits == 16, bits == 24, bits == 32:
		scale := math.Exp2(float64(bits) - 1)
		return func(v int) float32 { return float32(float64(v) / scale) }, nil
	}
	return nil, fmt.Errorf("has %d-bit samples; 8, 16, 24 and 32 are read", bits)
}

// next gives the samples that follow; they stand until the next call. io.EOF ends them.
func (s *source) next() ([]float32, error) {
	n, err := s.decoder.PCMBuffer(&s.raw)
	if err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	if n == 0 {
		if !s.heard {
			return nil, errors.New("has no samples in it")
		}
		return nil, io.EOF
	}
	s.heard = true
	s.frame = s.frame[:0]
	for i := 0; i < n; i += s.channels {
		s.frame = append(s.frame, s.convert(s.raw.Data[i]))
	}
	return s.frame, nil
}
