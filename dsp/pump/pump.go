package pump

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/level"
)

const (
	stretchSeconds = 10.0
	minActive      = 3.0 // seconds of speech in a stretch
	leftOut        = 4   // one in so many, for Steady
	lowest         = -90.0
	perDB          = 8
	cells          = 100 * perDB // up to +10 dBov
)

// Meter measures one call. It is not safe for concurrent use.
type Meter struct {
	length  uint64 // samples of a stretch
	minimum float64
	last    level.Counts
	windows int
	sum     float64 // of levels, dB
	squares float64
	levels  [cells]uint16 // windows by level
}

// Result is what has been measured since the start.
type Result struct {
	SD      dsp.Value // of the active levels, dB; None below two windows
	Steady  dsp.Value // the same without the quarter furthest from the median, dB
	Windows int       // stretches of ten seconds with enough speech
}

// New makes a Meter for a sample rate in Hz.
func New(rate int) (*Meter, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("pump: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	return &Meter{length: uint64(stretchSeconds * float64(rate)), minimum: minActive * float64(rate)}, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() { *m = Meter{length: m.length, minimum: m.minimum} }

// Process takes what a level meter has counted so far and the noise's power under it (mean
// square; 0 where it is not known). A stretch ends with the first call ten seconds after
// the last ended: call it once a second.
func (m *Meter) Process(c level.Counts, noisePower float64) {
	if c.Samples < m.last.Samples+m.length {
		return
	}
	stretch := c.Minus(&m.last)
	m.last = c
	r := stretch.Result()
	if !r.Active.Valid() || float64(r.Activity)*float64(stretch.Samples) < m.minimum {
		return
	}
	level := stretch.SpeechLevel(noisePower)
	if !level.Valid() {
		return
	}
	m.Level(float64(level))
}

// Level takes the active level of a stretch in dBov, where it is known from elsewhere.
func (m *Meter) Level(dB float64) {
	m.windows++
	m.sum += dB
	m.squares += dB * dB
	cell := &m.levels[max(0, min(cells-1, int(math.Round((dB-lowest)*perDB))))]
	if *cell < math.MaxUint16 {
		*cell++
	}
}

// Result gives the deviations since the start.
func (m *Meter) Result() Result {
	r := Result{SD: dsp.None(), Steady: dsp.None(), Windows: m.windows}
	if m.windows < 2 {
		return r
	}
	n := float64(m.windows)
	r.SD = dsp.Value(math.Sqrt(max(0, m.squares-m.sum*m.sum/n) / (n - 1)))
	r.Steady = m.steady()
	return r
}

// steady is the deviation of what is nearest to the median.
func (m *Meter) steady() dsp.Value {
	total := 0
	for _, c := range m.levels {
		total += int(c)
	}
	keep := total - max(1, total/leftOut)
	if keep < 2 {
		return dsp.None()
	}
	low, seen := 0, int(m.levels[0])
	for seen*2 < total {
		low++
		seen += int(m.levels[low])
	}
	// From the median outwards, the nearer side first.
	up := low + 1
	var n, sum, squares float64
	mid := float64(low)
	take := func(cell int) {
		c := min(float64(m.levels[cell]), float64(keep)-n)
		d := (float64(cell) - mid) / perDB
		n += c
		sum += c * d
		squares += c * d * d
	}
	for n < float64(keep) && (low >= 0 || up < cells) {
		if up >= cells || low >= 0 && mid-float64(low) <= float64(up)-mid {
			take(low)
			low--
		} else {
			take(up)
			up++
		}
	}
	return dsp.Value(math.Sqrt(max(0, squares-sum*sum/n) / (n - 1)))
}
