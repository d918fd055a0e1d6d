package audio

import "sync/atomic"

// Ring carries samples between two goroutines without a lock: one writes, one reads.
// A sound card's callback can use either end, since neither waits.
type Ring struct {
	buf   []float32
	mask  uint64
	read  atomic.Uint64 // samples read so far; written by the reader only
	write atomic.Uint64 // samples written so far; written by the writer only
}

// NewRing makes a ring that holds at least n samples.
func NewRing(n int) *Ring {
	size := 1
	for size < n {
		size *= 2
	}
	return &Ring{buf: make([]float32, size), mask: uint64(size - 1)}
}

// Len is the number of samples waiting.
func (r *Ring) Len() int { return int(r.write.Load() - r.read.Load()) }

// Cap is the number of samples it can hold.
func (r *Ring) Cap() int { return len(r.buf) }

// Write copies as much of p as there is room for and returns how much that was. For the
// writing goroutine.
func (r *Ring) Write(p []float32) int {
	at := r.write.Load()
	n := min(len(p), len(r.buf)-int(at-r.read.Load()))
	r.copyIn(at, p[:n])
	r.write.Store(at + uint64(n))
	return n
}

func (r *Ring) copyIn(at uint64, p []float32) {
	done := copy(r.buf[at&r.mask:], p)
	copy(r.buf, p[done:])
}

// Read fills as much of p as there are samples and returns how much that was. For the
// reading goroutine.
func (r *Ring) Read(p []float32) int {
	at := r.read.Load()
	n := min(len(p), int(r.write.Load()-at))
	done := copy(p[:n], r.buf[at&r.mask:])
	copy(p[done:n], r.buf)
	r.read.Store(at + uint64(n))
	return n
}
