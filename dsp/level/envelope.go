package level

import "math"

// timing is what the sample rate makes of P.56's times.
type timing struct {
	size int     // samples of a group
	g    float64 // of the averages, per group
	hold uint64  // hangover in groups
}

func newTiming(rate int) timing {
	size := max(1, rate/groupRate)
	return timing{
		size: size,
		g:    math.Exp(-float64(size) / (envelopeTime * float64(rate))),
		hold: uint64(hangover*float64(rate)/float64(size) + 0.5),
	}
}

// signal is one signal's envelope and counts. An envelope stays within one step for tens
// of samples, so stretches are counted, and only the group that ends one is looked at.
type signal struct {
	part   group   // under way
	p, q   float64 // first and second average of |x|
	key    uint64  // of q: see keyOf
	step   int     // of q
	active int     // highest step reached within the hangover
	due    uint64  // the group at which active may fall, though q stays in its step
	last   [steps]uint64
	sums
	counts Counts // of samples and steps
}

const never = math.MaxUint64

func newSignal() signal { return signal{due: never} }

// quietest is the least an average falls to where it is looked at, which is often while it
// falls: so those of digital silence stay out of the slow subnormal range.
const quietest = 1e-30

// follow takes groups until one takes the envelope out of its step, and says how many it
// took and whether the last is that one.
func (s *signal) follow(magnitudes []float32, t *timing) (taken int, left bool) {
	g, h, k, key := t.g, 1-t.g, (1-t.g)/float64(t.size), s.key
	p, q := s.p, s.q
	for i, m := range magnitudes {
		p = g*p + k*float64(m)
		q = g*q + h*p
		taken = i + 1
		if keyOf(q) != key {
			left = true
			break
		}
	}
	s.p, s.q = max(p, quietest), max(q, quietest)
	return taken, left
}

// until gives how many of n groups may be taken before active may fall.
func (s *signal) until(now uint64, n int) int { return int(min(uint64(n), s.due-now)) }

// stay counts n groups that follow took, the last of them number now, and looks at that
// one if it left the step or is due.
func (s *signal) stay(now uint64, n int, left bool, t *timing) {
	size := uint64(t.size)
	if !left && now != s.due {
		s.last[s.step] = now
		s.counts.at[s.active] += uint64(n) * size
		return
	}
	s.last[s.step] = now - 1
	s.counts.at[s.active] += uint64(n-1) * size
	s.key = keyOf(s.q)
	s.step = stepOf(s.key)
	s.last[s.step] = now
	s.active = max(s.active, s.step)
	for s.active > s.step && now-s.last[s.active] > t.hold {
		s.active--
	}
	s.counts.at[s.active] += size
	s.due = never
	if s.active > s.step {
		s.due = s.last[s.active] + t.hold + 1
	}
}

// keyOf gives the octave and the quarter of it that an envelope lies in: the exponent and
// the top two bits of the fraction of a float64.
func keyOf(q float64) uint64 { return math.Float64bits(q) >> 50 }

const lowestKey = (1023 - thresholds) * perOctave // of the lowest threshold

// stepOf gives how many thresholds an envelope has reached.
func stepOf(key uint64) int { return max(0, min(steps-1, int(key)-lowestKey+1)) }

// threshold gives the envelope at which step is reached.
func threshold(step int) float64 { return math.Float64frombits(uint64(step-1+lowestKey) << 50) }
