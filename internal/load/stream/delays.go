package stream

import (
	"math"
	"sync"
	"time"
)

const (
	delayStep = 10 * time.Microsecond
	delayMost = 500 * time.Millisecond
)

// Delays is the distribution of one-way delays, to 10 µs. It may be used from several goroutines.
type Delays struct {
	mu    sync.Mutex
	steps [delayMost / delayStep]uint32
	over  uint64 // longer than all steps
	n     uint64
	max   int64
}

// Add takes one delay in nanoseconds. Less than nothing, which a clock that is set can bring, is nothing.
func (d *Delays) Add(ns int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ns = max(ns, 0)
	d.n++
	d.max = max(d.max, ns)
	if i := ns / int64(delayStep); i < int64(len(d.steps)) {
		d.steps[i]++
	} else {
		d.over++
	}
}

// N is how many there are.
func (d *Delays) N() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.n
}

// Quantile gives the delay that the share q of all does not exceed: 1 is the longest.
func (d *Delays) Quantile(q float64) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.n == 0 {
		return 0
	}
	if q >= 1 {
		return time.Duration(d.max)
	}
	rank := uint64(math.Ceil(q * float64(d.n)))
	sum := uint64(0)
	for i, n := range d.steps {
		if sum += uint64(n); sum >= rank {
			return min(time.Duration(i+1)*delayStep, time.Duration(d.max))
		}
	}
	return time.Duration(d.max)
}
