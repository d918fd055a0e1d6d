package noise

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// How the floor is read off the levels.
const (
	percentile = 0.10
	tightDB    = 2.5   // a steady noise stays within this of its 10th percentile
	half       = 0.5   // the share of the pauses whose range tells where the noise stands
	gaussHalf  = 1.349 // standard deviations between the quartiles of a normal distribution
	reach      = 3.0   // standard deviations above the middle that still belong to the noise
	widestDB   = 6.0   // standard deviation of a few voices at a distance; wider is no noise
	minPause   = 25    // blocks outside speech, 0.5 s, for a reading from them
	minShare   = 0.02  // of all blocks, for the same
	denseShare = 0.25
)

// estimate is what the levels of a scene say of the noise beneath.
type estimate struct {
	floor  dsp.Value
	gate   float64 // dBov: blocks up to here hold noise alone; -Inf when unknown
	spread float64 // standard deviation of the noise's levels, dB
}

func (s *scene) estimate() estimate {
	total := s.every.loud + s.every.silent
	switch {
	case total < minBlocks:
		return estimate{floor: dsp.None(), gate: math.Inf(-1)}
	case s.every.loud < minBlocks:
		return estimate{floor: dsp.SilenceDBov, gate: math.Inf(-1)}
	}
	if e, ok := s.fromPauses(); ok {
		return e
	}
	return s.fromAll()
}

// fromPauses reads the noise off the blocks outside speech.
func (s *scene) fromPauses() (estimate, bool) {
	n := s.pause.loud
	if n < minPause || float64(n) < minShare*float64(s.every.loud) {
		return estimate{}, false
	}
	low, high := s.pause.shorth(half)
	spread := float64(high-low+1) / binsPerDB / gaussHalf
	if spread > widestDB {
		return estimate{}, false
	}
	top := (low+high)/2 + int(max(tightDB, reach*spread)*binsPerDB)
	mean, _ := s.pause.power(0, top)
	return estimate{floor: dBov(mean), gate: levelOf(top), spread: spread}, true
}

// fromAll reads it off the quiet tenth of all blocks.
func (s *scene) fromAll() estimate {
	h := &s.every
	top := h.quantile(percentile) + int(tightDB*binsPerDB)
	mean, n := h.power(0, top)
	if float64(h.silent) >= percentile*float64(h.silent+h.loud) && float64(n) < denseShare*float64(h.loud) {
		return estimate{floor: dsp.SilenceDBov, gate: math.Inf(-1)}
	}
	return estimate{floor: dBov(mean), gate: levelOf(top), spread: tightDB / 2}
}
