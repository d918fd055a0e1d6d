package glitch

import "math"

const (
	lsb        = 1.0 / 32768
	equal      = 0.75 * lsb // two samples this close are the same
	shortest   = 4          // ms of the shortest drop-out, less a sample at either end
	longestGap = 121        // ticks of the longest
	beside     = 10         // ticks on either side that a notch is held against

	fallFactor  = 8.0           // 9 dB within two ticks make one look
	notchFactor = 30.0          // 15 dB below what was before is a notch
	backFactor  = 25.0          // 14 dB below what was before is back
	faintest    = 8 * lsb * lsb // energy of a difference below which nothing falls

	// The rules; levels in dB. [M] where not said otherwise: on 2 h of voices in five
	// languages and on their drop-outs.
	abrupt     = 25.0 // how much weaker the millisecond at the edge may be than the eight before
	besideGate = 20.0 // a gate closes and opens only on sound that is this far below loud, ...
	edgeGate   = 26.0 // ... and at its edges this far: in a pause it can't be told from a drop-out
	tonal      = 30.0 // prediction gain of keypad tones and test tones; speech stays below
	heldAtTop  = 0.97 // of the top beside it: a run of equal samples this high is clipping

	softSharp  = 28.0 // fall and rise of a hole that is not empty
	softDepth  = 30.0 // below both sides
	softAlike  = 0.85 // likeness of its sides
	dipAlike   = 0.8
	softShort  = 5    // ticks
	softLong   = 60   // ticks: the longest sound that can be the same on both sides
	dipShort   = 8    // ticks that are left of a hole of 20 ms behind Opus
	dipSharp   = 10.0 // dB
	dipDepth   = 22.0 // dB
	dugLevel   = -100 // dB: below the steps of 16-bit samples
	speechStep = 20   // ticks between looks at what is loud
)

// notch is a stretch of much less sound than before it, under way or just over.
type notch struct {
	active bool
	left   float64 // energy before
	start  int     // first tick that lies wholly in it
	end    int     // first tick that is loud again; 0 while none was
}

// loudest follows the level that nine tenths of the time lie below.
type loudest struct {
	levelDB float64
	known   bool
}

func (l *loudest) look(db float64) {
	if db < -90 {
		return // silence says nothing of what is loud
	}
	const slew, share = 0.5, 0.9 // dB a look
	switch {
	case !l.known || db > l.levelDB+15:
		l.levelDB, l.known = db-5, true
	case db > l.levelDB:
		l.levelDB += slew * share
	default:
		l.levelDB -= slew * (1 - share)
	}
}

func decibels(energy float64) float64 { return 10 * math.Log10(energy+1e-16) }

// watchNotch follows the newest tick.
func (m *Meter) watchNotch() {
	k := m.count - 1
	if k%speechStep == 0 {
		m.loud.look(m.power(m.seen-4*m.tick, m.seen))
	}
	now := m.body[k&(ticks-1)]
	n := &m.notch
	if !n.active {
		before := max(m.body[(k-2)&(ticks-1)], m.body[(k-3)&(ticks-1)])
		if now*fallFactor < before && k-m.since > settle+2*beside {
			m.openNotch(k, now)
		}
		return
	}
	switch {
	case n.end > 0:
		if k == n.end+beside {
			n.active = false
			m.judgeNotch(n.start, n.end)
		}
	case now*backFactor > n.left:
		n.end = k
		n.active = k-n.start >= shortest-1
	case k-n.start > longestGap:
		n.active = false
	}
}

func (m *Meter) openNotch(k int, now float64) {
	left := m.besideMean(k - 1 - beside)
	if left > faintest && now*notchFactor < left {
		m.notch = notch{active: true, left: left, start: k}
	}
}

// besideMean is the mean energy of ten ticks but for the loudest: a drop-out may begin
// and end with a click.
func (m *Meter) besideMean(from int) float64 {
	sum, most := 0.0, 0.0
	for i := from; i < from+beside; i++ {
		e := m.body[i&(ticks-1)]
		sum += e
		most = max(most, e)
	}
	return (sum - most) / (beside - 1)
}

// bodyMean is the mean energy of ticks a to b-1.
func (m *Meter) bodyMean(a, b int) float64 {
	sum := 0.0
	for k := a; k < b; k++ {
		sum += m.body[k&(ticks-1)]
	}
	return sum / float64(b-a)
}

// judgeNotch says what a notch was whose first tick is start and whose end ten ticks
// have followed.
func (m *Meter) judgeNotch(start, end int) {
	from, to := m.sampleOf(start), m.sampleOf(end)
	a, b := m.longestRun(from-2*m.tick, to+2*m.tick)
	if b-a >= m.rate*shortest/1000-1 && m.empty(a, b) {
		m.lose(Dropout, a, b)
		return
	}
	switch m.soft(start, end) {
	case Dropout:
		m.lose(Dropout, from, to)
	case Dip:
		m.lose(Dip, from, to)
	}
}

// longestRun finds the longest run of equal samples among those from one to another.
func (m *Meter) longestRun(from, to int) (a, b int) {
	start, value := from, m.at(from)
	for i := from + 1; i <= to; i++ {
		v := m.at(i)
		if d := v - value; i < to && d <= equal && d >= -equal {
			continue
		}
		if i-start > b-a {
			a, b = start, i
		}
		start, value = i, v
	}
	return a, b
}

// empty judges a run of equal samples: whether sound was cut off at its beginning and
// set in at its end as no voice, gate, keypad or clipped wave does it.
func (m *Meter) empty(a, b int) bool {
	ms := m.tick
	left, right := m.power(a-8*ms, a-ms), m.power(b+ms, b+8*ms)
	if min(left, right) < decibels(faintest) {
		return false
	}
	if m.power(a-ms, a) < left-abrupt || m.power(b, b+ms) < right-abrupt {
		return false
	}
	top := 0.0
	for i := range 8 * ms {
		top = max(top, math.Abs(m.at(a-1-i)), math.Abs(m.at(b+i)))
	}
	if math.Abs(m.at(a)) > heldAtTop*top {
		return false
	}
	edge := min(m.power(a-2*ms, a), m.power(b, b+2*ms))
	if min(left, right) < m.loud.levelDB-besideGate || edge < m.loud.levelDB-edgeGate {
		return false
	}
	return m.gain(a) < tonal
}

// soft judges a notch that is not empty: a hole that room noise or a codec has filled.
// No room lets a voice end within two milliseconds and come back the same.
func (m *Meter) soft(start, end int) Kind {
	length := end - start
	if m.dug(start, end) {
		return Dip
	}
	if length > softLong {
		return ""
	}
	sharp := min(decibels(m.bodyMean(start-4, start-1))-decibels(m.bodyMean(start, start+3)),
		decibels(m.bodyMean(end+1, end+4))-decibels(m.bodyMean(end-3, end)))
	if sharp < dipSharp {
		return ""
	}
	from, to, ms := m.sampleOf(start), m.sampleOf(end), m.tick
	sides := min(m.power(from-12*ms, from-ms), m.power(to+ms, to+10*ms))
	depth := sides - m.power(from+ms/2, to-ms/2)
	alike := m.alike(from-ms, to+2*ms)
	if depth < dipDepth || alike < dipAlike || m.gain(from-ms) > tonal {
		return ""
	}
	if sharp >= softSharp && depth >= softDepth && alike >= softAlike && length >= softShort {
		return Dropout
	}
	if length >= dipShort {
		return Dip
	}
	return ""
}

// dug says whether a hole between loud sounds ends in digital silence: behind a codec one of
// 60 ms and more does, a consonant keeps the noise of its room.
func (m *Meter) dug(start, end int) bool {
	low := math.Inf(1)
	for k := start; k < end; k++ {
		low = min(low, m.body[k&(ticks-1)])
	}
	from, to, ms := m.sampleOf(start), m.sampleOf(end), m.tick
	return decibels(low) < dugLevel && m.gain(from-ms) < tonal && min(m.power(from-9*ms, from-ms), m.power(to+ms, to+9*ms)) > m.loud.levelDB-besideGate
}

// power is the mean square, about the mean, of the samples from one to another, in dB.
func (m *Meter) power(from, to int) float64 {
	sum, mean := 0.0, 0.0
	for i := from; i < to; i++ {
		v := m.at(i)
		sum += v * v
		mean += v
	}
	n := float64(to - from)
	return decibels(max(0, sum/n-mean*mean/n/n))
}
