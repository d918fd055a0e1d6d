package record

import (
	"sync"
	"time"

	"github.com/headroom-voice/headroom/dsp"
)

const (
	ringSamples = 1 << 15 // two seconds at 16 kHz
	ringBlocks  = 256     // of 10 ms: more than two seconds
	quietPeak   = 64      // of 32768, -54 dBov: samples below may be left out or doubled unheard
)

// block is what a tap was offered at once.
type block struct {
	arrival time.Duration // of its last sample, since the recording began
	n       int           // samples
	rate    int           // Hz
	silent  bool          // it has no samples in the ring
	quiet   bool          // nothing in it can be heard
}

// ring holds what one side said until a writer takes it. Its lock is held for a copy only.
type ring struct {
	mu      sync.Mutex
	samples [ringSamples]int16
	first   int // sample
	held    int // samples
	blocks  [ringBlocks]block
	head    int // block
	count   int // blocks
	shed    time.Duration
	quiet   int // how many want silence: a pause, secret digits
	since   time.Duration
	until   time.Duration
}

// put adds what was heard, as silence while somebody wants that. Where there is no room the
// oldest goes.
func (r *ring) put(pcm []float32, rate int, silent bool, at time.Duration) {
	if len(pcm) == 0 || len(pcm) > ringSamples || rate <= 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := block{arrival: at, n: len(pcm), rate: rate, silent: silent || r.quiet > 0, quiet: true}
	need := len(pcm)
	if b.silent {
		need = 0
	}
	for r.count == ringBlocks || r.held+need > ringSamples {
		r.drop()
	}
	if !b.silent {
		peak := int16(0)
		to := r.first + r.held
		for i, x := range pcm {
			v := toInt16(x)
			r.samples[(to+i)%ringSamples] = v
			peak = max(peak, v, -(v + 1))
		}
		r.held += need
		b.quiet = peak < quietPeak
	}
	r.blocks[(r.head+r.count)%ringBlocks] = b
	r.count++
}

func toInt16(x float32) int16 {
	x *= 32768
	switch {
	case x >= 32767:
		return 32767
	case x <= -32768:
		return -32768
	case x != x: // not a number
		return 0
	case x < 0:
		return int16(x - 0.5)
	}
	return int16(x + 0.5)
}

func (r *ring) drop() {
	b := &r.blocks[r.head]
	if !b.silent {
		r.first = (r.first + b.n) % ringSamples
		r.held -= b.n
	}
	r.shed += time.Duration(b.n) * time.Second / time.Duration(b.rate)
	r.head = (r.head + 1) % ringBlocks
	r.count--
}

// take moves everything to the writer's own memory and says between which times nothing is to
// be kept of what it already had.
func (r *ring) take(blocks []block, samples []int16) ([]block, []int16, time.Duration, time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for ; r.count > 0; r.count-- {
		blocks = append(blocks, r.blocks[r.head])
		r.head = (r.head + 1) % ringBlocks
	}
	n := min(r.held, ringSamples-r.first)
	samples = append(samples, r.samples[r.first:r.first+n]...)
	samples = append(samples, r.samples[:r.held-n]...)
	clear(r.samples[r.first : r.first+n]) // nothing said stays in memory for longer than it must
	clear(r.samples[:r.held-n])
	r.first, r.held = 0, 0
	until := r.until
	if r.quiet > 0 {
		until = 1<<63 - 1
	}
	return blocks, samples, r.since, until
}

// hush wants silence from before on, or lets go. What lies in the ring since then is emptied.
func (r *ring) hush(on bool, now, before time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !on {
		if r.quiet--; r.quiet == 0 {
			r.until = now
		}
		return
	}
	if r.quiet++; r.quiet > 1 {
		return
	}
	if now-before > r.until { // otherwise it goes on from the last one
		r.since = now - before
	}
	at := r.first
	for i := range r.count {
		b := &r.blocks[(r.head+i)%ringBlocks]
		if b.silent {
			continue
		}
		if b.arrival >= r.since {
			for j := range b.n {
				r.samples[(at+j)%ringSamples] = 0
			}
			b.quiet = true
		}
		at += b.n
	}
}

func (r *ring) lost() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shed
}

// unheard says which frames were meant for nobody.
func unheard(mark dsp.Mark) bool { return mark&dsp.Held != 0 }
