package glitch

import "math"

const (
	clickDelay   = 14   // ticks between a click and the look at it
	clickLevel   = 4e-8 // energy of the second difference in a tick below which nobody hears a click [A]
	steppedLevel = 4e-6 // the same where the floor is a few steps of A-law
	screenNear   = 6.0  // a click's tick over those two beside it
	screenFar    = 10.0 // and over the mean of nine of the ten on either side

	clickLong = 20     // samples of the longest click
	clickRing = 8      // samples that a predictor's memory may add to what is seen of it
	clickTop  = 8.0    // its residual over the highest on either side [M]
	clickTime = 0.0011 // s that it lasts at most: a lip's smack lasts 2 ms and more [M]
	clickSure = 30.0   // the same that no mouth has, whatever else is said [M]
	faintTop  = 5.0    // the same of one that counts only where others are sure [M]
	faintTime = 0.0013
	inCluster = 2.0  // where other clicks are near, it must stand out so many times as far [M]
	clickStep = 10.0 // dB by which the residual may rise across a click: more is a word that sets in
	clickDrop = 13.0 // dB by which it may sink
	clickRise = 15.0 // dB by which the sound itself may rise

	slipGain = 15.0 // dB of prediction gain above which a jump can be told from a click
	slipTop  = 2.0  // a jump's residual over the highest amplitude beside it, at most
	slipMiss = 0.02 // share of a jump's residual that no other few samples would explain

	spoiltMost = 8 // samples of a click that a jump could be taken for
)

// faint is the kind of a click that may as well be a lip's.
const faint Kind = "faint"

// click is one that waits to see whether a drop-out holds it.
type click struct {
	kind     Kind // Crackle, faint or Slip
	from, to int
}

// clicks is what is known of clicks so far.
type clicks struct {
	looked  int // sample of the last one that was looked at
	pending [maxPending]click
	waiting int
	last    int // sample of the last one that counted
}

// watchClick looks at the tick that has enough behind it, and settles older clicks.
func (m *Meter) watchClick() {
	if c := &m.click; c.waiting > 0 && m.seen-c.pending[0].to > (longestGap+2*beside)*m.tick {
		m.settle(c.pending[0])
		copy(c.pending[:], c.pending[1:c.waiting])
		c.waiting--
	}
	k := m.count - 1 - clickDelay
	e := m.edge[k&(ticks-1)]
	least := clickLevel
	if m.stepped() {
		least = steppedLevel
	}
	if e < least || e < screenNear*m.edge[(k-2)&(ticks-1)] || e < screenNear*m.edge[(k+2)&(ticks-1)] {
		return
	}
	left, right, leftMost, rightMost := 0.0, 0.0, 0.0, 0.0
	for i := 2; i < 12; i++ {
		l, r := m.edge[(k-i)&(ticks-1)], m.edge[(k+i)&(ticks-1)]
		left, right = left+l, right+r
		leftMost, rightMost = max(leftMost, l), max(rightMost, r)
	}
	if e*9 < screenFar*max(left-leftMost, right-rightMost) || k-2*clickDelay-m.since <= settle {
		return
	}
	at := m.sharpest(k)
	if at-m.click.looked < 2*m.tick {
		return
	}
	m.click.looked = at
	if kind := m.judgeClick(at); kind != "" && !m.findRepeat(at+m.tick/4, int(repeatShort*float64(m.rate)/1000)) {
		m.suspect(click{kind: kind, from: at, to: at + 1})
	}
}

// sharpest gives the sample with the largest second difference in and beside a tick.
func (m *Meter) sharpest(tick int) int {
	from := m.sampleOf(tick) - m.tick/2
	at, most := from, 0.0
	for n := from; n < from+2*m.tick; n++ {
		d := math.Abs(m.at(n) - 2*m.at(n-1) + m.at(n-2))
		if d > most {
			at, most = n-1, d
		}
	}
	return at
}

// judgeClick predicts the sound about a sample from what lies on either side, and gives
// Crackle, faint, Slip or "".
func (m *Meter) judgeClick(at int) Kind {
	w := m.work
	p, n := w.order, w.side+w.skirt
	for i := range w.x {
		w.x[i] = m.at(at - n + i)
	}
	var r, a [maxOrder + 1]float64
	w.correlate(&r, w.x[:w.side])
	w.correlate(&r, w.x[n+w.skirt+1:])
	gain := levinson(&a, &r, p)
	w.residual(&a)
	left, leftTop, leftMost := calm(w.e[p:w.side], m.tick)
	right, rightTop, rightMost := calm(w.e[n+w.skirt+p+1:], m.tick)
	_, peak := spread(w.e[n-w.skirt : n+w.skirt+p])
	top := peak / max(leftTop, rightTop, 1e-9) / inCluster
	alone := peak >= faintTop*max(leftMost, rightMost)
	if alone {
		top = peak / max(leftMost, rightMost, 1e-9)
	}
	if top < faintTop || peak < faintTop*min(leftMost, rightMost) {
		return ""
	}
	levelLeft, topLeft := spread(w.x[p:w.side])
	levelRight, topRight := spread(w.x[n+w.skirt+1:])
	rise := 20 * math.Log10((right+1e-9)/(left+1e-9))
	setsIn := rise > clickStep || rise < -clickDrop || 20*math.Log10((levelRight+1e-9)/(levelLeft+1e-9)) > clickRise
	sure := top >= clickSure
	if setsIn && !sure {
		return ""
	}
	first, last := w.span(n-w.skirt, n+w.skirt+p, max(peak/8, leftTop, rightTop))
	length := float64(w.bulk(n-w.skirt, n+w.skirt+p))
	if length > min(clickLong+clickRing, faintTime*float64(m.rate)) {
		return ""
	}
	spoilt := max(3, min(spoiltMost, last-first+4-p))
	if alone && decibels(gain) > slipGain && last-first <= p+1 && peak < slipTop*max(topLeft, topRight) && w.unexplained(&a, first, spoilt) > slipMiss {
		if setsIn || m.flatTop(at, max(topLeft, topRight)) {
			return "" // a tone that begins is a jump, too, and so is the corner of a clipped wave
		}
		return Slip
	}
	if !sure && (top < clickTop || length > clickTime*float64(m.rate)) {
		return faint
	}
	return Crackle
}

// flatTop says whether a sample lies at the end of equal ones as high as what is around it.
func (m *Meter) flatTop(at int, top float64) bool {
	for i := at - 3; i <= at+3; i++ {
		v := m.at(i)
		if math.Abs(v-m.at(i-1)) <= equal && math.Abs(v) >= 0.8*top {
			return true
		}
	}
	return false
}

// span gives the first and the last index in a stretch of the residual beyond a limit.
func (w *work) span(from, to int, limit float64) (first, last int) {
	first, last = to, from
	for i := from; i < to; i++ {
		if math.Abs(w.e[i]) > limit {
			first, last = min(first, i), i
		}
	}
	return first, last
}

// bulk gives how many samples of a stretch hold its residual's energy, but for a few
// percent at either end.
func (w *work) bulk(from, to int) int {
	const ends = 0.04
	whole, sum := 0.0, 0.0
	for _, e := range w.e[from:to] {
		whole += e * e
	}
	first, last := from, to
	for i, e := range w.e[from:to] {
		sum += e * e
		if sum < ends*whole {
			first = from + i + 1
		}
		if sum <= (1-ends)*whole {
			last = from + i + 1
		}
	}
	return last - first
}

// unexplained gives the share of the residual from index first on that is left when some
// samples from there on are taken for spoilt and chosen anew, as smooth as can be: next to
// nothing after a click, most after a jump to another place.
func (w *work) unexplained(a *[maxOrder + 1]float64, first, spoilt int) float64 {
	p := w.order
	var r, b, u [spoiltMost]float64
	whole := 1e-20
	for _, e := range w.e[first : first+spoilt+p] {
		whole += e * e
	}
	for i := range spoilt {
		for k := 0; k+i <= p; k++ {
			r[i] += a[k] * a[k+i]
		}
		for k := range p + 1 {
			b[i] += a[k] * w.e[first+i+k]
		}
	}
	solve(&u, &r, &b, spoilt)
	left := whole
	for i := range spoilt {
		left -= b[i] * u[i]
	}
	return left / whole
}

// solve finds u with R u = b, R being symmetric, positive and Toeplitz with first row r.
func solve(u, r, b *[spoiltMost]float64, n int) {
	var l [spoiltMost][spoiltMost]float64 // R = l lT
	for i := range n {
		for j := range i + 1 {
			sum := r[i-j]
			for k := range j {
				sum -= l[i][k] * l[j][k]
			}
			if i == j {
				l[i][i] = math.Sqrt(max(sum, 1e-12))
			} else {
				l[i][j] = sum / l[j][j]
			}
		}
		sum := b[i]
		for k := range i {
			sum -= l[i][k] * u[k]
		}
		u[i] = sum / l[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			u[i] -= l[k][i] * u[k]
		}
		u[i] /= l[i][i]
	}
}

// suspect keeps a click until no drop-out can hold it any more.
func (m *Meter) suspect(c click) {
	if m.lost.holds(c, m.edgeSamples()) {
		return
	}
	p := &m.click
	if p.waiting == maxPending {
		m.settle(p.pending[0])
		copy(p.pending[:], p.pending[1:])
		p.waiting--
	}
	p.pending[p.waiting] = c
	p.waiting++
}

// settle counts a click that has waited long enough.
func (m *Meter) settle(c click) {
	if c.kind == Slip {
		m.report(Slip, c.from, c.to)
		return
	}
	near := m.click.last > 0 && float64(c.from-m.click.last) < clusterTime*float64(m.rate)
	m.click.last = c.from
	m.result.Clicks++
	switch {
	case near:
	case c.kind == faint:
		m.result.Faint++
	default:
		m.result.Crackles++
		m.report(Crackle, c.from, c.to)
	}
}

// forgive drops the waiting clicks that belong to a stretch.
func (c *clicks) forgive(s span, edge int) {
	kept := 0
	for _, p := range c.pending[:c.waiting] {
		if !s.holds(p, edge) {
			c.pending[kept] = p
			kept++
		}
	}
	c.waiting = kept
}
