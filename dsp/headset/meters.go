package headset

import (
	"github.com/headroom-voice/headroom/dsp/band"
	"github.com/headroom-voice/headroom/dsp/breath"
	"github.com/headroom-voice/headroom/dsp/buzz"
	"github.com/headroom-voice/headroom/dsp/clip"
	"github.com/headroom-voice/headroom/dsp/dc"
	"github.com/headroom-voice/headroom/dsp/filter"
	"github.com/headroom-voice/headroom/dsp/glitch"
	"github.com/headroom-voice/headroom/dsp/hum"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
	"github.com/headroom-voice/headroom/dsp/level"
	"github.com/headroom-voice/headroom/dsp/noise"
	"github.com/headroom-voice/headroom/dsp/pump"
	"github.com/headroom-voice/headroom/dsp/spectrum"
	"github.com/headroom-voice/headroom/dsp/stuck"
	"github.com/headroom-voice/headroom/dsp/talk"
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
	at       int     // its number, had every block been scored
}

// meters is everything that listens to the microphone.
type meters struct {
	highPass *filter.HighPass
	filtered []float32
	spectrum *spectrum.Analyzer
	speech   *vad.Detector

	levels *level.Pair // as the samples came, and behind the high-pass
	noise  *noise.Meter
	band   *band.Meter
	clip   *clip.Meter
	peaks  *clip.Peaks
	glitch *glitch.Meter
	stuck  *stuck.Meter
	pace   *talk.Pace

	lowBand *lowband.Decimator // what hum, offset and breath share
	low     []float32
	hum     *hum.Meter
	buzz    *buzz.Meter
	dc      *dc.Meter
	breath  *breath.Meter
	pump    *pump.Meter

	all    []interface{ Reset() }
	broken []interface{ Gap() } // those that a gap concerns
	err    error                // of the first that could not be made
}

func newMeters(rate int) (meters, error) {
	var m meters
	m.highPass = hire(&m, func(rate int) (*filter.HighPass, error) { return filter.NewHighPass(rate, highPassHz), nil }, rate)
	m.filtered = make([]float32, rate/blocksPerSecond)
	m.spectrum = hire(&m, spectrum.New, rate)
	m.speech = hire(&m, vad.New, rate)
	m.levels = hire(&m, level.NewPair, rate)
	m.noise = hire(&m, noise.New, rate)
	m.band = hire(&m, band.New, rate)
	m.clip = hire(&m, clip.New, rate)
	m.peaks = hire(&m, clip.NewPeaks, rate)
	m.glitch = hire(&m, glitch.New, rate)
	m.stuck = hire(&m, stuck.New, rate)
	m.pace = hire(&m, func(int) (*talk.Pace, error) { return talk.NewPace(), nil }, rate)
	m.lowBand = hire(&m, lowband.New, rate)
	m.hum = hire(&m, hum.New, rate)
	m.buzz = hire(&m, buzz.New, rate)
	m.dc = hire(&m, dc.New, rate)
	m.breath = hire(&m, breath.New, rate)
	m.pump = hire(&m, pump.New, rate)
	if m.err != nil {
		return meters{}, m.err
	}
	m.low = make([]float32, 0, m.lowBand.Cap(rate/blocksPerSecond))
	return m, nil
}

// hire makes a meter that is reset, and told of gaps, with all others. The first error
// stays in m.err.
func hire[M interface{ Reset() }](m *meters, make func(rate int) (M, error), rate int) M {
	meter, err := make(rate)
	if err != nil && m.err == nil {
		m.err = err
	}
	m.all = append(m.all, meter)
	if g, ok := any(meter).(interface{ Gap() }); ok {
		m.broken = append(m.broken, g)
	}
	return meter
}

func (m *meters) reset() {
	for _, meter := range m.all {
		meter.Reset()
	}
}

// gap says that the samples that follow do not join on those before.
func (m *meters) gap() {
	for _, meter := range m.broken {
		meter.Gap()
	}
}

// toneOverDB is how far a tone stands above the noise: hum does not, it is the noise. [M]
const toneOverDB = 10.0

// hear gives every meter the next block.
func (a *Analyzer) hear(b block) {
	m := &a.meters
	b.filtered = m.filtered
	m.highPass.Process(b.filtered, b.raw)
	b.spectrum = m.spectrum.Next(b.raw)
	b.speech = m.speech.Process(b.spectrum, b.filtered)

	m.levels.Process(b.raw, b.filtered)
	m.noise.Process(b.spectrum, b.speech)
	m.band.Process(b.spectrum, b.speech.Speech, b.speech.Tonal && b.speech.LevelDBov > b.speech.NoiseDBov+toneOverDB)
	m.peaks.Process(b.raw, b.speech.Speech && !b.speech.Tonal)
	m.clip.ProcessUpTo(b.raw, m.peaks.Peak())
	m.glitch.Process(b.raw)
	a.glitches(b.end)
	m.stuck.Process(b.raw)
	m.pace.Process(b.spectrum, b.speech.Speech)
	m.low = m.lowBand.Process(m.low[:0], b.raw)
	m.hum.Process(m.low)
	m.buzz.Process(b.spectrum)
	m.dc.Process(m.low, b.speech.Speech)
	m.breath.Process(m.low, b.speech.Speech)
	a.second.peak = max(a.second.peak, m.peaks.Peak())
	a.far.near(&b)
}

// event notes a fault that showed for some seconds, up to end.
func (a *Analyzer) event(kind Kind, end, length float64) {
	a.events.push(Event{Kind: kind, At: max(0, end-length), Length: length})
}

// clipped counts the samples that the tap's own evidence calls clipped.
func (a *Analyzer) clipped() uint64 {
	if a.cfg.Tap == TapWire {
		return a.meters.peaks.Hot()
	}
	return a.meters.clip.Result().Clipped
}
