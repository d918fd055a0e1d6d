package noise

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

const (
	binsPerDB  = 4
	lowestDBov = -110.0
	bins       = 120 * binsPerDB // up to +10 dBov
	silentDBov = -100.0          // below this a block is digital silence, not noise
)

// What stands in a ring for a block that has no bin.
const (
	silentBin int16 = -1
	noBin     int16 = -2
)

// histogram counts blocks by level.
type histogram struct {
	counts [bins]int32
	loud   int // blocks in counts
	silent int // blocks of digital silence
}

func binOf(levelDBov float64) int16 {
	if !(levelDBov >= silentDBov) {
		return silentBin
	}
	return int16(min(bins-1, int((levelDBov-lowestDBov)*binsPerDB)))
}

func levelOf(bin int) float64 { return (float64(bin)+0.5)/binsPerDB + lowestDBov }

func (h *histogram) add(bin int16, n int) {
	switch bin {
	case noBin:
	case silentBin:
		h.silent += n
	default:
		h.counts[bin] += int32(n)
		h.loud += n
	}
}

// quantile gives the bin below or in which a share of the blocks lies.
func (h *histogram) quantile(share float64) int {
	want, below := share*float64(h.loud), 0
	for bin, n := range h.counts {
		below += int(n)
		if n > 0 && float64(below) >= want {
			return bin
		}
	}
	return bins - 1
}

// shorth gives the narrowest range of bins [low, high] that holds a share of the blocks:
// where most of them are, whatever the rest does.
func (h *histogram) shorth(share float64) (low, high int) {
	want := max(1, int(math.Ceil(share*float64(h.loud))))
	low, high = 0, bins-1
	inside, first := 0, 0
	for last := range bins {
		inside += int(h.counts[last])
		for inside-int(h.counts[first]) >= want {
			inside -= int(h.counts[first])
			first++
		}
		if inside >= want && last-first < high-low {
			low, high = first, last
		}
	}
	return low, high
}

// power gives the mean power of the blocks in the bins [low, high] and how many they are.
func (h *histogram) power(low, high int) (mean float64, n int) {
	low, high = max(0, low), min(bins-1, high)
	p := math.Pow(10, levelOf(low)/10)
	step := math.Pow(10, 0.1/binsPerDB)
	sum := 0.0
	for bin := low; bin <= high; bin++ {
		n += int(h.counts[bin])
		sum += float64(h.counts[bin]) * p
		p *= step
	}
	if n == 0 {
		return 0, 0
	}
	return sum / float64(n), n
}

// dBov is dsp.PowerDBov as a Value.
func dBov(power float64) dsp.Value { return dsp.Value(dsp.PowerDBov(power)) }
