package glitch

import (
	"fmt"

	"github.com/headroom-voice/headroom/dsp"
)

const (
	lookBack = 170 // ms of samples that are kept
	ticks    = 256 // milliseconds whose energies are kept; a power of two
	settle   = 100 // ms after a gap that are not judged

	maxEvents   = 32    // kept until they are fetched; then the oldest are lost
	clusterTime = 0.100 // s: clicks this close are one crackle
	edgeTime    = 0.008 // s: a click this close to a drop-out is its edge
	maxPending  = 32    // clicks that wait to see whether a drop-out holds them
)

// Kind names what went wrong with the samples.
type Kind string

// The kinds of glitch.
const (
	Dropout Kind = "dropout" // the sound falls away at once and comes back at once
	Doubt   Kind = "doubt"   // most likely the same, but a synthetic voice does it too
	Dip     Kind = "dip"     // what a codec makes of that, and sometimes of a consonant
	Crackle Kind = "crackle" // clicks
	Repeat  Kind = "repeat"  // a block was played twice
	Slip    Kind = "slip"    // a block is missing
)

// Event is one glitch.
type Event struct {
	Kind   Kind
	At     float64 // seconds of processed samples from the first to where it begins
	Length float64 // seconds
}

// Result is what went wrong so far. What lies less than about 150 ms back may not be
// counted yet.
type Result struct {
	Seconds      float64 // heard
	Judged       float64 // seconds of them in which a drop-out would have been seen: not those just after a gap
	ClicksJudged float64 // the same for a click, which also waits for 141 ms without a gap after it
	Dropouts     int
	Doubtful     int // drop-outs that may as well be a synthetic voice's consonants
	Dips         int
	Repeats      int
	Slips        int
	Crackles     int     // clusters of clicks
	Faint        int     // clusters of clicks that may as well be a mouth's
	Clicks       int     // in them all
	Longest      float64 // seconds of the longest drop-out
}

// Lost counts what was lost at the microphone: drop-outs, blocks played twice, and blocks
// missing. A jump looks like a click one time in four and a click like a jump one time in
// ten; so slips count here where they are several and more than the clicks, else among
// those. Doubtful drop-outs count where a quarter of all are sure: a synthetic voice has
// twenty of them for one that seems sure.
func (r Result) Lost() int {
	n := r.Dropouts + r.Repeats
	if r.Doubted() {
		n += r.Doubtful
	}
	if r.slipped() {
		n += r.Slips
	}
	return n
}

// Doubted says whether the doubtful drop-outs count.
func (r Result) Doubted() bool { return r.Dropouts > 0 && r.Doubtful <= 3*r.Dropouts }

func (r Result) slipped() bool { return r.Slips > 1 && r.Slips > r.Crackles }

// Clicking counts the crackles, and the slips that Lost does not. Faint ones count where
// there is a sure one a minute and more.
func (r Result) Clicking() int {
	n := r.Crackles
	if !r.slipped() {
		n += r.Slips
	}
	if n >= 2 && float64(n) >= r.ClicksJudged/60 {
		n += r.Faint
	}
	return n
}

// Meter measures one signal. It is not safe for concurrent use.
type Meter struct {
	rate  int
	tick  int // samples of a millisecond, about
	reach int // samples between the two of a difference

	ring   []float32 // the last samples; its length is a power of two
	seen   int       // samples since New or Reset
	filled int       // samples of the tick under way

	body  [ticks]float64 // energy of the difference, a tick
	edge  [ticks]float64 // energy of the second difference, a tick
	count int            // ticks since New or Reset
	since int            // count at the last gap

	judged, clicked uint64 // ticks in which a drop-out, and a click, would have been seen

	notch    notch
	still    int     // ticks of one value up to the last
	run      notch   // the last of 4 ms and more of one value, that waits for what follows
	silent   int     // count when they were last more than a drop-out has; 0 while they never were
	flicker  float64 // single ticks of one value lately
	coarse   bool    // the samples came in steps that hide a floor
	presumed int     // empty drop-outs of the first seconds, while they never were
	loud     loudest
	lost     span // the last drop-out
	click    clicks
	work     *work
	result   Result
	events   [maxEvents]Event
	first    int // index of the oldest event not fetched
	waiting  int // events not fetched
}

// New makes a Meter for a sample rate in Hz.
func New(rate int) (*Meter, error) {
	if rate < 4000 || rate > 192000 {
		return nil, fmt.Errorf("glitch: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	n := 1
	for n < rate*lookBack/1000 {
		n *= 2
	}
	m := &Meter{rate: rate, tick: (rate + 500) / 1000, reach: max(1, (rate+4000)/8000), ring: make([]float32, n)}
	m.work = newWork(rate)
	return m, nil
}

// Reset starts again as if new.
func (m *Meter) Reset() {
	clear(m.ring)
	*m = Meter{rate: m.rate, tick: m.tick, reach: m.reach, ring: m.ring, work: m.work, coarse: m.coarse}
}

// Coarse says that the samples came through A-law or mu-law (ITU-T G.711), whose steps hide
// a floor and the end of a sound. It holds until it is said otherwise.
func (m *Meter) Coarse(on bool) { m.coarse = on }

// Gap says that samples are missing between the last and the next. What was under way is
// dropped, and the next tenth of a second is not judged: concealment and what follows it
// sound like a fault and are none of the headset's.
func (m *Meter) Gap() {
	m.filled = 0
	m.since = m.count
	m.notch, m.run = notch{}, notch{}
	m.click.waiting = 0
}

// Process takes the next samples, full scale ±1, as they came: not filtered, not
// resampled. Broken ones count as 0 (dsp.Sample).
func (m *Meter) Process(frame []float32) {
	for len(frame) > 0 {
		to := m.ring[m.seen&(len(m.ring)-1):]
		n := min(len(frame), m.tick-m.filled, len(to))
		copy(to, frame[:n])
		m.seen += n
		m.filled += n
		frame = frame[n:]
		if m.filled == m.tick {
			m.filled = 0
			m.endTick()
		}
	}
}

// Result is what went wrong since the start.
func (m *Meter) Result() Result {
	r := m.result
	r.Seconds = float64(m.seen) / float64(m.rate)
	r.Judged = float64(m.judged*uint64(m.tick)) / float64(m.rate)
	r.ClicksJudged = float64(m.clicked*uint64(m.tick)) / float64(m.rate)
	return r
}

// Event gives the next glitch that has not been given yet, in the order of discovery. The
// last 32 are kept.
func (m *Meter) Event() (Event, bool) {
	if m.waiting == 0 {
		return Event{}, false
	}
	e := m.events[m.first]
	m.first = (m.first + 1) % maxEvents
	m.waiting--
	return e, true
}

// report files an event that lasts from one sample to another.
func (m *Meter) report(kind Kind, from, to int) {
	if m.waiting == maxEvents {
		m.first = (m.first + 1) % maxEvents
		m.waiting--
	}
	e := Event{Kind: kind, At: float64(from) / float64(m.rate), Length: float64(to-from) / float64(m.rate)}
	m.events[(m.first+m.waiting)%maxEvents] = e
	m.waiting++
	switch kind {
	case Dropout:
		m.result.Dropouts++
		m.result.Longest = max(m.result.Longest, e.Length)
	case Doubt:
		m.result.Doubtful++
	case Dip:
		m.result.Dips++
	case Repeat:
		m.result.Repeats++
	case Slip:
		m.result.Slips++
	}
}

// span is a stretch of samples.
type span struct{ from, to int }

// holds says whether a click lies in a stretch or at its edges.
func (s span) holds(c click, edge int) bool {
	return s.to > 0 && c.to > s.from-edge && c.from < s.to+edge
}

func (m *Meter) edgeSamples() int { return int(edgeTime * float64(m.rate)) }

// lose files a stretch that was lost; the clicks in it and at its edges are its own.
func (m *Meter) lose(kind Kind, from, to int) {
	m.lost = span{from, to}
	m.click.forgive(m.lost, m.edgeSamples())
	m.report(kind, from, to)
}

// endTick measures the millisecond that is complete and looks for what it completes.
func (m *Meter) endTick() {
	k := m.count & (ticks - 1)
	m.body[k], m.edge[k] = m.energies()
	m.count++
	m.watchSilence()
	if m.count-m.since <= settle {
		return
	}
	m.countJudged(m.count - m.since - settle)
	m.watchRun()
	m.watchNotch()
	m.watchRepeat()
	m.watchClick()
}

// countJudged counts the time in which glitches are seen, as of some ticks after a gap.
func (m *Meter) countJudged(ticks int) {
	if ticks > 2*beside {
		m.judged++
	}
	if ticks > 2*clickDelay+longestGap+2*beside {
		m.clicked++
	}
}

// energies gives the mean squares of the difference and of the second difference over
// the last tick, whose broken samples it mends.
func (m *Meter) energies() (body, edge float64) {
	body, edge = m.sums()
	if first := m.ring[(m.seen-m.tick)&(len(m.ring)-1)]; !(body+edge < 16) || dsp.Sample(first) != first {
		for n := m.seen - m.tick; n < m.seen; n++ {
			s := &m.ring[n&(len(m.ring)-1)]
			*s = dsp.Sample(*s)
		}
		body, edge = m.sums()
	}
	return body / float64(m.tick), edge / float64(m.tick)
}

func (m *Meter) sums() (body, edge float64) {
	mask := len(m.ring) - 1
	at := m.seen - m.tick
	from := (at - m.reach - 1) & mask
	if from+m.tick+m.reach+1 > len(m.ring) {
		for n := at; n < m.seen; n++ {
			v := m.at(n)
			d, c := v-m.at(n-m.reach), v-2*m.at(n-1)+m.at(n-2)
			body += d * d
			edge += c * c
		}
		return body, edge
	}
	x := m.ring[from : from+m.tick+m.reach+1]
	x0, x1, x2, far := x[m.reach+1:], x[m.reach:], x[m.reach-1:], x[1:]
	x1, x2, far = x1[:len(x0)], x2[:len(x0)], far[:len(x0)]
	var b, e, b1, e1 float32 // two of each: an addition waits for the one before
	i := 0
	for ; i+1 < len(x0); i += 2 {
		d, d1 := x0[i]-far[i], x0[i+1]-far[i+1]
		c, c1 := x0[i]-2*x1[i]+x2[i], x0[i+1]-2*x1[i+1]+x2[i+1]
		b, b1 = b+d*d, b1+d1*d1
		e, e1 = e+c*c, e1+c1*c1
	}
	if i < len(x0) {
		d, c := x0[i]-far[i], x0[i]-2*x1[i]+x2[i]
		b, e = b+d*d, e+c*c
	}
	return float64(b + b1), float64(e + e1)
}

// at gives the n-th sample since New or Reset; it must be one of the last that are kept.
func (m *Meter) at(n int) float64 { return float64(m.ring[n&(len(m.ring)-1)]) }

// sampleOf gives the first sample of a tick that lies after the last gap.
func (m *Meter) sampleOf(tick int) int { return m.seen - m.filled - (m.count-tick)*m.tick }
