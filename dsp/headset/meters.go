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
	reach  *band.Meter
	clip   *clip.Meter
	peaks  *clip.Peaks
	glitch *glitch.Meter
	stuck  *stuck.Meter
	pace   *talk.Pace

	band   *lowband.Decimator // what hum, offset and breath share
	low    []float32
	hum    *hum.Meter
	buzz   *buzz.Meter
	dc     *dc.Meter
	breath *breath.Meter
	pump   *pump.Meter
}

func newMeters(rate int, _ Tap) (m meters, err error) {
	m.highPass = filter.NewHighPass(rate, highPassHz)
	m.filtered = make([]float32, rate/blocksPerSecond)
	m.pace = talk.NewPace()
	if m.stuck, err = stuck.New(rate); err != nil {
		return m, err
	}
	if m.spectrum, err = spectrum.New(rate); err != nil {
		return m, err
	}
	if m.speech, err = vad.New(rate); err != nil {
		return m, err
	}
	if m.levels, err = level.NewPair(rate); err != nil {
		return m, err
	}
	if m.noise, err = noise.New(rate); err != nil {
		return m, err
	}
	if m.reach, err = band.New(rate); err != nil {
		return m, err
	}
	if m.clip, err = clip.New(rate); err != nil {
		return m, err
	}
	if m.peaks, err = clip.NewPeaks(rate); err != nil {
		return m, err
	}
	if m.glitch, err = glitch.New(rate); err != nil {
		return m, err
	}
	if m.band, err = lowband.New(rate); err != nil {
		return m, err
	}
	m.low = make([]float32, 0, m.band.Cap(rate/blocksPerSecond))
	if m.hum, err = hum.New(rate); err != nil {
		return m, err
	}
	if m.buzz, err = buzz.New(rate); err != nil {
		return m, err
	}
	if m.dc, err = dc.New(rate); err != nil {
		return m, err
	}
	if m.breath, err = breath.New(rate); err != nil {
		return m, err
	}
	m.pump, err = pump.New(rate)
	return m, err
}

func (m *meters) reset() {
	m.highPass.Reset()
	m.spectrum.Reset()
	m.speech.Reset()
	m.levels.Reset()
	m.noise.Reset()
	m.reach.Reset()
	m.clip.Reset()
	m.peaks.Reset()
	m.glitch.Reset()
	m.band.Reset()
	m.hum.Reset()
	m.buzz.Reset()
	m.dc.Reset()
	m.breath.Reset()
	m.pump.Reset()
	m.stuck.Reset()
	m.pace.Reset()
}

// gap says that the samples that follow do not join on those before.
func (m *meters) gap() {
	m.spectrum.Gap()
	m.speech.Gap()
	m.noise.Gap()
	m.reach.Gap()
	m.clip.Gap()
	m.glitch.Gap()
	m.band.Gap()
	m.hum.Gap()
	m.buzz.Gap()
	m.breath.Gap()
	m.stuck.Gap()
	m.pace.Gap()
}

// hear gives every meter the next block.
func (a *Analyzer) hear(b block) {
	m := &a.meters
	b.filtered = m.filtered
	m.highPass.Process(b.filtered, b.raw)
	b.spectrum = m.spectrum.Next(b.raw)
	b.speech = m.speech.Process(b.spectrum, b.filtered)

	m.levels.Process(b.raw, b.filtered)
	m.noise.Process(b.spectrum, b.speech)
	m.reach.Process(b.spectrum, b.speech.Speech)
	m.clip.Process(b.raw)
	m.peaks.Process(b.raw, b.speech.Speech && !b.speech.Tonal)
	m.glitch.Process(b.raw)
	a.glitches(b.end)
	m.stuck.Process(b.raw)
	m.pace.Process(b.spectrum, b.speech.Speech)
	m.low = m.band.Process(m.low[:0], b.raw)
	m.hum.Process(m.low)
	m.buzz.Process(b.spectrum)
	m.dc.Process(m.low)
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
