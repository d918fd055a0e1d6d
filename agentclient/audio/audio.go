package audio

import (
	"context"
	"errors"
	"time"

	"github.com/headroom-voice/headroom/dsp"
)

// FrameTime is how much audio a frame holds.
const FrameTime = 20 * time.Millisecond

// ErrDevice is wrapped by what Run returns when the device failed or was unplugged.
var ErrDevice = errors.New("audio device")

// FrameSize is the number of samples in a frame at the rate in Hz.
func FrameSize(rate int) int { return rate / 50 }

// Source is a microphone.
type Source interface {
	// Rate in Hz, one of 8000, 16000, 32000, 44100 and 48000.
	Rate() int
	// Run gives one frame after another to take until ctx ends (nil) or the device fails
	// (ErrDevice). The frame is reused after take returns. It is marked dsp.Lost when the
	// computer was too slow and samples before it are missing: not the headset's fault.
	Run(ctx context.Context, take func(frame []float32, mark dsp.Mark)) error
}

// Sink is an earphone.
type Sink interface {
	// Rate in Hz, one of 8000, 16000, 32000, 44100 and 48000.
	Rate() int
	// Run has one frame after another filled and plays it, until ctx ends (nil) or the
	// device fails (ErrDevice).
	Run(ctx context.Context, fill func(frame []float32)) error
}

// Silence is a Source that says nothing and a Sink that plays into nothing, both in real time.
type Silence struct {
	rate int
}

// NewSilence makes one at the rate in Hz.
func NewSilence(rate int) Silence { return Silence{rate: rate} }

// Rate in Hz.
func (s Silence) Rate() int { return s.rate }

// Source gives the microphone's half.
func (s Silence) Source() Source { return silentSource{s} }

// Sink gives the earphone's half.
func (s Silence) Sink() Sink { return silentSink{s} }

type silentSource struct{ Silence }

func (s silentSource) Run(ctx context.Context, take func([]float32, dsp.Mark)) error {
	frame := make([]float32, FrameSize(s.rate))
	return everyFrame(ctx, func() error { take(frame, 0); return nil })
}

type silentSink struct{ Silence }

func (s silentSink) Run(ctx context.Context, fill func([]float32)) error {
	frame := make([]float32, FrameSize(s.rate))
	return everyFrame(ctx, func() error { fill(frame); return nil })
}

// behindMost is how late a pacer may be before it gives up catching up (the computer slept).
const behindMost = 10 * FrameTime

// everyFrame calls fn once per FrameTime until ctx ends (nil) or fn fails. The schedule is
// counted from the start, so that lateness of one call is not added to the next.
func everyFrame(ctx context.Context, fn func() error) error {
	next := time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := fn(); err != nil {
			return err
		}
		next = next.Add(FrameTime)
		if now := time.Now(); now.Sub(next) > behindMost {
			next = now
		}
		timer.Reset(time.Until(next))
	}
}
