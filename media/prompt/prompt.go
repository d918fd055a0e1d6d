package prompt

import (
	"context"

	"github.com/headroom-voice/headroom/media"
)

// Source is a sound without end that can be rendered from anywhere. Many plays may
// share one, at the same time.
type Source interface {
	// Render fills pcm with the samples from position at (in samples) at rate, 8000 or
	// 16000 Hz, mono, full scale ±1.
	Render(pcm []float32, at int64, rate int)
}

// Pacer sends sources to legs in real time.
type Pacer struct {
}

// NewPacer makes a Pacer with nothing to play.
func NewPacer() *Pacer { return &Pacer{} }

// Run keeps time until ctx ends.
func (p *Pacer) Run(ctx context.Context) error { return nil }

// Play sends src to leg from its beginning until stop is called. After stop has
// returned nothing more is sent.
func (p *Pacer) Play(leg media.Leg, src Source) (stop func()) { return func() {} }

// HoldMusic is a quiet (-26 dBov), generated pattern of tones. It holds its rendering:
// make one and share it.
func HoldMusic() Source { return nil }

// Tone is a steady sine of hz at dbov.
func Tone(hz, dbov float64) Source { return nil }
