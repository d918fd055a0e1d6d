package headset

import (
	"slices"

	"github.com/headroom-voice/headroom/dsp"
)

// Codec names what carried the samples to the wire tap: it decides what is given back to
// the levels that it took.
type Codec string

// The codecs. Without one the sample rate tells: 8 kHz is taken for G.711, more for Opus.
const (
	CodecUnknown Codec = ""
	CodecOpus    Codec = "opus"
	CodecG711    Codec = "g711" // A-law or mu-law
	CodecG722    Codec = "g722"
)

// Codecs lists the names that a Config may have besides the empty one.
func Codecs() []Codec { return []Codec{CodecOpus, CodecG711, CodecG722} }

const g711Rate = 8000 // Hz

// What Opus at 24 kbit/s takes off, dB. G.711 and G.722 take nothing off speech and add up to
// 0.3 dB to a noise 31 dB below it. [M]
const (
	opusSpeechLossDB = 0.7 // of speech, whoever speaks: 0.73 with a spread of 0.08
	opusNoiseLossDB  = 2.0 // of a noise under speech: white 3.4, pink 2.5, a fan 1.9, babble 1.4
	opusHumLossDB    = 4.0 // of a comb whose fundamental is its strongest line: 3.3 to 6.4
	opusBuzzLossDB   = 1.8 // of the lines of a radio: 0.8 to 3.3
	codecHidesDB     = 1.5 // of an echo it makes as much noise of its own, which tells less of the far end
)

// SetCodec says what carries the samples from the next on. It matters on the wire only.
func (a *Analyzer) SetCodec(c Codec) {
	a.cfg.Codec = c
	wire, low := a.cfg.Tap == TapWire, a.cfg.SampleRate <= g711Rate
	a.opus = wire && (c == CodecOpus || c == CodecUnknown && !low)
	a.meters.glitch.Coarse(wire && (c == CodecG711 || c == CodecUnknown && low))
}

func (c Codec) known() bool { return c == CodecUnknown || slices.Contains(Codecs(), c) }

// opusShare is how much of what was scored came through Opus, 0 to 1.
func (a *Analyzer) opusShare() float64 {
	if a.scored == 0 {
		return 0
	}
	return float64(a.opusScored) / float64(a.scored)
}

// beforeCodec is the one place that gives back what Opus took. What it is given was measured
// behind the codec, all of it; what is judged comes after.
func (m *Metrics) beforeCodec(share float64) {
	speech := dsp.Value(share * opusSpeechLossDB)
	m.ActiveLevel += speech
	m.ActiveLevelHP += speech
	m.SNR += speech - noiseLoss(m.NoiseFloor, share)
	m.NoiseFloor += noiseLoss(m.NoiseFloor, share)
	m.NoiseFloorA += noiseLoss(m.NoiseFloorA, share)
	m.HumLevel += dsp.Value(share * opusHumLossDB)
	m.BuzzLevel += dsp.Value(share * opusBuzzLossDB)
	echo := dsp.Value(share * codecHidesDB)
	m.EchoLoss -= echo
	m.EchoLossLeast -= echo
	m.SpeechToEcho -= echo
}

// beforeCodec does the same for a second, of whose last ten so much came through Opus.
func (r *Reading) beforeCodec(share float64) {
	r.ActiveLevel += dsp.Value(share * opusSpeechLossDB)
	r.NoiseFloor += noiseLoss(r.NoiseFloor, share)
}

// noiseLoss is what Opus took off a noise floor; digital silence loses nothing.
func noiseLoss(floor dsp.Value, share float64) dsp.Value {
	if !(floor > dsp.SilenceDBov) {
		return 0
	}
	return dsp.Value(share * opusNoiseLossDB)
}
