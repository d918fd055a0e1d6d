package stuck

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

// Range is how far samples may lie apart and still be stuck: two 16-bit steps, full scale 1.
const Range = 2.0 / 32768

// leastSilence is how long a digital silence counts with others, in seconds: longer than the
// stop of a plosive or a buffer that was lost.
const leastSilence = 0.2

// probes is how many samples tell at a glance that a piece is alive.
const probes = 8

// Result is what was found since the start.
type Result struct {
	LongestSeconds float64 // the longest stretch
	Silent         bool    // that one was digital silence, not a frozen value
	NowSeconds     float64 // the stretch under way; 0 where the samples move
	NowSilent      bool
	SilentSeconds  float64 // all stretches of digital silence together, of 0.2 s and more each
	Silences       int     // how many
}

// Meter looks at one signal, 20 ms at a time. It is not safe for concurrent use.
type Meter struct {
	rate   int
	window []float32 // under way
	fill   int

	tail      int     // samples at the end of the last window that stood still
	low, high float32 // of those
	run       stretch // under way: of whole windows, and the tail before the first of them
	longest   stretch
	silences  int    // digital silences of leastSilence and more that have ended
	silent    uint64 // samples of those
}

// stretch is a number of samples that stood still.
type stretch struct {
	samples uint64
	loud    bool // some lay off zero
}

// New makes a Meter for a sample rate in Hz.
func New(rate int) (*Meter, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("stuck: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	return &Meter{rate: rate, window: make([]float32, rate/50)}, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() { *m = Meter{rate: m.rate, window: m.window} }

// Gap says how many samples are missing between the last and the next. A window under way is
// dropped, and a stretch ends, but for digital silence where less than a second is missing:
// a microphone that is silent before a lost packet and after it is silent all the while. What
// is missing does not count.
func (m *Meter) Gap(missing int) {
	m.fill = 0
	if m.run.loud || missing >= m.rate {
		m.end(0)
	}
	if m.run.samples == 0 {
		m.tail = 0
	}
}

// Process takes the next samples, full scale ±1, any number. Broken ones count as 0
// (dsp.Sample).
func (m *Meter) Process(x []float32) {
	n := len(m.window)
	for len(x) > 0 {
		if m.fill == 0 && len(x) >= n {
			m.take(x[:n])
			x = x[n:]
			continue
		}
		k := copy(m.window[m.fill:], x)
		m.fill += k
		x = x[k:]
		if m.fill == n {
			m.fill = 0
			m.take(m.window)
		}
	}
}

// Result is what was found so far, up to the last whole window.
func (m *Meter) Result() Result {
	longest := m.longest
	if m.run.samples > longest.samples {
		longest = m.run
	}
	r := Result{
		LongestSeconds: float64(longest.samples) / float64(m.rate),
		Silent:         longest.samples > 0 && !longest.loud,
		NowSeconds:     float64(m.run.samples) / float64(m.rate),
		NowSilent:      m.run.samples > 0 && !m.run.loud,
		SilentSeconds:  float64(m.silent) / float64(m.rate),
		Silences:       m.silences,
	}
	if m.counts(m.run) {
		r.SilentSeconds += r.NowSeconds
		r.Silences++
	}
	return r
}

// take looks at a whole window.
func (m *Meter) take(x []float32) {
	if !alive(x) {
		if low, high := spread(x); high-low <= Range {
			m.still(x, low, high)
			return
		}
	}
	if m.run.samples > 0 { // it ends in this window
		low, high, n := m.low, m.high, 0
		for ; n < len(x); n++ {
			v := dsp.Sample(x[n])
			if low, high = min(low, v), max(high, v); high-low > Range {
				break
			}
		}
		m.end(n)
	}
	v := dsp.Sample(x[len(x)-1])
	m.low, m.high, m.tail = v, v, 1
	for i := len(x) - 2; i >= 0; i-- { // ends early: x moves
		v := dsp.Sample(x[i])
		low, high := min(m.low, v), max(m.high, v)
		if high-low > Range {
			break
		}
		m.low, m.high = low, high
		m.tail++
	}
}

// still adds a window that does not move, from low to high.
func (m *Meter) still(x []float32, low, high float32) {
	if first := dsp.Sample(x[0]); first < m.high-Range || first > m.low+Range { // it jumped
		m.end(0)
		m.tail = 0
	}
	if m.run.samples == 0 {
		m.run.samples = uint64(m.tail)
		m.run.loud = m.tail > 0 && loud(m.low, m.high)
	}
	m.run.samples += uint64(len(x))
	m.run.loud = m.run.loud || loud(low, high)
	m.low, m.high, m.tail = low, high, len(x)
}

// end closes the stretch under way after some more samples.
func (m *Meter) end(more int) {
	if m.run.samples > 0 {
		m.run.samples += uint64(more)
		if m.run.samples > m.longest.samples {
			m.longest = m.run
		}
		if m.counts(m.run) {
			m.silences++
			m.silent += m.run.samples
		}
	}
	m.run = stretch{}
}

// counts says whether a stretch is a silence that counts with others.
func (m *Meter) counts(s stretch) bool {
	return !s.loud && float64(s.samples) >= leastSilence*float64(m.rate)
}

func loud(low, high float32) bool { return low < -Range || high > Range }

// alive says at a glance that x moves; most that does is seen.
func alive(x []float32) bool {
	low, high := dsp.Sample(x[0]), dsp.Sample(x[0])
	step := len(x) / probes
	for i := step; i < len(x); i += step {
		v := dsp.Sample(x[i])
		low, high = min(low, v), max(high, v)
	}
	return high-low > Range
}

func spread(x []float32) (low, high float32) {
	low, high = dsp.Sample(x[0]), dsp.Sample(x[0])
	for _, v := range x {
		v = dsp.Sample(v)
		low, high = min(low, v), max(high, v)
	}
	return low, high
}
