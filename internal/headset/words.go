package headset

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/headroom-voice/headroom/dsp"
	meter "github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

// name is a fault as people call it.
func name(k meter.Kind) string {
	switch k {
	case meter.Dead:
		return "no sound"
	case meter.Quiet:
		return "quiet speech"
	case meter.Loud:
		return "speech that is too loud"
	case meter.Hum:
		return "mains hum"
	case meter.Buzz:
		return "radio buzz"
	case meter.Dropout:
		return "drop-outs"
	case meter.Muffled:
		return "muffled sound"
	case meter.DCOffset:
		return "a DC offset"
	case meter.Pumping:
		return "a pumping level"
	default:
		return string(k) // clipping, noise, crackle, echo
	}
}

// amount says a finding's value against its limit in the unit of the kind, or "" when
// nothing was measured. Some kinds have several metrics, told apart by their limits:
// clipping is a share of samples, where a codec has rounded it a peak factor, or how peaks
// bend towards a soft ceiling, whose limits are negative; noise is a floor or its distance
// to the speech; hum and buzz stand out or, below zero, have a level.
func amount(k meter.Kind, value, limit dsp.Value) string {
	if !value.Valid() {
		return ""
	}
	unit := func(v dsp.Value) string { return number(float64(v)) }
	what := ""
	switch k {
	case meter.Clipping:
		switch {
		case limit.Valid() && limit >= 1:
			unit, what = decibels("dB"), "peak factor "
		case limit < 0:
			what = "peak bend "
		default:
			unit, what = percent, "of the samples "
		}
	case meter.DCOffset:
		unit = percent
	case meter.Noise:
		if limit.Valid() && limit > 0 {
			unit, what = decibels("dB"), "speech over noise "
		} else {
			unit = decibels("dBov")
		}
	case meter.Quiet, meter.Loud:
		unit = decibels("dBov")
	case meter.Hum, meter.Buzz:
		unit = decibels("dB")
		if limit < 0 {
			unit = decibels("dBov")
		}
	case meter.Muffled, meter.Echo, meter.Pumping:
		unit = decibels("dB")
	case meter.Dropout:
		unit = func(v dsp.Value) string { return number(float64(v)) + " in 5 min" }
	case meter.Crackle:
		unit = func(v dsp.Value) string { return number(float64(v)) + " a minute" }
	case meter.Dead:
		unit = func(v dsp.Value) string { return number(float64(v)) + " s" }
	}
	if strings.HasPrefix(what, "of ") {
		what = unit(value) + " " + what
	} else {
		what += unit(value) + " "
	}
	if !limit.Valid() {
		return strings.TrimSpace(what)
	}
	return what + "(limit " + unit(limit) + ")"
}

func percent(v dsp.Value) string { return number(100*float64(v)) + " %" }

func decibels(unit string) func(dsp.Value) string {
	return func(v dsp.Value) string { return number(math.Round(10*float64(v))/10) + " " + unit }
}

// number gives three figures, and no more than are needed.
func number(f float64) string {
	if f == 0 {
		return "0"
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(f))))
	scale := math.Pow(10, float64(min(max(digits, 0), 6)))
	return strconv.FormatFloat(math.Round(f*scale)/scale, 'f', -1, 64)
}

// phrase is the trend over n calls, without capital and full stop.
func (t trend) phrase(n int) string {
	where := ""
	switch {
	case t.blame == model.BlameNetwork:
		where = " on the wire"
	case t.hits[0].tap == meter.TapMic:
		where = " at the microphone"
	}
	s := fmt.Sprintf("%s%s in %s", name(t.kind), where, ofCalls(len(t.hits), n))
	value, limit := t.value()
	if a := amount(t.kind, value, limit); a != "" {
		s += ", " + a
	}
	return s
}

func ofCalls(k, n int) string {
	switch {
	case n == 1:
		return "the one call heard so far"
	case k == n:
		return fmt.Sprintf("all of the last %d calls", n)
	default:
		return fmt.Sprintf("%d of the last %d calls", k, n)
	}
}

// advice says what a fault that is not the headset's means.
func (t trend) advice() string {
	switch t.blame {
	case model.BlameNetwork:
		return "; the microphone was clean, so look at the network"
	case model.BlamePerson:
		return "; that is the voice or where the microphone sits, not the headset"
	case model.BlameRoom:
		return "; that is the room, not the headset"
	case model.BlameSetting:
		return "; that is a matter of settings, not of the headset"
	default:
		return ""
	}
}

// verdictText is the sentence of a verdict on at least one call. The trends are the
// gravest first.
func verdictText(state model.VerdictState, trends []trend, n int, rules model.HeadsetRules) string {
	if len(trends) == 0 {
		if n == 1 {
			return "No fault in the one call heard so far."
		}
		return fmt.Sprintf("No fault in the last %d calls.", n)
	}
	first := trends[0]
	if state == model.VerdictReplace {
		s := "Replace this headset: " + first.phrase(n)
		for _, t := range trends[1:] {
			if t.blame == model.BlameHeadset {
				s += "; also " + t.phrase(n)
			}
		}
		return s + "."
	}
	if first.blame != model.BlameHeadset {
		return "The headset shows no fault of its own: " + first.phrase(n) + first.advice() + "."
	}
	s := "Keep an eye on this headset: " + first.phrase(n)
	switch {
	case first.easing:
		s += "; the newest calls are better"
	case first.severity == meter.Bad:
		s += fmt.Sprintf("; it takes %d such calls to replace it", rules.ReplaceAfter)
	default:
		s += "; not bad enough to replace it"
	}
	return s + "."
}

func unknownText(reports int, rules model.HeadsetRules) string {
	if reports == 0 {
		return "Nothing has been heard of this headset yet."
	}
	return fmt.Sprintf("Not enough heard yet: no call with %s of speech so far.", seconds(rules.MinActiveSpeech))
}

func seconds(d time.Duration) string { return number(d.Seconds()) + " s" }

// sentence gives a phrase its capital and full stop.
func sentence(s string) string {
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:] + "."
}
