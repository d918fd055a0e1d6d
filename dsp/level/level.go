package level

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// The constants of P.56 method B.
const (
	envelopeTime = 0.03 // seconds, of each of the two exponential averages
	hangover     = 0.2  // seconds
	marginDB     = 15.9 // between the active level and the threshold
	thresholds   = 15   // 2^-15 to 2^-1, one per bit of a 16-bit sample
)

// The envelope is sorted into finer steps than the standard's, four an octave, so that
// SpeechLevel can set its threshold just above a noise. Every fourth is one of the
// standard's.
const (
	perOctave = 4
	steps     = thresholds*perOctave + 1 // step 0 is below the lowest threshold
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate   int
	timing timing
	now    uint64 // groups seen, plus one hangover, so that nothing is active at first
	signal signal
}

// Counts is what a Meter has summed up. The difference of two Counts of one Meter is
// the stretch between them.
type Counts struct {
	Samples   uint64
	Sum       float64       // of the samples
	SquareSum float64       // of their squares
	Peak      float64       // largest |sample|; kept, not subtracted, by Minus
	at        [steps]uint64 // samples whose highest step within the hangover was this one
}

// Result is what the counts say.
type Result struct {
	Active   dsp.Value // active speech level, dBov; None when nothing is active
	Activity dsp.Value // share of the time that is active, 0..1
	RMS      dsp.Value // over everything, dBov
	Peak     dsp.Value // dBov
	DC       dsp.Value // mean, signed, in shares of full scale
}

// New makes a Meter for a sample rate in Hz.
func New(rate int) (*Meter, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	m := &Meter{rate: rate, timing: newTiming(rate)}
	m.Reset()
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	*m = Meter{rate: m.rate, timing: m.timing, now: m.timing.hold, signal: newSignal()}
}

// Process takes the next samples, full scale ±1. Broken ones count as 0 (dsp.Sample).
func (m *Meter) Process(frame []float32) {
	var magnitudes [maxGroups]float32
	s, t := &m.signal, &m.timing
	s.counts.Samples += uint64(len(frame))
	for len(frame) > 0 {
		piece := frame[:min(len(frame), t.most())]
		frame = frame[len(piece):]
		for x := s.fold(&magnitudes, piece, t.size); len(x) > 0; {
			n, left := s.follow(x[:s.until(m.now, len(x))], t)
			m.now += uint64(n)
			s.stay(m.now, n, left, t)
			x = x[n:]
		}
	}
}

// Counts gives what has been summed up since the start.
func (m *Meter) Counts() Counts { return m.signal.total() }

// Result gives the levels since the start.
func (m *Meter) Result() Result {
	c := m.signal.total()
	return c.Result()
}

// Minus gives the counts of the stretch from the earlier counts to these.
func (c Counts) Minus(earlier *Counts) Counts {
	c.Samples -= earlier.Samples
	c.Sum -= earlier.Sum
	c.SquareSum -= earlier.SquareSum
	for i := range c.at {
		c.at[i] -= earlier.at[i]
	}
	return c
}

// Result gives the levels of the counts.
func (c *Counts) Result() Result {
	r := Result{Active: dsp.None(), Activity: dsp.None(), RMS: dsp.None(), Peak: dsp.None(), DC: dsp.None()}
	if c.Samples == 0 {
		return r
	}
	n := float64(c.Samples)
	power := c.SquareSum / n
	r.RMS = dsp.Value(dsp.PowerDBov(power))
	r.Peak = dsp.Value(dsp.AmplitudeDBov(c.Peak))
	r.DC = dsp.Value(c.Sum / n)
	r.Activity = 0
	if active, ok := c.activePower(c.SquareSum, 1, perOctave); ok {
		r.Active = dsp.Value(dsp.PowerDBov(active))
		r.Activity = dsp.Value(power / active)
	}
	return r
}

// SpeechLevel gives the active level in dBov of the speech alone, when a noise of a known
// power (mean square) lies under it all. Method B counts a noise as speech where it is
// less than about 16 dB below: here the noise's energy is taken off, and the threshold
// never goes down to it. None when no speech is left.
func (c *Counts) SpeechLevel(noisePower float64) dsp.Value {
	energy := c.SquareSum - noisePower*float64(c.Samples)
	if !(energy > 0.05*c.SquareSum) {
		return dsp.None()
	}
	// The envelope of a noise stands 2 dB below its RMS and wavers; 3 dB above its RMS
	// it is never reached.
	floor := math.Sqrt(2 * noisePower)
	first := 1
	for first < steps && threshold(first) < floor {
		first++
	}
	power, ok := c.activePower(energy, first, 1)
	if !ok {
		return dsp.None()
	}
	return dsp.Value(dsp.PowerDBov(power))
}

// activePower finds the power of the active time: that for which the threshold that
// defines it lies the margin below it, interpolated in dB between thresholds as P.56
// says. The thresholds are step first and every stride after it.
func (c *Counts) activePower(energy float64, first, stride int) (float64, bool) {
	var above [steps]uint64
	var total uint64
	for i := steps - 1; i > 0; i-- {
		total += c.at[i]
		above[i] = total
	}
	var lastLevel, lastDelta float64
	for step := first; step < steps; step += stride {
		if above[step] == 0 {
			return 0, false
		}
		level := 10 * math.Log10(energy/float64(above[step]))
		delta := level - 20*math.Log10(threshold(step))
		if delta <= marginDB {
			if step == first { // P.56 wants louder; SpeechLevel takes what the noise leaves
				return math.Pow(10, level/10), first > 1 || delta == marginDB
			}
			return math.Pow(10, interpolate(lastLevel, level, lastDelta, delta)/10), true
		}
		lastLevel, lastDelta = level, delta
	}
	return 0, false
}

// interpolate gives the level between two thresholds at which delta, the distance from
// level to threshold, is the margin. P.56 asks for a linear interpolation in dB; the
// ITU-T tool (G.191, sv-p56.c, bin_interp) steps half-way towards one end or the other
// until it is within half a decibel of the margin, which ends within 0.05 dB of the
// line. This goes the tool's very steps, so that the figures agree.
func interpolate(lowLevel, highLevel, lowDelta, highDelta float64) float64 {
	tolerance := 0.5
	if math.Abs(highDelta-marginDB) < tolerance {
		return highLevel
	}
	if math.Abs(lowDelta-marginDB) < tolerance {
		return lowLevel
	}
	level, delta := (lowLevel+highLevel)/2, (lowDelta+highDelta)/2
	for steps := 1; math.Abs(delta-marginDB) > tolerance; steps++ {
		if delta > marginDB {
			level, delta = (level+highLevel)/2, (delta+highDelta)/2
		} else {
			level, delta = (level+lowLevel)/2, (delta+lowDelta)/2
		}
		if steps > 20 {
			tolerance *= 1.1
		}
	}
	return level
}
