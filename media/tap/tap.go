package tap

import (
	"context"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/media"
)

// Meter measures one party's voice, as decoded on the wire.
type Meter struct{}

// New makes a meter at cfg.SampleRate; onReading is called for every second measured.
func New(cfg headset.Config, onReading func(headset.Reading)) (*Meter, error) { return &Meter{}, nil }

// Near hears the party that is measured.
func (m *Meter) Near() media.Tap { return nil }

// Far hears the other party, whose echo may be in the near voice.
func (m *Meter) Far() media.Tap { return nil }

// Run measures until ctx ends and then drains what is queued.
func (m *Meter) Run(ctx context.Context) error { return nil }

// Finish drains what is queued and gives the report.
func (m *Meter) Finish() headset.Report { return headset.Report{} }

// Shed counts the frames the meter was too slow for.
func (m *Meter) Shed() uint64 { return 0 }
