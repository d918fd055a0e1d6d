package level

import "math"

// timing is what the sample rate makes of P.56's times.
type timing struct {
	g    float64 // of the averages, per sample
	hold uint64  // hangover in samples
}

func newTiming(rate int) timing {
	return timing{
		g:    math.Exp(-1 / (envelopeTime * float64(rate))),
		hold: uint64(hangover*float64(rate) + 0.5),
	}
}

// signal is one signal's envelope and counts. An envelope stays within one step for tens
// of samples, so stretches are counted, and only the sample that ends one is looked at.
type signal struct {
	p, q   float64 // first and second average of |x|
	key    uint64  // of q: see keyOf
	step   int     // of q
	active int     // highest step reached within the hangover
	due    uint64  // the sample at which active may fall, though q stays in its step
	last   [steps]uint64
	peak   uint32 // largest |sample|, as the bits of a float32
	counts Counts
}

const never = math.MaxUint64

func newSignal() signal { return signal{due: never} }

// The samples' bits without their sign sort as the samples do.
const (
	magnitude  = 1<<31 - 1
	brokenFrom = 0x41000000 // dsp.MaxSample: that and all above it, not-a-number too, is broken
)

// quietest is the least an average falls to where it is looked at, which is often while it
// falls: so those of digital silence stay out of the slow subnormal range.
const quietest = 1e-30

// follow takes samples until one takes the envelope out of its step, and says how many it
// took and whether the last is that one.
func (s *signal) follow(frame []float32, t *timing) (taken int, left bool) {
	g, h, key := t.g, 1-t.g, s.key
	p, q, peak := s.p, s.q, s.peak
	sum, squares := s.counts.Sum, s.counts.SquareSum
	for i, x := range frame {
		bits := math.Float32bits(x) & magnitude
		if bits >= brokenFrom {
			x, bits = 0, 0
		}
		peak = max(peak, bits)
		sum += float64(x)
		squares += float64(x) * float64(x)
		p = g*p + h*float64(math.Float32frombits(bits))
		q = g*q + h*p
		taken = i + 1
		if keyOf(q) != key {
			left = true
			break
		}
	}
	s.p, s.q, s.peak = max(p, quietest), max(q, quietest), peak
	s.counts.Sum, s.counts.SquareSum = sum, squares
	s.counts.Peak = float64(math.Float32frombits(peak))
	return taken, left
}

// until gives how many of n samples may be taken before active may fall.
func (s *signal) until(now uint64, n int) int { return int(min(uint64(n), s.due-now)) }

// stay counts n samples that follow took, the last of them number now, and looks at that
// one if it left the step or is due.
func (s *signal) stay(now uint64, n int, left bool, t *timing) {
	if !left && now != s.due {
		s.last[s.step] = now
		s.counts.at[s.active] += uint64(n)
		return
	}
	s.last[s.step] = now - 1
	s.counts.at[s.active] += uint64(n - 1)
	s.key = keyOf(s.q)
	s.step = stepOf(s.key)
	s.last[s.step] = now
	s.active = max(s.active, s.step)
	for s.active > s.step && now-s.last[s.active] > t.hold {
		s.active--
	}
	s.counts.at[s.active]++
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
