package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

// Config says what an Analyzer listens to.
type Config struct {
	SampleRate int    // Hz: 8000, 16000, 32000, 44100 or 48000
	Tap        Tap    // TapMic or TapWire; it decides which evidence counts
	Limits     Limits // what counts as a fault; the zero value means DefaultLimits
}

// Analyzer is every meter over one microphone. It is not safe for concurrent use.
type Analyzer struct {
	cfg Config
}

// New makes an Analyzer, or says what is wrong with cfg.
func New(cfg Config) (*Analyzer, error) {
	switch cfg.SampleRate {
	case 8000, 16000, 32000, 44100, 48000:
	default:
		return nil, fmt.Errorf("headset: sample rate %d Hz is not one of 8000, 16000, 32000, 44100, 48000", cfg.SampleRate)
	}
	return &Analyzer{cfg: cfg}, nil
}

// Process takes the next samples (mono, full scale ±1, any number) and what is known of them.
func (a *Analyzer) Process(_ []float32, _ dsp.Mark) {}

// ProcessFar takes what the other party said meanwhile.
func (a *Analyzer) ProcessFar(_ []float32) {}

// Reading gives the next finished second that has not been given yet.
func (a *Analyzer) Reading() (Reading, bool) { return Reading{}, false }

// Report gives what has been measured so far.
func (a *Analyzer) Report() Report { return Report{Findings: []Finding{}} }

// Reset starts again as if new.
func (a *Analyzer) Reset() {}
