package rtp

import (
	"fmt"

	"github.com/headroom-voice/headroom/media"
)

// payloadTypes is how payload types are read that are not those agreed on: by the one that
// each stands for, itself for most.
type payloadTypes [128]uint8

// alias fills the table: with what Params.Aliases says, unless the number is in use.
func (a *agreed) alias(aliases map[uint8]uint8) error {
	for pt := range a.aliases {
		a.aliases[pt] = uint8(pt)
	}
	for from, to := range aliases {
		if from > 127 || to > 127 {
			return fmt.Errorf("rtp: configure: payload type %d for %d: there are none above 127", from, to)
		}
		if a.vacant(int(from)) {
			a.aliases[from] = to
		}
	}
	return nil
}

// inherit keeps the numbers of what was agreed on before for what is agreed on still: packets
// are under way that have them (RFC 3264 section 8.3.2).
func (a *agreed) inherit(was *agreed) {
	for pt, c := range was.codecs {
		if c != media.NoCodec && a.types[c] >= 0 && a.vacant(pt) {
			a.aliases[pt] = uint8(a.types[c])
		}
	}
	if was.dtmf >= 0 && a.dtmf >= 0 && a.vacant(was.dtmf) {
		a.aliases[was.dtmf] = uint8(a.dtmf)
	}
}

// vacant says that a payload type means nothing of itself.
func (a *agreed) vacant(pt int) bool {
	return a.codecs[pt] == media.NoCodec && pt != a.dtmf && a.aliases[pt] == uint8(pt)
}
