package headset

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// stuck finds stretches in which the samples do not move: digital silence, or one frozen
// value. A live microphone has noise.
type stuck struct {
	low, high float32 // of the stretch under way
	length    uint64  // of it, in samples
	longest   uint64
	silent    bool // the longest was digital silence, not a frozen value
}

// stuckRange is how far samples may move and still be stuck: one 16-bit step, twice, for
// what a codec makes of silence.
const stuckRange = 2.0 / 32768

func (s *stuck) gap() { s.length = 0 }

func (s *stuck) process(piece []float32) {
	low, high, length := s.low, s.high, s.length
	for _, v := range piece {
		x := dsp.Sample(v)
		if length > 0 && max(high, x)-min(low, x) <= stuckRange {
			low, high = min(low, x), max(high, x)
			length++
			continue
		}
		if length > s.longest {
			s.keep(low, high, length)
		}
		low, high, length = x, x, 1
	}
	s.low, s.high, s.length = low, high, length
	if length > s.longest {
		s.keep(low, high, length)
	}
}

func (s *stuck) keep(low, high float32, length uint64) {
	s.longest = length
	s.silent = max(math.Abs(float64(low)), math.Abs(float64(high))) <= stuckRange
}
