package headset

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/band"
)

// Of a narrow band, or where noise hides the highs, MuffledRolloff counts only where all
// above 2 kHz is weak too: the dullest clear voice has -20 dB over 0.3-1 kHz. [M]
const dullTilt = -24.0 // dB

// sourceWallDB is how far speech falls within 500 Hz at the wall of a low sample rate, before
// a codec rounds it: 21 dB and more, behind a low-pass of 36 dB an octave 14 to 18. [M]
const sourceWallDB = 19.5

// skirtDB is how far the noise falls above 4.5 kHz, at least, where it came through a capsule
// that loses its highs: a source's wall leaves none of its noise up there, and what was added
// behind it, or by the codec, is even to 4 dB; under a keyboard to 10. Behind a capsule it is
// 17.9 and more. [M]
const skirtDB = 13.0

// Opus rounds the wall at which a narrow-band source ends: on the wire such speech reaches up
// to 4.7 kHz and is whole below; behind a capsule with a 4 kHz low-pass it reaches 5 kHz. [M]
const roundedWallHz = 4800.0

// How far speech falls within 500 Hz at a source's wall above which something else sounds.
// Muffled speech of people falls by 15.8 dB at most at the microphone and by 14.7 behind Opus,
// 36 dB an octave; what is steeper is no capsule. [M]
const (
	filledFallDB  = 18.0 // under a gate's steps or another's voice: 18.6 and more
	roundedFallDB = 15.3 // behind Opus, which rounds it: 15.9 to 20
	noisyFallDB   = 10.0 // under a noise that no capsule has filtered: 10.1 and more
	brokenFallDB  = 7.0  // under what clipping and clicks add to the highs: 7.2 and more
)

// endsAtSource reports whether speech ends at a wall that is the source's or the codec's.
func (a *Analyzer) endsAtSource(b *band.Result) bool {
	switch {
	case !b.Cut.Valid():
		return false
	case b.Hidden || a.cfg.Tap == TapWire:
		return b.Cut >= roundedWallHz || !beyondWall(b)
	}
	return b.Steepest >= sourceWallDB
}

// beyondWall reports whether the room's noise or, where there is none up there that Opus could
// vary with the speech, speech is heard above any narrow-band source.
func beyondWall(b *band.Result) bool {
	if b.Skirt.Valid() {
		return b.Skirt >= skirtDB
	}
	return b.Edge >= roundedWallHz
}

// sourceNarrow reports whether the highs are missing as they are of a narrow-band source, even
// where something else sounds above its wall.
func (a *Analyzer) sourceNarrow(r *Report) bool {
	b, m := a.meters.band.Result(), r.Metrics
	steep := dsp.Value(filledFallDB)
	if a.cfg.Tap == TapWire {
		steep = roundedFallDB
		low := m.Bandwidth < roundedWallHz && m.Rolloff >= dsp.Value(a.cfg.Limits.MuffledRolloff.Watch)
		if low && !beyondWall(&b) {
			return true
		}
	}
	if b.Steepest >= steep {
		return true
	}
	if b.Skirt.Valid() && b.Skirt < skirtDB && b.Steepest >= noisyFallDB {
		return true
	}
	_, clips := a.clipping(r)
	_, crackles := a.crackling(r)
	return (clips || crackles) && b.Steepest >= brokenFallDB && b.Tilt > dullTilt
}

// maskedDB is how much more there may be of highs that noise hides than HighLow says: if the
// noise is less while someone speaks (a gain control raises it in pauses), a part of what was
// taken for noise is speech.
const maskedDB = 7.0

const muffledAdvice = ": uncover the microphone, turn it towards the mouth; replace the headset if it stays."

// muffled judges how the highs of speech compare with what is usual for the headset or,
// where that is unknown, with what every clear voice has. A narrow band that ends at a wall
// is the source's or the codec's.
func (a *Analyzer) muffled(r *Report) (Finding, bool) {
	l, m := a.cfg.Limits, r.Metrics
	if r.ActiveSpeech < l.MinActive {
		return Finding{}, false
	}
	if f, ok, sure := a.drifted(m); sure {
		return f, ok
	}
	if m.HighLow.Valid() && !m.NarrowBand && !a.sourceNarrow(r) {
		s, limit, ok := l.MuffledHighs.under(m.HighMid)
		if ok || !m.HighsMasked {
			return Finding{
				Kind: Muffled, Severity: s, Value: m.HighMid, Limit: dsp.Value(limit),
				Text: fmt.Sprintf("Speech sounds muffled: above 4.5 kHz it is %.0f dB weaker than at 2 to 3.4 kHz%s", -m.HighMid, muffledAdvice),
			}, ok
		}
	}
	s, limit, ok := l.MuffledRolloff.under(m.Rolloff)
	if !ok || !(a.meters.band.Result().Tilt < dullTilt) {
		return Finding{}, false
	}
	return Finding{
		Kind: Muffled, Severity: s, Value: m.Rolloff, Limit: dsp.Value(limit),
		Text: fmt.Sprintf("Speech sounds muffled: above 2.5 kHz it is %.0f dB weaker than at 1 to 2 kHz%s", -m.Rolloff, muffledAdvice),
	}, true
}

// drifted compares the highs with the headset's own past. It is sure where they can be told,
// and where noise hides them if they have fallen by more than it could hide.
func (a *Analyzer) drifted(m Metrics) (f Finding, found, sure bool) {
	// At the microphone there is no codec: where the headset once reached higher, a wall is
	// its own. On the wire a codec that is narrower for a while has its wall at 4 or at 6
	// kHz; the latter takes 2 dB.
	codec := m.NarrowBand && a.cfg.Tap == TapWire && m.Bandwidth < roundedWallHz
	base := a.cfg.HighLowBaseline
	if base == 0 || codec || !m.HighLow.Valid() {
		return Finding{}, false, false
	}
	drift := dsp.Value(base) - m.HighLow
	if m.HighsMasked {
		drift -= maskedDB
	}
	s, limit, ok := a.cfg.Limits.Muffled.over(drift)
	return Finding{
		Kind: Muffled, Severity: s, Value: drift, Limit: dsp.Value(limit),
		Text: fmt.Sprintf("The highs of speech are %.0f dB weaker than is usual for this headset%s", drift, muffledAdvice),
	}, ok, ok || !m.HighsMasked
}
