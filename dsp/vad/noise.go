package vad

import "math"

const (
	smoothing  = 0.75 // of the powers whose minimum is sought [A]
	plunge     = 8    // a power this many times smaller than the smoothed one ends the smoothing
	subWindow  = 25   // blocks: the minimum is that of subWindows of these ...
	subWindows = 6    // ... 3 s together: nobody talks that long without any dip in a band
	absent     = 4    // a smoothed power up to this many times the minimum holds no speech
	highest    = 6    // the noise is at most this many times the minimum
	slowest    = 12   // blocks that the mean is taken over, of the first and of any others
)

// noiseTracker follows the noise beneath speech in each band: the mean of the powers that
// lie near the minimum of the last seconds (minima-controlled recursive averaging, I.
// Cohen 2003, with a hard decision).
type noiseTracker struct {
	seen   int    // blocks, until the mean is as slow as it gets
	mean   levels // power of the noise
	smooth levels
	now    levels // minimum of the sub-window under way
	before levels // minimum of the complete ones
	least  [subWindows - 1]levels
	at, in int
}

func (t *noiseTracker) next(p *levels) {
	if t.seen == 0 {
		t.set(p)
	}
	t.seen = min(t.seen+1, slowest)
	if t.in == subWindow {
		t.rotate()
	}
	t.in++
	if t.seen < slowest { // the minimum of a few blocks tells nothing yet
		t.begin(p)
		return
	}
	for b, v := range p {
		s := smoothing*min(t.smooth[b], plunge*v) + (1-smoothing)*v
		t.smooth[b] = s
		low := min(t.now[b], s)
		t.now[b] = low
		low = min(low, t.before[b])
		m := t.mean[b]
		if s < absent*low {
			m += (v - m) * (1. / slowest)
		}
		t.mean[b] = max(low, min(m, highest*low))
	}
}

// begin takes one of the first blocks: all of the sound is noise, until a dip shows better.
func (t *noiseTracker) begin(p *levels) {
	for b, v := range p {
		t.mean[b] += (v - t.mean[b]) / float32(t.seen)
	}
	t.smooth, t.now = t.mean, t.mean
}

// rotate ends a sub-window.
func (t *noiseTracker) rotate() {
	t.in = 0
	t.least[t.at] = t.now
	t.at = (t.at + 1) % len(t.least)
	t.before = t.least[0]
	for i := range t.least[1:] {
		for b, v := range t.least[i+1] {
			t.before[b] = min(t.before[b], v)
		}
	}
	t.now = t.smooth
}

// set takes p for the noise from here on.
func (t *noiseTracker) set(p *levels) {
	t.mean, t.smooth, t.now = *p, *p, *p
	for b := range t.before {
		t.before[b] = math.MaxFloat32
	}
	for i := range t.least {
		t.least[i] = t.before
	}
	t.in, t.at = 0, 0
}

// total is the power of the noise in all bands.
func (t *noiseTracker) total() (sum float32) {
	for _, m := range t.mean {
		sum += m
	}
	return sum
}
