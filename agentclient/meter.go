package agentclient

import (
	"fmt"
	"sync"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/resample"
)

// meter measures the raw microphone, before any codec. The microphone's and the
// earphone's goroutines feed it; the lock is held for arithmetic only.
type meter struct {
	mu       sync.Mutex
	analyzer *headset.Analyzer
	far      *resample.Resampler // what the earphone plays, at the microphone's rate
	farFrame []float32
}

func newMeter(micRate, earRate int) (*meter, error) {
	analyzer, err := headset.New(headset.Config{SampleRate: micRate, Tap: headset.TapMic})
	if err != nil {
		return nil, fmt.Errorf("headset meter: %w", err)
	}
	far, err := resample.New(earRate, micRate)
	if err != nil {
		return nil, fmt.Errorf("headset meter: %w", err)
	}
	return &meter{analyzer: analyzer, far: far, farFrame: make([]float32, 0, micRate/10)}, nil
}

// near takes a frame of the microphone and gives the second it completed, if it did.
func (m *meter) near(frame []float32, mark dsp.Mark) (headset.Reading, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.analyzer.Process(frame, mark)
	return m.analyzer.Reading()
}

// heard takes a frame that the earphone plays.
func (m *meter) heard(frame []float32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.farFrame = m.far.Process(m.farFrame[:0], frame)
	m.analyzer.ProcessFar(m.farFrame)
}

// setLimits changes what counts as a fault.
func (m *meter) setLimits(l headset.Limits) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.analyzer.SetLimits(l)
}

// restart gives the report of what was heard so far and begins anew.
func (m *meter) restart() headset.Report {
	m.mu.Lock()
	defer m.mu.Unlock()
	report := m.analyzer.Report()
	m.analyzer.Reset()
	return report
}
