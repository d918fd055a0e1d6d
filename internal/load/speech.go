package load

import (
	"errors"
	"fmt"

	"github.com/headroom-voice/headroom/dsp/resample"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/wavfile"
	"github.com/headroom-voice/headroom/testdata"
)

// builtIn is the recording that is played when no file is named.
const builtIn = "caller-1"

// Speech reads a WAV file to be said over and over; "" is a recording of the project's own.
func Speech(path string) (prompt.Source, error) {
	if path == "" {
		pcm, hz, err := testdata.Samples(builtIn)
		if err != nil {
			return nil, fmt.Errorf("load: speech: %w", err)
		}
		return Samples(pcm, hz)
	}
	clip, err := wavfile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("load: speech: %w", err)
	}
	return Samples(clip.Mono(), clip.Rate)
}

// Samples makes a source of mono samples at hz, said over and over.
func Samples(pcm []float32, hz int) (prompt.Source, error) {
	if hz != rate {
		r, err := resample.New(hz, rate)
		if err != nil {
			return nil, fmt.Errorf("load: speech: %w", err)
		}
		pcm = r.Process(nil, pcm)
	}
	if len(pcm) == 0 {
		return nil, errors.New("load: speech: no samples")
	}
	return loop(pcm), nil
}

// loop is a recording at 8 kHz.
type loop []float32

// Render is part of prompt.Source. Lines speak G.711, so hz is 8000 in practice.
func (l loop) Render(pcm []float32, at int64, hz int) {
	for i := range pcm {
		pcm[i] = l[(at+int64(i))*rate/int64(hz)%int64(len(l))]
	}
}

// From gives src begun at a later sample, so that many callers do not speak in chorus.
func From(src prompt.Source, sample int64) prompt.Source { return shifted{src, sample} }

type shifted struct {
	prompt.Source
	by int64
}

// Render is part of prompt.Source.
func (s shifted) Render(pcm []float32, at int64, hz int) { s.Source.Render(pcm, at+s.by, hz) }
