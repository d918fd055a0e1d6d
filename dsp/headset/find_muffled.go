package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

// Of a narrow band, or where noise hides the highs, MuffledRolloff counts only where all
// above 2 kHz is weak too: the dullest clear voice has -20 dB over 0.3-1 kHz. [M]
const dullTilt = -24.0 // dB

// Opus rounds the wall at which a narrow-band source ends: on the wire such speech reaches up
// to 4.6 kHz and is whole below; behind a capsule with a 4 kHz low-pass it reaches 5 kHz. [M]
const roundedWallHz = 4800.0

// codecNarrow reports whether speech on the wire is as of a narrow-band source.
func (a *Analyzer) codecNarrow(m Metrics) bool {
	return a.cfg.Tap == TapWire && m.Bandwidth < roundedWallHz && m.Rolloff >= dsp.Value(a.cfg.Limits.MuffledRolloff.Watch)
}

// muffled judges how the highs of speech compare with what is usual for the headset or,
// where that is unknown, with what every clear voice has. A narrow band that ends at a wall
// is the source's or the codec's.
func (a *Analyzer) muffled(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActive {
		return Finding{}, false
	}
	const advice = ": uncover the microphone, turn it towards the mouth; replace the headset if it stays."
	comparable := m.HighLow.Valid() && !m.NarrowBand
	// At the microphone there is no codec: where the headset once reached higher, a wall is
	// its own.
	walled := m.NarrowBand && a.cfg.Tap == TapMic && m.HighLow.Valid()
	if base := a.cfg.HighLowBaseline; base != 0 && (comparable || walled) && !m.HighsMasked {
		drift := dsp.Value(base) - m.HighLow
		s, limit, ok := l.Muffled.over(drift)
		return Finding{
			Kind: Muffled, Severity: s, Value: drift, Limit: dsp.Value(limit),
			Text: fmt.Sprintf("The highs of speech are %.0f dB weaker than is usual for this headset%s", drift, advice),
		}, ok
	}
	if comparable && !a.codecNarrow(m) {
		s, limit, ok := l.MuffledHighs.under(m.HighMid)
		if ok || !m.HighsMasked {
			return Finding{
				Kind: Muffled, Severity: s, Value: m.HighMid, Limit: dsp.Value(limit),
				Text: fmt.Sprintf("Speech sounds muffled: above 4.5 kHz it is %.0f dB weaker than at 2 to 3.4 kHz%s", -m.HighMid, advice),
			}, ok
		}
	}
	s, limit, ok := l.MuffledRolloff.under(m.Rolloff)
	if !ok || !(a.meters.band.Result().Tilt < dullTilt) {
		return Finding{}, false
	}
	return Finding{
		Kind: Muffled, Severity: s, Value: m.Rolloff, Limit: dsp.Value(limit),
		Text: fmt.Sprintf("Speech sounds muffled: above 2.5 kHz it is %.0f dB weaker than at 1 to 2 kHz%s", -m.Rolloff, advice),
	}, true
}
