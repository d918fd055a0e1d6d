package analyze

import (
	"fmt"
	"math"
	"strings"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// Short names, so that a row of the table below fits a line.
type (
	metrics = *headset.Metrics
	limits  = *headset.Limits
	value   = dsp.Value
	limit   = headset.Limit
)

// row is one metric as a person sees it.
type row struct {
	label    string
	unit     string // "%" shows a share times 100
	decimals int
	value    func(metrics) value
	judges   []judge // none: shown, never a fault
}

// judge is a limit of a metric and the finding it makes. Whether more or less is worse is
// seen from which of the two numbers is higher.
type judge struct {
	kind  headset.Kind
	limit func(limits) limit
}

// part is a heading with its rows. A row that was not measured is left out, and so is a
// part without rows.
type part struct {
	title string
	rows  []row
}

// parts is the table of metrics. To show a new one, add its line.
var parts = []part{
	{"speech", []row{
		{"speech level above 100 Hz", "dBov", 1, func(m metrics) value { return m.ActiveLevelHP }, []judge{
			{headset.Quiet, func(l limits) limit { return l.Quiet }}, {headset.Loud, func(l limits) limit { return l.Loud }}}},
		{"speech level, ITU-T P.56", "dBov", 1, func(m metrics) value { return m.ActiveLevel }, nil},
		{"share of time in speech", "%", 0, func(m metrics) value { return m.Activity }, nil},
		{"pace, syllables a second", "", 1, func(m metrics) value { return m.Pace }, nil},
		{"level of all", "dBov", 1, func(m metrics) value { return m.Level }, nil},
		{"peak", "dBov", 1, func(m metrics) value { return m.Peak }, nil},
		{"level swings by", "dB", 1, func(m metrics) value { return m.Pumping }, []judge{{headset.Pumping, func(l limits) limit { return l.Pumping }}}},
		{"active peak factor", "dB", 1, func(m metrics) value { return m.PeakFactor }, nil},
	}},
	{"noise", []row{
		{"noise floor", "dBov", 1, func(m metrics) value { return m.NoiseFloor }, []judge{{headset.Noise, func(l limits) limit { return l.Noise }}}},
		{"noise floor, A-weighted", "dBov", 1, func(m metrics) value { return m.NoiseFloorA }, nil},
		{"speech over noise", "dB", 1, func(m metrics) value { return m.SNR }, []judge{{headset.Noise, func(l limits) limit { return l.SNR }}}},
	}},
	{"sound", []row{
		{"speech reaches up to", "Hz", 0, func(m metrics) value { return m.Bandwidth }, nil},
		{"4.5-7 kHz over 2-3.4 kHz", "dB", 1, func(m metrics) value { return m.HighMid }, []judge{{headset.Muffled, func(l limits) limit { return l.MuffledHighs }}}},
		{"2.5-3.4 kHz over 1-2 kHz", "dB", 1, func(m metrics) value { return m.Rolloff }, []judge{{headset.Muffled, func(l limits) limit { return l.MuffledRolloff }}}},
		{"4.5-7 kHz over 0.3-3.4 kHz", "dB", 1, func(m metrics) value { return m.HighLow }, nil},
	}},
	{"hum and buzz", []row{
		{"hum of the mains at", "Hz", 1, func(m metrics) value { return m.HumHz }, nil},
		{"hum", "dBov", 1, func(m metrics) value { return m.HumLevel }, []judge{{headset.Hum, func(l limits) limit { return l.HumLevel }}}},
		{"hum over what is around it", "dB", 1, func(m metrics) value { return m.HumProminence }, []judge{{headset.Hum, func(l limits) limit { return l.Hum }}}},
		{"buzz of a radio at", "Hz", 1, func(m metrics) value { return m.BuzzHz }, nil},
		{"buzz", "dBov", 1, func(m metrics) value { return m.BuzzLevel }, []judge{{headset.Buzz, func(l limits) limit { return l.BuzzLevel }}}},
		{"buzz over what is around it", "dB", 1, func(m metrics) value { return m.BuzzProminence }, []judge{{headset.Buzz, func(l limits) limit { return l.Buzz }}}},
	}},
	{"echo", []row{
		{"echo loss", "dB", 1, func(m metrics) value { return m.EchoLoss }, []judge{{headset.Echo, func(l limits) limit { return l.Echo }}}},
		{"no echo; the loss is above", "dB", 1, func(m metrics) value { return m.EchoLossLeast }, nil},
		{"delay of the echo", "ms", 0, func(m metrics) value { return m.EchoDelay }, nil},
		{"speech over echo", "dB", 1, func(m metrics) value { return m.SpeechToEcho }, nil},
	}},
	{"boom", []row{
		{"puffs of breath a minute", "", 1, func(m metrics) value { return m.Pops }, nil},
		{"wind, of the time", "%", 1, func(m metrics) value { return m.Wind }, nil},
	}},
	{"faults", []row{
		{"drop-outs in five minutes", "", 1, func(m metrics) value { return m.DropoutRate }, []judge{{headset.Dropout, func(l limits) limit { return l.Dropouts }}}},
		{"longest drop-out", "ms", 0, func(m metrics) value { return m.DropoutLongest }, nil},
		{"crackles a minute", "", 1, func(m metrics) value { return m.CrackleRate }, []judge{{headset.Crackle, func(l limits) limit { return l.Crackle }}}},
		{"clipped samples", "%", 3, func(m metrics) value { return m.ClippedShare }, []judge{{headset.Clipping, func(l limits) limit { return l.Clipping }}}},
		{"clipped stretches", "", 0, func(m metrics) value { return value(m.ClipEvents) }, nil},
		{"longest stretch, samples", "", 0, func(m metrics) value { return value(m.ClipLongest) }, nil},
		{"ceiling", "dBov", 1, func(m metrics) value { return m.ClipCeiling }, nil},
		{"offset of full scale", "%", 2, func(m metrics) value { return value(math.Abs(float64(m.DC))) }, []judge{{headset.DCOffset, func(l limits) limit { return l.DC }}}},
	}},
}

// audibleDBov is the noise floor below which nobody asks what it sounds like.
const audibleDBov = -65

// notes are sentences under the table, for what is no number. None is "".
var notes = []func(metrics) string{
	func(m metrics) string {
		if m.ActiveValid || !m.ActiveLevel.Valid() {
			return ""
		}
		return "The speech level is not sure: the noise is too near to the speech."
	},
	func(m metrics) string {
		if m.NoiseClass == "" || m.NoiseFloor < audibleDBov {
			return ""
		}
		return fmt.Sprintf("The noise sounds like %s, %.0f %% sure.", m.NoiseClass, 100*m.NoiseConfidence)
	},
	func(m metrics) string {
		if !m.NarrowBand {
			return ""
		}
		return "Speech ends as at the wall of a telephone codec: narrow band."
	},
	func(m metrics) string {
		if m.Fit == "" {
			return ""
		}
		return "A hint about the fit: " + m.Fit
	},
	func(m metrics) string {
		if !m.HighsMasked {
			return ""
		}
		return "Noise hides the high tones of the speech: it may be duller than it reads."
	},
}

// show writes the value in the row's unit, without the unit.
func (r row) show(v dsp.Value) string {
	if !v.Valid() {
		return "-"
	}
	return number(float64(v)*r.scale(), r.decimals)
}

func (r row) scale() float64 {
	if r.unit == "%" {
		return 100
	}
	return 1
}

// number writes a value to so many decimals, never as -0.
func number(v float64, decimals int) string {
	s := fmt.Sprintf("%.*f", decimals, v)
	if strings.Trim(s, "-0.") == "" {
		s = strings.TrimPrefix(s, "-")
	}
	return s
}

// mark says how the metric stands: what the findings say of it where it is beyond a limit,
// good where it is within all, and nothing where nobody judged it: too little was heard, or
// the meter has reasons not to trust it alone.
func (r row) mark(res Result) Verdict {
	v := r.value(&res.Metrics)
	if len(r.judges) == 0 || !v.Valid() {
		return ""
	}
	for _, j := range r.judges {
		if !beyond(j.limit(&res.limits), float64(v)) {
			continue
		}
		for _, f := range res.Findings {
			if f.Kind == j.kind {
				return Verdict(f.Severity)
			}
		}
		return ""
	}
	if res.ActiveSpeech < res.limits.MinActive {
		return ""
	}
	return Good
}

// beyond says whether a value is worse than what is good.
func beyond(l headset.Limit, v float64) bool {
	if l.Bad > l.Watch {
		return v > l.Watch
	}
	return v < l.Watch
}

// bounds writes where good ends and where bad begins.
func (r row) bounds(l headset.Limits) (good, bad string) {
	for _, j := range r.judges {
		x := j.limit(&l)
		at, beyond := "≥ ", "< "
		if x.Bad > x.Watch {
			at, beyond = "≤ ", "> "
		}
		if good != "" {
			at, beyond = " "+at, ", "+beyond
		}
		good += at + r.trim(x.Watch)
		bad += beyond + r.trim(x.Bad)
	}
	return good, bad
}

// trim writes a limit without needless zeros.
func (r row) trim(v float64) string { return fmt.Sprintf("%g", math.Round(v*r.scale()*1e6)/1e6) }
