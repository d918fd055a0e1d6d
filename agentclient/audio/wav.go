package audio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	goaudio "github.com/go-audio/audio"
	"github.com/go-audio/wav"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/resample"
)

// maxWAV bounds the file a WAVSource reads into memory.
const maxWAV = 256 << 20

// WAVSource plays a file over and over as if someone spoke it into a microphone.
type WAVSource struct {
	rate int
	pcm  []float32
}

// OpenWAV reads a PCM WAV file of 8, 16, 24 or 32 bits. Channels are averaged to mono.
func OpenWAV(path string) (*WAVSource, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("open WAV: %w", err)
	}
	if st.Size() > maxWAV {
		return nil, fmt.Errorf("open WAV %s: %d MiB is more than the %d MiB that fit", path, st.Size()>>20, maxWAV>>20)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("open WAV: %w", err)
	}
	s, err := readWAV(data)
	if err != nil {
		return nil, fmt.Errorf("open WAV %s: %w", path, err)
	}
	return s, nil
}

// Encodings of the format chunk.
const (
	integerPCM = 1
	extensible = 0xfffe // the real one stands in the extension
)

// maxChannels that are averaged.
const maxChannels = 8

// canonical finds the format and the samples among a file's chunks and gives the plainest
// file that says the same. The decoder believes what a header says, without an end in
// some cases; so it only ever sees headers written here.
func canonical(data []byte) ([]byte, error) {
	if len(data) < 12 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
		return nil, errors.New("not a WAV file")
	}
	var format []byte
	for rest := data[12:]; len(rest) >= 8; {
		name, size := string(rest[:4]), int64(binary.LittleEndian.Uint32(rest[4:8]))
		if rest = rest[8:]; size > int64(len(rest)) {
			return nil, fmt.Errorf("chunk %q is cut short: %d of %d bytes", name, len(rest), size)
		}
		switch {
		case name == "fmt " && size >= 16:
			format = rest[:size]
		case name == "data" && format == nil:
			return nil, errors.New("no format before the samples")
		case name == "data":
			return plainFile(format, rest[:size])
		}
		rest = rest[min(size+size&1, int64(len(rest))):] // chunks are padded to even sizes
	}
	return nil, errors.New("no samples in it")
}

func plainFile(format, samples []byte) ([]byte, error) {
	field := func(at int) int { return int(binary.LittleEndian.Uint16(format[at:])) }
	encoding, channels, rate, bits := field(0), field(2), int(binary.LittleEndian.Uint32(format[4:])), field(14)
	if encoding == extensible && len(format) >= 26 {
		encoding = field(24)
	}
	switch {
	case encoding != integerPCM:
		return nil, fmt.Errorf("encoding %d; only integer PCM is read", encoding)
	case bits != 8 && bits != 16 && bits != 24 && bits != 32:
		return nil, fmt.Errorf("%d bits per sample; 8, 16, 24 and 32 are read", bits)
	case channels < 1 || channels > maxChannels:
		return nil, fmt.Errorf("%d channels; 1 to %d are read", channels, maxChannels)
	case !slices.Contains(resample.Rates(), rate):
		return nil, fmt.Errorf("%d Hz; one of %v is needed", rate, resample.Rates())
	}
	block := channels * bits / 8
	samples = samples[:len(samples)/block*block]
	if len(samples) == 0 {
		return nil, errors.New("no samples in it")
	}
	out := make([]byte, 0, 44+len(samples))
	out = append(out, "RIFF"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(36+len(samples)))
	out = append(out, "WAVEfmt "...)
	out = binary.LittleEndian.AppendUint32(out, 16)
	out = binary.LittleEndian.AppendUint16(out, integerPCM)
	out = binary.LittleEndian.AppendUint16(out, uint16(channels))
	out = binary.LittleEndian.AppendUint32(out, uint32(rate))
	out = binary.LittleEndian.AppendUint32(out, uint32(rate*block))
	out = binary.LittleEndian.AppendUint16(out, uint16(block))
	out = binary.LittleEndian.AppendUint16(out, uint16(bits))
	out = append(out, "data"...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(samples)))
	return append(out, samples...), nil
}

func readWAV(data []byte) (*WAVSource, error) {
	plain, err := canonical(data)
	if err != nil {
		return nil, err
	}
	d := wav.NewDecoder(bytes.NewReader(plain))
	buf, err := d.FullPCMBuffer()
	if err != nil {
		return nil, err
	}
	channels := int(d.NumChans)
	pcm := make([]float32, len(buf.Data)/channels)
	scale := 1 / float64(int64(1)<<(d.BitDepth-1)) / float64(channels)
	for i := range pcm {
		sum := 0
		for _, v := range buf.Data[i*channels : (i+1)*channels] {
			if d.BitDepth == 8 {
				v -= 128 // 8-bit WAV is unsigned
			}
			sum += v
		}
		pcm[i] = float32(float64(sum) * scale)
	}
	return &WAVSource{rate: int(d.SampleRate), pcm: pcm}, nil
}

// Rate is the file's.
func (s *WAVSource) Rate() int { return s.rate }

// Run plays the file in real time, again from the start after its end, until ctx ends.
func (s *WAVSource) Run(ctx context.Context, take func([]float32, dsp.Mark)) error {
	frame := make([]float32, FrameSize(s.rate))
	at := 0
	return everyFrame(ctx, func() error {
		for filled := 0; filled < len(frame); {
			n := copy(frame[filled:], s.pcm[at:])
			filled += n
			at = (at + n) % len(s.pcm)
		}
		take(frame, 0)
		return nil
	})
}

// WAVSink records what an earphone would play, 16 bits mono.
type WAVSink struct {
	path string
	rate int
}

// NewWAVSink records to path at the rate in Hz once Run is called; the file is replaced.
func NewWAVSink(path string, rate int) (*WAVSink, error) {
	if !slices.Contains(resample.Rates(), rate) {
		return nil, fmt.Errorf("record WAV: %d Hz; one of %v is needed", rate, resample.Rates())
	}
	return &WAVSink{path: path, rate: rate}, nil
}

// Rate in Hz.
func (s *WAVSink) Rate() int { return s.rate }

// Run records in real time until ctx ends, then completes the file's header.
func (s *WAVSink) Run(ctx context.Context, fill func([]float32)) (err error) {
	f, err := os.Create(s.path)
	if err != nil {
		return fmt.Errorf("record WAV: %w", err)
	}
	enc := wav.NewEncoder(f, s.rate, 16, 1, 1)
	defer func() {
		if cerr := errors.Join(enc.Close(), f.Close()); err == nil && cerr != nil {
			err = fmt.Errorf("record WAV %s: %w", s.path, cerr)
		}
	}()
	frame := make([]float32, FrameSize(s.rate))
	buf := &goaudio.IntBuffer{
		Format: &goaudio.Format{NumChannels: 1, SampleRate: s.rate}, SourceBitDepth: 16, Data: make([]int, len(frame)),
	}
	return everyFrame(ctx, func() error {
		fill(frame)
		for i, v := range frame {
			buf.Data[i] = int(max(-32768, min(32767, v*32768)))
		}
		if err := enc.Write(buf); err != nil {
			return fmt.Errorf("record WAV %s: %w", s.path, err)
		}
		return nil
	})
}
