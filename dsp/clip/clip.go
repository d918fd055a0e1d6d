package clip

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

const (
	lsb         = 1.0 / 32768
	equal       = 0.75 * lsb // two samples this close stand at the same height
	sameCeiling = equal      // two seconds' tops this close are one ceiling
	lowest      = 0.02       // -34 dBov: nothing clips below this
	minRun      = 3          // samples of a flat run
	// A flat run of k samples on a smooth curve, equal within e, leaves the run by no
	// more than about 4e/k+8e/k² in one sample: 2 LSB at most for three equal 16-bit
	// samples. A clipped wave comes in on a slope.
	cornerSmall = 3 * lsb // on both sides
	cornerLarge = 6 * lsb // on one of them
	// G.711 steps by a sixteenth to a thirty-second of the amplitude, 8-bit audio by
	// more than a 256th. Where no sample moves by less, corners must be beyond the step.
	fineStep     = 1.0 / 256
	fineFrom     = 0.05 // amplitude above which steps are looked at
	stepEvery    = 8    // samples: one step of so many is looked at
	minSteps     = 100  // of them before audio is called coarse
	coarseCorner = 0.15 // of the amplitude
	minFlatRuns  = 3    // at one height make a ceiling
	maxCeilings  = 8    // per polarity; gains change in a call
	maxPending   = 64   // seconds looked back when a ceiling becomes known
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate    int
	fill    int // samples of the second under way
	samples uint64
	last    float64 // the sample before the next; NaN when there is none
	prev    float64 // the sample before run began
	run     run     // of equal samples at the top of their second, being heard; or length 0
	fine    uint64  // steps below fineStep, at high amplitudes
	steps   uint64  // all of those
	sides   [2]side // positive and negative
}

// run is a stretch of equal samples.
type run struct {
	value  float64
	length int
}

// tally counts what stood at one height.
type tally struct {
	height    float64
	samples   uint64
	stretches uint64 // of any length
	flat      uint64 // flat runs
	hard      uint64 // flat runs with corners that no coarse quantisation makes
	longest   int    // samples
}

// side is one polarity.
type side struct {
	second   tally // what stands at the top of the second under way
	ceilings [maxCeilings]tally
	known    int
	pending  [maxPending]tally // tops of seconds without a flat run, in a ring
	next     int
}

// Result is what clipped.
type Result struct {
	Samples uint64    // heard
	Clipped uint64    // of them at a ceiling
	Events  int       // stretches of clipped samples
	Longest int       // samples of the longest stretch
	Ceiling dsp.Value // level of the ceiling with most samples, dBov; None when nothing clipped
}

// Share is the share of samples that clipped, 0..1; None before the first.
func (r Result) Share() dsp.Value {
	if r.Samples == 0 {
		return dsp.None()
	}
	return dsp.Value(float64(r.Clipped) / float64(r.Samples))
}

// New makes a Meter for a sample rate in Hz.
func New(rate int) (*Meter, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("clip: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	m := &Meter{rate: rate}
	m.Reset()
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() { *m = Meter{rate: m.rate, last: math.NaN()} }

// Gap says that samples are missing between the last and the next: a run ends there
// unjudged.
func (m *Meter) Gap() {
	m.count(m.run)
	m.run = run{}
	m.last = math.NaN() // a run that follows it has no corner
}

// Process takes the next samples, full scale ±1, as they came: not filtered, not
// resampled. Broken ones count as 0 (dsp.Sample).
func (m *Meter) Process(frame []float32) { m.ProcessUpTo(frame, math.Inf(1)) }

// ProcessUpTo is Process of samples of which none has a magnitude above top, as Peaks.Peak
// says of a block: where that is not enough to clip, they need no second look.
func (m *Meter) ProcessUpTo(frame []float32, top float64) {
	for len(frame) > 0 {
		n := min(len(frame), m.rate-m.fill)
		m.take(frame[:n], top)
		m.fill += n
		m.samples += uint64(n)
		frame = frame[n:]
		if m.fill == m.rate {
			m.endSecond()
		}
	}
}

// take looks only at what reaches the top of its second so far, and at what follows that.
func (m *Meter) take(frame []float32, top float64) {
	if top > fineFrom {
		m.lookAtSteps(frame)
	}
	first := len(frame)
	if up, down := m.reaches(); m.run.length > 0 || top >= min(up, down) {
		first = m.pass(frame, 0)
	}
	for i := first; i < len(frame); i++ {
		x := float64(dsp.Sample(frame[i]))
		if r := &m.run; r.length > 0 {
			if d := x - r.value; d <= equal && d >= -equal {
				r.length++
				continue
			}
			m.judge(*r, x)
			r.length = 0
			if i = m.pass(frame, i); i == len(frame) {
				break
			}
			x = float64(dsp.Sample(frame[i]))
		}
		m.prev = m.last
		if i > 0 {
			m.prev = float64(dsp.Sample(frame[i-1]))
		}
		m.run = run{value: x, length: 1}
	}
	m.last = float64(dsp.Sample(frame[len(frame)-1]))
}

// pass gives the first sample, from number i on, that may stand at the top of its second;
// len(frame) when none does. While a run is being heard it is the very next.
func (m *Meter) pass(frame []float32, i int) int {
	if m.run.length > 0 {
		return i
	}
	up, down := m.reaches()
	high, low := float32(up), -float32(down)
	// A sample's bits without its sign sort as its amplitude does, not-a-number on top.
	nearest := math.Float32bits(min(high, -low))
	for ; i < len(frame); i++ {
		if s := frame[i]; math.Float32bits(s)&^(1<<31) >= nearest && !(s < high && s > low) {
			return i
		}
	}
	return i
}

// reaches gives the magnitudes from which a sample may stand at the top of its second, on
// either side.
func (m *Meter) reaches() (up, down float64) {
	const slack = 1.01 * equal // what is rounded here is left to count
	return max(lowest, m.sides[0].second.height-slack), max(lowest, m.sides[1].second.height-slack)
}

// lookAtSteps finds out how finely the signal is quantised.
func (m *Meter) lookAtSteps(frame []float32) {
	for i := (stepEvery - m.fill%stepEvery) % stepEvery; i < len(frame); i += stepEvery {
		before, x := m.last, float64(dsp.Sample(frame[i]))
		if i > 0 {
			before = float64(dsp.Sample(frame[i-1]))
		}
		if !(math.Abs(x) > fineFrom && math.Abs(before) > fineFrom) {
			continue
		}
		if d := math.Abs(x - before); d > equal {
			m.steps++
			if d < fineStep*math.Abs(x) {
				m.fine++
			}
		}
	}
}

// judge counts a run that has just ended with the sample after it, and says whether it
// is flat.
func (m *Meter) judge(r run, after float64) {
	height := math.Abs(r.value)
	t := m.count(r)
	if t == nil || r.length < minRun {
		return
	}
	sign := math.Copysign(1, r.value)
	in, out := height-sign*m.prev, height-sign*after // how far the wave falls on either side
	small, large := min(in, out), max(in, out)
	if small >= cornerSmall && large >= cornerLarge {
		t.flat++
		if small >= coarseCorner*height {
			t.hard++
		}
	}
}

// count adds a run to the top of its second, if it stands there, and gives that top.
func (m *Meter) count(r run) *tally {
	height := math.Abs(r.value)
	if r.length == 0 || height <= lowest {
		return nil
	}
	t := &m.sides[sideOf(r.value)].second
	switch {
	case height > t.height+equal:
		*t = tally{height: height}
	case height < t.height-equal:
		return nil
	}
	t.samples += uint64(r.length)
	t.stretches++
	t.longest = max(t.longest, r.length)
	return t
}

func sideOf(x float64) int {
	if x < 0 {
		return 1
	}
	return 0
}

func (m *Meter) endSecond() {
	m.fill = 0
	for i := range m.sides {
		m.sides[i].endSecond()
	}
}

// endSecond files the top of the second: with its ceiling if it is one, else in the
// ring of those that may yet turn out to be.
func (s *side) endSecond() {
	t := s.second
	s.second = tally{}
	if t.samples == 0 {
		return
	}
	for i := range s.known {
		if math.Abs(s.ceilings[i].height-t.height) <= sameCeiling {
			s.ceilings[i].add(t)
			return
		}
	}
	if t.flat == 0 {
		s.pending[s.next] = t
		s.next = (s.next + 1) % maxPending
		return
	}
	for i := range s.pending {
		if p := &s.pending[i]; p.samples > 0 && math.Abs(p.height-t.height) <= sameCeiling {
			t.add(*p)
			*p = tally{}
		}
	}
	s.ceilings[s.place()] = t
}

// place finds room for a new ceiling: a free entry, or the one with least to show.
func (s *side) place() int {
	if s.known < maxCeilings {
		s.known++
		return s.known - 1
	}
	weakest := 0
	for i := range s.ceilings {
		if s.ceilings[i].flat < s.ceilings[weakest].flat {
			weakest = i
		}
	}
	return weakest
}

func (t *tally) add(o tally) {
	t.samples += o.samples
	t.stretches += o.stretches
	t.flat += o.flat
	t.hard += o.hard
	t.longest = max(t.longest, o.longest)
}

// Result is what has clipped since the start.
func (m *Meter) Result() Result {
	r := Result{Samples: m.samples, Ceiling: dsp.None()}
	coarse := m.steps >= minSteps && m.fine*1000 < m.steps
	end := *m // the run and the second under way, filed in a copy
	end.count(end.run)
	end.sides[0].endSecond()
	end.sides[1].endSecond()
	var most uint64
	for i := range end.sides {
		s, other := &end.sides[i], &end.sides[1-i]
		for _, c := range s.ceilings[:s.known] {
			// A ceiling that both polarities share is shown by both together.
			far, known := other.at(c.height)
			flat := c.flat + far.flat
			if coarse {
				flat = c.hard + far.hard
			}
			if flat < minFlatRuns {
				continue
			}
			if !known {
				c.add(far) // else the other side's own turn counts it
			}
			r.Clipped += c.samples
			r.Events += int(c.stretches)
			r.Longest = max(r.Longest, c.longest)
			if c.samples > most {
				most = c.samples
				r.Ceiling = dsp.Value(dsp.AmplitudeDBov(c.height))
			}
		}
	}
	return r
}

// at gives what stands at a height of the other polarity, and whether it is known there
// as a ceiling. The two may be a sample's step apart: 16-bit samples reach -32768 and
// 32767.
func (s *side) at(height float64) (t tally, known bool) {
	for _, c := range s.ceilings[:s.known] {
		if math.Abs(c.height-height) <= equal+lsb {
			return c, true
		}
	}
	for _, p := range s.pending {
		if p.samples > 0 && math.Abs(p.height-height) <= equal+lsb {
			t.add(p)
		}
	}
	return t, false
}
