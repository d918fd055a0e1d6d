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

	speechStep = 20    // ticks between looks at what is loud
	flickers   = 3     // single ticks of one value, in ten seconds, that show that the floor is too low to be seen
	coarsest   = 0.002 // the highest value that they stand still at: A-law's first is 0.0002
	aliveAfter = 10    // s without digital silence: nobody talks longer without a pause
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

// isEmpty says whether a tick holds one value, as far as 16 bits tell.
func isEmpty(body float64) bool { return body < lsb*lsb/8 }

// watchRun judges the last stretch of one value when ten ticks have followed it.
func (m *Meter) watchRun() {
	r := m.run
	if r.end == 0 || m.count-1 < r.end+beside {
		return
	}
	m.run = notch{}
	if r.start-m.since > settle {
		m.judgeRun(r.start, r.end)
	}
}

// watchSilence notes when the last stretch of one value ended that was longer than any
// drop-out: a source that pauses in digital silence may close its consonants with it. What
// was taken for drop-outs before the first of them is in doubt, then. So it is where the floor
// stands still for a millisecond now and then: it lies below the steps of A-law or mu-law.
func (m *Meter) watchSilence() {
	m.flicker -= m.flicker / float64(aliveAfter*1000)
	if !isEmpty(m.body[(m.count-1)&(ticks-1)]) {
		if m.still >= shortest-2 && m.still <= longestGap && m.still > m.run.end-m.run.start {
			m.run = notch{start: m.count - 1 - m.still, end: m.count - 1}
		}
		if m.still == 1 && math.Abs(m.at(m.seen-m.filled-m.tick-1)) < coarsest {
			m.flicker++
		}
		m.still = 0
	} else {
		m.still++
	}
	if m.still > longestGap || m.stepped() {
		m.silent = m.count
		m.result.Dropouts -= m.presumed
		m.result.Doubtful += m.presumed
		m.presumed = 0
	}
}

// alive says whether the source has a floor, as every microphone has: then no pause of its
// own is empty. It is presumed until there is digital silence.
func (m *Meter) alive() bool { return m.silent == 0 || m.settled(m.silent) }

// stepped says whether the floor lies below the steps of the samples.
func (m *Meter) stepped() bool { return m.coarse || m.flicker > flickers }

// settled says whether much time has passed since a tick.
func (m *Meter) settled(tick int) bool { return (m.count-tick)*m.tick > aliveAfter*m.rate }

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
