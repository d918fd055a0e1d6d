package dc

import (
	"fmt"
	"slices"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
)

const (
	stretchSeconds = 5
	maxStretches   = 64
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate    float64 // of the low band, Hz
	length  int     // samples of a stretch; doubles when there are too many
	n       int     // samples of the stretch under way
	sum     float64
	samples uint64
	means   [maxStretches]float64
	known   int
}

// Result is what has been measured since the start.
type Result struct {
	Offset  dsp.Value // signed, in shares of full scale; None before the first sample
	Seconds float64   // heard
}

// New makes a Meter for the low band (lowband.Decimator) of a signal whose sample rate in
// Hz is rate.
func New(rate int) (*Meter, error) {
	d, err := lowband.New(rate)
	if err != nil {
		return nil, fmt.Errorf("dc: %w", err)
	}
	m := &Meter{rate: d.Rate()}
	m.Reset()
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() { *m = Meter{rate: m.rate, length: int(stretchSeconds * m.rate)} }

// Process takes the next samples of the low band, any number. Samples may be missing
// before them: an offset does not mind.
func (m *Meter) Process(low []float32) {
	m.samples += uint64(len(low))
	for len(low) > 0 {
		n := min(len(low), m.length-m.n)
		for _, x := range low[:n] {
			m.sum += float64(x)
		}
		m.n += n
		low = low[n:]
		if m.n == m.length {
			m.endStretch()
		}
	}
}

func (m *Meter) endStretch() {
	m.means[m.known] = m.sum / float64(m.n)
	m.known++
	m.sum, m.n = 0, 0
	if m.known == maxStretches {
		m.known /= 2
		for i := range m.known {
			m.means[i] = (m.means[2*i] + m.means[2*i+1]) / 2
		}
		m.length *= 2
	}
}

// Result gives the offset since the start.
func (m *Meter) Result() Result {
	r := Result{Offset: dsp.None(), Seconds: float64(m.samples) / m.rate}
	switch {
	case m.known == 0 && m.n == 0:
	case m.known == 0:
		r.Offset = dsp.Value(m.sum / float64(m.n))
	default:
		sorted := m.means
		s := sorted[:m.known]
		slices.Sort(s)
		r.Offset = dsp.Value((s[(m.known-1)/2] + s[m.known/2]) / 2)
	}
	return r
}
