package headset

import (
	"github.com/headroom-voice/headroom/dsp/clip"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/level"
	"github.com/headroom-voice/headroom/dsp/noise"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/vad"
)

// highPassHz is the corner of the high-pass before noise, speech and the verdict's level.
const highPassHz = 100

// block is 20 ms of the microphone and what the meters share of it.
type block struct {
	raw      []float32       // as the samples came
	filtered []float32       // behind the high-pass
	spectrum *spectrum.Frame // nil just after a gap
	speech   vad.Frame
	end      float64 // seconds since the first sample
}

// meters is everything that listens to the microphone.
type meters struct {
	highPass *filter.HighPass
	filtered []float32
	spectrum *spectrum.Analyzer
	speech   *vad.Detector

	levels   *level.Meter // as the samples came
	levelsHP *level.Meter // behind the high-pass
	noise    *noise.Meter
	clip     *clip.Meter
	tops     tops
	stuck    stuck
}

func newMeters(rate int, _ Tap) (m meters, err error) {
	m.highPass = filter.NewHighPass(rate, highPassHz)
	m.filtered = make([]float32, rate/blocksPerSecond)
	if m.spectrum, err = spectrum.New(rate); err != nil {
		return m, err
	}
	if m.speech, err = vad.New(rate); err != nil {
		return m, err
	}
	if m.levels, err = level.New(rate); err != nil {
		return m, err
	}
	if m.levelsHP, err = level.New(rate); err != nil {
		return m, err
	}
	if m.noise, err = noise.New(rate); err != nil {
		return m, err
	}
	m.clip, err = clip.New(rate)
	return m, err
}

func (m *meters) reset() {
	m.highPass.Reset()
	m.spectrum.Reset()
	m.speech.Reset()
	m.levels.Reset()
	m.levelsHP.Reset()
	m.noise.Reset()
	m.clip.Reset()
	m.tops, m.stuck = tops{}, stuck{}
}

// gap says that the samples that follow do not join on those before.
func (m *meters) gap() {
	m.spectrum.Gap()
	m.speech.Gap()
	m.noise.Gap()
	m.clip.Gap()
	m.tops.gap()
	m.stuck.gap()
}

// hear gives every meter the next block.
func (a *Analyzer) hear(b block) {
	m := &a.meters
	b.filtered = m.filtered
	m.highPass.Process(b.filtered, b.raw)
	b.spectrum = m.spectrum.Next(b.raw)
	b.speech = m.speech.Process(b.spectrum, b.filtered)

	m.levels.Process(b.raw)
	m.levelsHP.Process(b.filtered)
	m.noise.Process(b.spectrum, b.speech)
	m.clip.Process(b.raw)
	m.tops.process(b.raw)
	m.tops.endFrame(b.speech.Speech)
	m.stuck.process(b.raw)
	a.second.peak = max(a.second.peak, m.tops.pieceTop)
	a.far.near(b.speech.Speech)
}

// event notes a fault that showed for some seconds, up to end.
func (a *Analyzer) event(kind Kind, end, length float64) {
	a.events.push(Event{Kind: kind, At: max(0, end-length), Length: length})
}

// clipped counts the samples that the tap's own evidence calls clipped.
func (a *Analyzer) clipped() uint64 {
	if a.cfg.Tap == TapWire {
		return a.meters.tops.hot
	}
	return a.meters.clip.Result().Clipped
}
