package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/noise"
)

// Where a noise wavers its mean level does too; only beyond the limit by this is it bad
// for sure. [M]
const waverDB = 1.0

// classSure is the confidence from which a finding names the kind of noise.
const classSure = 0.6

// noisy judges the floor. A distance from speech that is bad makes a floor above its watch
// limit bad; alone it only says that someone speaks softly. Voices and music are noise as
// well: the class says that the room makes them.
func (a *Analyzer) noisy(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActive {
		return Finding{}, false
	}
	grade := l.Noise
	if m.NoiseClass == noise.Babble || m.NoiseClass == noise.Music {
		grade.Bad += waverDB
	}
	s, _, ok := grade.over(m.NoiseFloor)
	if !ok {
		return Finding{}, false
	}
	f := Finding{Kind: Noise, Severity: s, Value: m.NoiseFloor, Limit: dsp.Value(l.Noise.of(s))}
	f.Text = fmt.Sprintf("Noise lies at %.1f dBov under the speech", m.NoiseFloor)
	if m.SNR.Valid() {
		f.Text += fmt.Sprintf(", %.0f dB below it", m.SNR)
		if below, snrLimit, low := l.SNR.under(m.SNR); low && below == Bad && s == Watch {
			f.Severity, f.Value, f.Limit = Bad, m.SNR, dsp.Value(snrLimit)
		}
	}
	f.Text += noiseAdvice(m.NoiseClass, m.NoiseConfidence)
	return f, true
}

// noiseAdvice says what the noise is and what to do about it.
func noiseAdvice(class noise.Class, confidence float64) string {
	if confidence < classSure {
		class = ""
	}
	switch class {
	case noise.Hiss:
		return ", a hiss: lower the microphone gain, check the plug, then replace the headset."
	case noise.Hum:
		return ", a hum: try another port or adapter, away from power supplies; replace the headset if it stays."
	case noise.Buzz:
		return ", a buzz: keep phones and chargers away, try another port; replace the headset if it stays."
	case noise.Babble:
		return ", voices near by: a loud room, not the headset. Move the boom closer to the mouth."
	case noise.Room:
		return ", low and steady like a fan or air conditioning: the room, not the headset, unless others there do not have it."
	case noise.Music:
		return ", music: a loud room, not the headset."
	}
	return ": listen whether the room is loud; if it is not, check the plug, lower the gain, then replace the headset."
}
