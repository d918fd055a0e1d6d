package analyze

import (
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// farFile gives the first channel of the other party's recording at the microphone's rate,
// in step with it.
type farFile struct {
	wav       *wavfile.Reader
	resampler *resample.Resampler // nil where the rates are the same
	skip      int                 // samples by which the resampler lags, still to be dropped
	block     []float32           // as read
	frame     []float32           // first channel of it
	ready     []float32           // at the microphone's rate, not given yet
	ended     bool
}

// newFarFile owns wav from now on.
func newFarFile(wav *wavfile.Reader, rate int) (*farFile, error) {
	f := &farFile{wav: wav, block: make([]float32, blockFrames*wav.Channels), frame: make([]float32, 0, blockFrames)}
	if wav.Rate == rate {
		return f, nil
	}
	var err error
	if f.resampler, err = resample.New(wav.Rate, rate); err != nil {
		wav.Close()
		return nil, fmt.Errorf("%w; convert it first, for instance with: sox FAR.wav -r %d OUT.wav", err, rate)
	}
	f.skip = int(math.Round(f.resampler.Delay()))
	return f, nil
}

func (f *farFile) close() {
	if f != nil {
		f.wav.Close()
	}
}

// next appends the n samples that follow; after the end there is silence.
func (f *farFile) next(dst []float32, n int) ([]float32, error) {
	for len(f.ready) < n && !f.ended {
		got, err := f.wav.Read(f.block)
		if errors.Is(err, io.EOF) {
			f.ended = true
			break
		}
		if err != nil {
			return dst, fmt.Errorf("far end: %w", err)
		}
		f.frame = appendChannel(f.frame[:0], f.block[:got], f.wav.Channels, 1)
		if f.resampler == nil {
			f.ready = append(f.ready, f.frame...)
			continue
		}
		f.ready = f.resampler.Process(f.ready, f.frame)
		drop := min(f.skip, len(f.ready))
		f.skip -= drop
		f.ready = f.ready[:copy(f.ready, f.ready[drop:])]
	}
	have := min(n, len(f.ready))
	dst = append(dst, f.ready[:have]...)
	f.ready = f.ready[:copy(f.ready, f.ready[have:])]
	for range n - have {
		dst = append(dst, 0)
	}
	return dst, nil
}
