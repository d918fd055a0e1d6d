package headset

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/band"
)

// validSNR is the distance in dB from noise to active level under which P.56 counts the
// noise as speech.
const validSNR = 16.0

// Report gives what has been measured so far.
func (a *Analyzer) Report() Report {
	r := Report{
		Tap:          a.cfg.Tap,
		Codec:        a.cfg.Codec,
		SampleRate:   a.cfg.SampleRate,
		Duration:     float64(a.samples) / float64(a.cfg.SampleRate),
		ActiveSpeech: a.meters.speech.SpeechSeconds(),
		Metrics:      a.metrics(),
	}
	r.Conversation = a.far.conversation()
	r.Findings = a.findings(&r)
	return r
}

func (a *Analyzer) metrics() Metrics {
	counts, countsHP := a.meters.levels.Counts()
	raw, hp := counts.Result(), countsHP.Result()
	n := a.meters.noise.Result()
	m := Metrics{
		ActiveLevel:     raw.Active,
		ActiveLevelHP:   hp.Active,
		Activity:        raw.Activity,
		Level:           raw.RMS,
		NoiseFloor:      n.Floor,
		NoiseFloorA:     n.FloorA,
		NoiseClass:      n.Class,
		NoiseConfidence: n.Confidence,
		SNR:             dsp.None(),
		Peak:            raw.Peak,
		PeakFactor:      raw.Peak - raw.Active, // None - x is None
	}
	a.clipMetrics(&m)
	a.glitchMetrics(&m)
	a.lowMetrics(&m)
	a.reachMetrics(&m)
	a.echoMetrics(&m)
	m.Pace = a.meters.pace.PerSecond()
	if m.NoiseFloor.Valid() && m.NoiseFloor > dsp.SilenceDBov {
		m.SNR = countsHP.SpeechLevel(math.Pow(10, float64(m.NoiseFloor)/10)) - m.NoiseFloor
	}
	m.ActiveValid = hp.Active.Valid() && (!m.NoiseFloor.Valid() || float64(hp.Active-m.NoiseFloor) >= validSNR)
	m.beforeCodec(a.opusShare())
	return m
}

// lowMetrics fills in hum, buzz, offset, pumping and breath.
func (a *Analyzer) lowMetrics(m *Metrics) {
	h, b, p, air := a.meters.hum.Result(), a.meters.buzz.Result(), a.swing(), a.meters.breath.Result()
	m.HumHz, m.HumLevel, m.HumProminence, m.HumSeconds = h.Hz, h.Level, h.Prominence, h.Seconds
	m.BuzzHz, m.BuzzLevel, m.BuzzProminence = b.Hz, b.Level, b.Prominence
	m.BuzzSeconds, m.BuzzBursts = b.Seconds, b.Bursts
	m.DC = a.meters.dc.Result().Offset
	m.Pumping, m.PumpingSteady = p.SD, p.Steady
	m.Pops, m.Wind, m.Fit = air.PopsPerMinute, air.WindShare, air.Advice()
}

// reachMetrics fills in how far up the speech reaches.
func (a *Analyzer) reachMetrics(m *Metrics) {
	b := a.meters.band.Result()
	m.HighLow, m.HighMid, m.Rolloff, m.HighsMasked = b.HighLow, b.HighMid, b.Rolloff, b.Masked
	m.Bandwidth, m.NarrowBand = b.Edge, a.endsAtSource(&b)
	if m.NarrowBand {
		m.Bandwidth = b.Cut
	}
}

// SpeechSpectrum gives the long-term spectrum of the speech in third-octave bands, dBov;
// band.Center gives their middles.
func (a *Analyzer) SpeechSpectrum() [band.Bands]dsp.Value { return a.meters.band.Result().Spectrum }
