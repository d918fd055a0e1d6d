package headset

import (
	"math"

	"github.com/headroom-voice/headroom/dsp/pump"
	"github.com/headroom-voice/headroom/dsp/vad"
)

const (
	aloneStretch = 500 // blocks: 10 s, as of pump.Meter
	aloneSpoken  = 150 // blocks of speech that one must have
)

// alone measures how the level swings of what is said while the other party is silent. A
// stretch in which there is only its echo has the echo's level, which is no swing of the
// microphone's.
type alone struct {
	pump   *pump.Meter
	quiet  int // blocks since the other party spoke
	blocks int // of the stretch under way
	spoken int // of them
	power  float64
}

func newAlone(rate int) (alone, error) {
	m, err := pump.New(rate)
	return alone{pump: m}, err
}

func (a *alone) reset() {
	a.pump.Reset()
	*a = alone{pump: a.pump}
}

// next takes a scored block of the near end.
func (a *alone) next(near vad.Frame, f farBlock) {
	if a.quiet++; f.speaks {
		a.quiet = 0
	}
	if a.quiet < echoBlocks && f.speechTo > 0 {
		return
	}
	a.blocks++
	if near.Speech && !near.Tonal {
		a.spoken++
		a.power += math.Pow(10, near.LevelDBov/10)
	}
	if a.blocks < aloneStretch {
		return
	}
	if a.spoken >= aloneSpoken {
		a.pump.Level(10 * math.Log10(a.power/float64(a.spoken)))
	}
	*a = alone{pump: a.pump, quiet: a.quiet}
}
