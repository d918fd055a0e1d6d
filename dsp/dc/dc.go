package dc

import (
	"fmt"
	"slices"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/hum/lowband"
)

const (
	stretchSeconds = 5
	pauseSeconds   = 1 // the same for pauses, which have no voice to average out
	maxStretches   = 64
	guardSeconds   = 0.06 // after speech that are no pause yet
	leastPause     = 3.0  // seconds of pauses that tell the offset
	gated          = 1.5 / 32768
)

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate    float64 // of the low band, Hz
	samples uint64
	since   int // samples since someone spoke
	all     track
	pauses  track
}

// track keeps the means of stretches of a part of the signal.
type track struct {
	length int // samples of a stretch; doubles when there are too many
	n      int // samples of the stretch under way
	sum    float64
	means  [maxStretches]float64
	known  int
	whole  uint64 // samples of all stretches that ended
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
func (m *Meter) Reset() {
	*m = Meter{rate: m.rate}
	m.all.length, m.pauses.length = int(stretchSeconds*m.rate), int(pauseSeconds*m.rate)
}

// Process takes the next samples of the low band, any number, and whether someone speaks in
// them. Samples may be missing before them: an offset does not mind.
func (m *Meter) Process(low []float32, speech bool) {
	m.samples += uint64(len(low))
	m.all.add(low)
	if speech {
		m.since = 0
		return
	}
	guard := min(len(low), max(0, int(guardSeconds*m.rate)-m.since))
	m.since += guard
	m.pauses.addLive(low[guard:])
}

func (t *track) add(x []float32) {
	for len(x) > 0 {
		n := min(len(x), t.length-t.n)
		for _, v := range x[:n] {
			t.sum += float64(v)
		}
		t.n += n
		x = x[n:]
		if t.n == t.length {
			t.endStretch()
		}
	}
}

// addLive adds what is not the digital silence of a gate, which shuts the offset out too.
func (t *track) addLive(x []float32) {
	for _, v := range x {
		if v <= gated && v >= -gated {
			continue
		}
		t.sum += float64(v)
		if t.n++; t.n == t.length {
			t.endStretch()
		}
	}
}

func (t *track) endStretch() {
	t.means[t.known] = t.sum / float64(t.n)
	t.known++
	t.whole += uint64(t.n)
	t.sum, t.n = 0, 0
	if t.known == maxStretches {
		t.known /= 2
		for i := range t.known {
			t.means[i] = (t.means[2*i] + t.means[2*i+1]) / 2
		}
		t.length *= 2
	}
}

// offset is the median of the stretches, or the mean of the first under way.
func (t *track) offset() dsp.Value {
	switch {
	case t.known == 0 && t.n == 0:
		return dsp.None()
	case t.known == 0:
		return dsp.Value(t.sum / float64(t.n))
	}
	sorted := t.means
	s := sorted[:t.known]
	slices.Sort(s)
	return dsp.Value((s[(t.known-1)/2] + s[t.known/2]) / 2)
}

// Result gives the offset since the start.
func (m *Meter) Result() Result {
	r := Result{Offset: m.all.offset(), Seconds: float64(m.samples) / m.rate}
	if float64(m.pauses.whole)+float64(m.pauses.n) >= leastPause*m.rate {
		r.Offset = m.pauses.offset()
	}
	return r
}
