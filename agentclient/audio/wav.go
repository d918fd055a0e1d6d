package audio

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// WAVSource plays a file over and over as if someone spoke it into a microphone.
type WAVSource struct {
	rate int
	pcm  []float32
}

// OpenWAV reads a WAV file. Channels are averaged to mono; floats beyond full scale are
// clipped, as a sound card would.
func OpenWAV(path string) (*WAVSource, error) {
	clip, err := wavfile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open WAV: %w", err)
	}
	if err := playable(clip.Rate); err != nil {
		return nil, fmt.Errorf("open WAV %s: %w", path, err)
	}
	s := &WAVSource{rate: clip.Rate, pcm: clip.Mono()}
	for i, v := range s.pcm {
		s.pcm[i] = max(-1, min(1, v))
	}
	return s, nil
}

// playable says whether a rate in Hz is one that Source and Sink promise.
func playable(rate int) error {
	if !slices.Contains(resample.Rates(), rate) {
		return fmt.Errorf("%d Hz; one of %v is needed", rate, resample.Rates())
	}
	return nil
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
	if err := playable(rate); err != nil {
		return nil, fmt.Errorf("record WAV: %w", err)
	}
	return &WAVSink{path: path, rate: rate}, nil
}

// Rate in Hz.
func (s *WAVSink) Rate() int { return s.rate }

// Run records in real time until ctx ends, then completes the file's header.
func (s *WAVSink) Run(ctx context.Context, fill func([]float32)) (err error) {
	w, err := wavfile.Create(s.path, wavfile.Format{Rate: s.rate, Channels: 1, Bits: 16})
	if err != nil {
		return fmt.Errorf("record WAV: %w", err)
	}
	defer func() {
		if err = errors.Join(err, w.Close()); err != nil {
			err = fmt.Errorf("record WAV %s: %w", s.path, err)
		}
	}()
	frame := make([]float32, FrameSize(s.rate))
	return everyFrame(ctx, func() error {
		fill(frame)
		return w.Write(frame)
	})
}
