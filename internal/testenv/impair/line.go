package impair

import (
	"errors"
	"math/rand/v2"
	"time"
)

// Link says what one direction does to packets. The zero Link passes everything at once.
type Link struct {
	Loss      float64       // share of packets lost, 0 to 1
	Burst     float64       // mean number lost in a row (a Gilbert channel); up to 1: each by itself
	Delay     time.Duration // of every packet
	Jitter    time.Duration // up to this much more, evenly spread; order is kept
	Reorder   float64       // share of packets that are overtaken by those after them
	ReorderBy time.Duration // how long those are held back beyond the others; 30 ms by default
	Duplicate float64       // share of packets that arrive twice
	DriftPPM  float64       // the sender's clock is slow by this much: delays grow; below 0 they shrink, as far as Delay goes
	Rate      int           // bit/s with IP and UDP headers; 0: no limit
	Queue     time.Duration // what waits longer for its turn under Rate is lost; 200 ms by default
}

const (
	defaultReorderBy = 30 * time.Millisecond
	defaultQueue     = 200 * time.Millisecond
	headers          = 28 // bytes of IPv4 and UDP
)

func (l Link) check() error {
	for _, share := range []float64{l.Loss, l.Reorder, l.Duplicate} {
		if !(share >= 0 && share <= 1) {
			return errors.New("impair: a share of packets is not within 0 and 1")
		}
	}
	if l.Delay < 0 || l.Jitter < 0 || l.ReorderBy < 0 || l.Queue < 0 || l.Rate < 0 || !(l.Burst >= 0) {
		return errors.New("impair: a delay, rate or burst below zero")
	}
	if l.DriftPPM < -1e5 || l.DriftPPM > 1e5 || l.DriftPPM != l.DriftPPM {
		return errors.New("impair: the clocks drift by more than a tenth")
	}
	if l.Burst > 1 && l.Loss*(1+1/l.Burst) > 1 {
		return errors.New("impair: bursts that long cannot be that rare: take a smaller Loss or a longer Burst")
	}
	return nil
}

// Counts says what became of packets.
type Counts struct {
	Passed     uint64 // sent on; a doubled packet once
	Lost       uint64 // by Loss
	Overflowed uint64 // by Rate and Queue
	Dark       uint64 // while nothing passes
	Doubled    uint64
	Reordered  uint64
}

// Line is one direction of a network, in whatever time its caller keeps. It is not safe
// for concurrent use.
type Line struct {
	link   Link
	rand   *rand.Rand
	counts Counts

	began bool
	first time.Duration // when the first packet was sent
	last  time.Duration // when the last that was not held back arrives
	free  time.Duration // when the rate has room again
	bad   bool          // within a burst of loss
	dark  bool
}

// NewLine makes a direction. The same link, seed and packets give the same arrivals.
func NewLine(link Link, seed uint64) (*Line, error) {
	if err := link.check(); err != nil {
		return nil, err
	}
	return &Line{link: link, rand: rand.New(rand.NewPCG(seed, 0x1d872b41))}, nil
}

// Change takes another link from the next packet on.
func (l *Line) Change(link Link) error {
	if err := link.check(); err != nil {
		return err
	}
	l.link = link
	return nil
}

// Dark lets nothing pass, or everything that passed before.
func (l *Line) Dark(on bool) { l.dark = on }

// Counts is what became of the packets so far.
func (l *Line) Counts() Counts { return l.counts }

// Pass sends a packet of size bytes, without headers, at a time not before the last one's.
// It says when it arrives: n is 0, 1 or, if it was doubled, 2.
func (l *Line) Pass(sent time.Duration, size int) (arrives [2]time.Duration, n int) {
	if !l.began {
		l.began, l.first = true, sent
	}
	// Each packet takes as many numbers, whatever becomes of it, so that its fate does not
	// depend on that of others.
	loss, jitter, reorder, double := l.rand.Float64(), l.rand.Float64(), l.rand.Float64(), l.rand.Float64()
	switch lost := l.loses(loss); {
	case l.dark:
		l.counts.Dark++
		return arrives, 0
	case lost:
		l.counts.Lost++
		return arrives, 0
	}
	at, ok := l.queue(sent, size)
	if !ok {
		l.counts.Overflowed++
		return arrives, 0
	}
	at += l.link.Delay + time.Duration(jitter*float64(l.link.Jitter))
	at += time.Duration(float64(sent-l.first) * l.link.DriftPPM * 1e-6)
	at = max(at, sent)
	if reorder < l.link.Reorder {
		l.counts.Reordered++
		by := l.link.ReorderBy
		if by == 0 {
			by = defaultReorderBy
		}
		at = max(at, l.last) + by
	} else {
		at = max(at, l.last)
		l.last = at
	}
	l.counts.Passed++
	arrives, n = [2]time.Duration{at, at}, 1
	if double < l.link.Duplicate {
		l.counts.Doubled++
		n = 2
	}
	return arrives, n
}

// loses decides by a number within 0 and 1 whether the next packet is lost.
func (l *Line) loses(x float64) bool {
	if l.link.Burst <= 1 || l.link.Loss == 0 {
		l.bad = false
		return x < l.link.Loss
	}
	// A Gilbert channel: within a burst everything is lost. It ends with the probability
	// end, and begins so often that the share of loss is as asked.
	end := 1 / l.link.Burst
	if l.bad {
		l.bad = x >= end
	} else {
		l.bad = x < l.link.Loss*end/(1-l.link.Loss)
	}
	return l.bad
}

// queue says when a packet has left a link of the rate.
func (l *Line) queue(sent time.Duration, size int) (time.Duration, bool) {
	if l.link.Rate == 0 {
		return sent, true
	}
	most := l.link.Queue
	if most == 0 {
		most = defaultQueue
	}
	left := max(sent, l.free) + time.Duration((size+headers)*8)*time.Second/time.Duration(l.link.Rate)
	if left-sent > most {
		return 0, false
	}
	l.free = left
	return left, true
}
