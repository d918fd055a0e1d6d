package plot

import (
	"math"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// Recorder keeps what a picture of a recording needs. It is not safe for concurrent use.
type Recorder struct {
	rate     int
	near     wave
	far      *wave // nil without a far end
	spectrum *spectrogram
	readings []reading
	marks    map[headset.Kind]*marks
}

// NewRecorder makes a Recorder for a sample rate in Hz that headset.New takes, with or
// without a far end.
func NewRecorder(rate int, far bool) *Recorder {
	r := &Recorder{rate: rate, near: newWave(rate), spectrum: newSpectrogram(rate), marks: map[headset.Kind]*marks{}}
	if far {
		w := newWave(rate)
		r.far = &w
	}
	return r
}

// Add takes the next samples of the microphone, and as many of the far end if there is one.
func (r *Recorder) Add(near, far []float32) {
	r.near.add(near)
	r.spectrum.add(near)
	if r.far != nil {
		r.far.add(far)
	}
}

// Seconds is how long the recording is so far.
func (r *Recorder) Seconds() float64 { return float64(r.near.samples) / float64(r.rate) }

// column is what is known of some samples that follow each other.
type column struct {
	low, high float32
	sum       float64 // of squares
	n         int
}

func (c *column) join(d column) {
	if c.n == 0 {
		*c = d
		return
	}
	if d.n > 0 {
		c.low, c.high = min(c.low, d.low), max(c.high, d.high)
	}
	c.sum += d.sum
	c.n += d.n
}

// wave is a waveform in columns of one length.
type wave struct {
	size    int // samples of a column
	columns []column
	samples int
}

const (
	waveColumns      = 4096
	columnsPerSecond = 200 // at first
)

func newWave(rate int) wave {
	return wave{size: rate / columnsPerSecond, columns: make([]column, 0, waveColumns)}
}

func (w *wave) add(x []float32) {
	w.samples += len(x)
	for len(x) > 0 {
		last := len(w.columns) - 1
		if last < 0 || w.columns[last].n == w.size {
			if len(w.columns) == waveColumns {
				w.columns = halve(w.columns, func(a *column, b column) { a.join(b) })
				w.size *= 2
				continue
			}
			w.columns = append(w.columns, column{})
			last++
		}
		n := min(len(x), w.size-w.columns[last].n)
		w.columns[last].join(measure(x[:n]))
		x = x[n:]
	}
}

// halve joins elements two by two, in place.
func halve[T any](list []T, join func(a *T, b T)) []T {
	for i := 0; i < len(list); i += 2 {
		list[i/2] = list[i]
		if i+1 < len(list) {
			join(&list[i/2], list[i+1])
		}
	}
	return list[:(len(list)+1)/2]
}

// measure makes a column of samples, of which there is at least one.
func measure(x []float32) column {
	c := column{low: dsp.Sample(x[0]), high: dsp.Sample(x[0]), n: len(x)}
	sum := float32(0)
	for _, s := range x {
		s = dsp.Sample(s)
		c.low, c.high = min(c.low, s), max(c.high, s)
		sum += s * s
	}
	c.sum = float64(sum)
	return c
}

// between joins the columns that begin in a stretch of seconds; at least the one it is in.
func (w *wave) between(from, to float64, rate int) column {
	per := float64(rate) / float64(w.size) // columns a second
	first, last := int(math.Ceil(from*per)), int(math.Ceil(to*per))
	if first >= last {
		first = int(from * per)
		last = first + 1
	}
	var c column
	for i := max(0, first); i < min(last, len(w.columns)); i++ {
		c.join(w.columns[i])
	}
	return c
}

// reading is what the meter said of a stretch that ends at a second.
type reading struct {
	from, at      float64
	active, floor mean
	speech        mean
}

// mean is that of what was measured.
type mean struct{ sum, n float64 }

func (m *mean) add(v float64) {
	if !math.IsNaN(v) && !math.IsInf(v, 0) {
		m.sum, m.n = m.sum+v, m.n+1
	}
}

func (m *mean) join(o mean) { m.sum, m.n = m.sum+o.sum, m.n+o.n }

// value is not a number where nothing was measured.
func (m mean) value() float64 { return m.sum / m.n }

const maxReadings = 4096

// Reading takes what the meter said of the second that has ended.
func (r *Recorder) Reading(x headset.Reading) {
	if len(r.readings) == maxReadings {
		r.readings = halve(r.readings, func(a *reading, b reading) {
			a.at = b.at
			a.active.join(b.active)
			a.floor.join(b.floor)
			a.speech.join(b.speech)
		})
	}
	now := reading{from: x.At - 1, at: x.At}
	if n := len(r.readings); n > 0 {
		now.from = r.readings[n-1].at
	}
	now.active.add(float64(x.ActiveLevel))
	now.floor.add(float64(x.NoiseFloor))
	now.speech.add(x.Speech)
	r.readings = append(r.readings, now)
}

// marks are when one kind of fault showed.
type marks struct {
	count int
	spans []span
	gap   float64 // seconds; spans nearer than that are one
}

type span struct{ from, to float64 } // seconds

const maxSpans = 2048

// Event takes a moment at which a fault showed.
func (r *Recorder) Event(e headset.Event) {
	m := r.marks[e.Kind]
	if m == nil {
		m = &marks{gap: 1e-3}
		r.marks[e.Kind] = m
	}
	m.count++
	m.add(span{e.At, e.At + e.Length})
	for len(m.spans) == maxSpans {
		m.gap *= 2
		all := m.spans
		m.spans = m.spans[:0]
		for _, s := range all {
			m.add(s)
		}
	}
}

// add takes a span that ends no earlier than those before it.
func (m *marks) add(s span) {
	if n := len(m.spans); n > 0 && s.from < m.spans[n-1].to+m.gap {
		m.spans[n-1].from = min(m.spans[n-1].from, s.from)
		m.spans[n-1].to = max(m.spans[n-1].to, s.to)
		return
	}
	m.spans = append(m.spans, s)
}
