package level

import "fmt"

// Pair measures two signals of one length side by side, exactly as two Meters do and in
// less time: what came, and the same behind a filter. It is not safe for concurrent use.
type Pair struct {
	rate   int
	timing timing
	now    uint64
	a, b   signal
}

// NewPair makes a Pair for a sample rate in Hz.
func NewPair(rate int) (*Pair, error) {
	if err := checkRate(rate); err != nil {
		return nil, err
	}
	p := &Pair{rate: rate, timing: newTiming(rate)}
	p.Reset()
	return p, nil
}

// Reset starts again as if new.
func (p *Pair) Reset() {
	*p = Pair{rate: p.rate, timing: p.timing, now: p.timing.hold, a: newSignal(), b: newSignal()}
}

// Counts gives what has been summed up since the start, of the first signal and of the
// second.
func (p *Pair) Counts() (a, b Counts) { return p.a.total(), p.b.total() }

// Process takes the next samples of both, full scale ±1; b is as long as a. Broken ones
// count as 0 (dsp.Sample).
func (p *Pair) Process(a, b []float32) {
	b = b[:len(a)]
	p.a.counts.Samples += uint64(len(a))
	p.b.counts.Samples += uint64(len(a))
	var magnitudesA, magnitudesB [maxGroups]float32
	for len(a) > 0 {
		n := min(len(a), p.timing.most())
		x, y := p.a.fold(&magnitudesA, a[:n], p.timing.size), p.b.fold(&magnitudesB, b[:n], p.timing.size)
		p.envelopes(x, y)
		a, b = a[n:], b[n:]
	}
}

// envelopes takes the magnitudes of whole groups, x as many as y.
func (p *Pair) envelopes(x, y []float32) {
	for len(x) > 0 {
		most := p.b.until(p.now, p.a.until(p.now, len(x)))
		n, left := p.follow(x[:most], y[:most])
		p.now += uint64(n)
		p.a.stay(p.now, n, left, &p.timing)
		p.b.stay(p.now, n, left, &p.timing)
		x, y = x[n:], y[n:]
	}
}

// follow is signal.follow of both at once: four chains of sums, of which two do not wait
// for each other.
func (p *Pair) follow(x, y []float32) (taken int, left bool) {
	a, b := &p.a, &p.b
	g, h, k := p.timing.g, 1-p.timing.g, (1-p.timing.g)/float64(p.timing.size)
	keyA, keyB := a.key, b.key
	pa, qa, pb, qb := a.p, a.q, b.p, b.q
	y = y[:len(x)]
	for i, m := range x {
		pa = g*pa + k*float64(m)
		pb = g*pb + k*float64(y[i])
		qa = g*qa + h*pa
		qb = g*qb + h*pb
		taken = i + 1
		if keyOf(qa) != keyA || keyOf(qb) != keyB {
			left = true
			break
		}
	}
	a.p, a.q, b.p, b.q = max(pa, quietest), max(qa, quietest), max(pb, quietest), max(qb, quietest)
	return taken, left
}

func checkRate(rate int) error {
	if rate < 4000 || rate > 192000 {
		return fmt.Errorf("level: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	return nil
}
