package audio

import (
	"bytes"
	"context"
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

func readWAV(data []byte) (*WAVSource, error) {
	d := wav.NewDecoder(bytes.NewReader(data))
	if !d.IsValidFile() {
		return nil, errors.New("not a WAV file")
	}
	const integer, extensible = 1, 0xfffe
	if d.WavAudioFormat != integer && d.WavAudioFormat != extensible {
		return nil, fmt.Errorf("encoding %d; only integer PCM is read", d.WavAudioFormat)
	}
	switch d.BitDepth {
	case 8, 16, 24, 32:
	default:
		return nil, fmt.Errorf("%d bits per sample; 8, 16, 24 and 32 are read", d.BitDepth)
	}
	rate, channels := int(d.SampleRate), int(d.NumChans)
	if !slices.Contains(resample.Rates(), rate) {
		return nil, fmt.Errorf("%d Hz; one of %v is needed", rate, resample.Rates())
	}
	buf, err := d.FullPCMBuffer()
	if err != nil {
		return nil, err
	}
	frames := len(buf.Data) / channels // IsValidFile has seen at least one channel
	if frames == 0 {
		return nil, errors.New("no samples in it")
	}
	pcm := make([]float32, frames)
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
	return &WAVSource{rate: rate, pcm: pcm}, nil
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
