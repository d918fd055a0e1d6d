package level

import (
	"fmt"
	"math"
)

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
func (p *Pair) Counts() (a, b Counts) { return p.a.counts, p.b.counts }

// Process takes the next samples of both, full scale ±1; b is as long as a. Broken ones
// count as 0 (dsp.Sample).
func (p *Pair) Process(a, b []float32) {
	b = b[:len(a)]
	p.a.counts.Samples += uint64(len(a))
	p.b.counts.Samples += uint64(len(a))
	for len(a) > 0 {
		most := p.b.until(p.now, p.a.until(p.now, len(a)))
		n, left := p.follow(a[:most], b[:most])
		p.now += uint64(n)
		p.a.stay(p.now, n, left, &p.timing)
		p.b.stay(p.now, n, left, &p.timing)
		a, b = a[n:], b[n:]
	}
}

// follow is signal.follow of both at once: four chains of sums that do not wait for each
// other.
func (p *Pair) follow(xs, ys []float32) (taken int, left bool) {
	a, b := &p.a, &p.b
	g, h := p.timing.g, 1-p.timing.g
	keyA, keyB, peakA, peakB := a.key, b.key, a.peak, b.peak
	pa, qa, pb, qb := a.p, a.q, b.p, b.q
	sumA, squaresA, sumB, squaresB := a.counts.Sum, a.counts.SquareSum, b.counts.Sum, b.counts.SquareSum
	ys = ys[:len(xs)]
	for i, x := range xs {
		bits := math.Float32bits(x) & magnitude
		if bits >= brokenFrom {
			x, bits = 0, 0
		}
		peakA = max(peakA, bits)
		sumA += float64(x)
		squaresA += float64(x) * float64(x)
		pa = g*pa + h*float64(math.Float32frombits(bits))
		qa = g*qa + h*pa

		y := ys[i]
		bits = math.Float32bits(y) & magnitude
		if bits >= brokenFrom {
			y, bits = 0, 0
		}
		peakB = max(peakB, bits)
		sumB += float64(y)
		squaresB += float64(y) * float64(y)
		pb = g*pb + h*float64(math.Float32frombits(bits))
		qb = g*qb + h*pb

		taken = i + 1
		if keyOf(qa) != keyA || keyOf(qb) != keyB {
			left = true
			break
		}
	}
	a.p, a.q, b.p, b.q = max(pa, quietest), max(qa, quietest), max(pb, quietest), max(qb, quietest)
	a.peak, b.peak = peakA, peakB
	a.counts.Sum, a.counts.SquareSum, a.counts.Peak = sumA, squaresA, float64(math.Float32frombits(peakA))
	b.counts.Sum, b.counts.SquareSum, b.counts.Peak = sumB, squaresB, float64(math.Float32frombits(peakB))
	return taken, left
}

func checkRate(rate int) error {
	if rate < 4000 || rate > 192000 {
		return fmt.Errorf("level: sample rate %d Hz is outside 4000 to 192000", rate)
	}
	return nil
}
