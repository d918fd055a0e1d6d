package headset

// ring keeps the newest values until they are fetched, oldest first.
type ring[T any] struct {
	values  []T
	first   int // index of the oldest
	waiting int
}

func newRing[T any](size int) ring[T] { return ring[T]{values: make([]T, size)} }

func (r *ring[T]) reset() { r.first, r.waiting = 0, 0 }

func (r *ring[T]) push(v T) {
	if r.waiting == len(r.values) {
		r.first = (r.first + 1) % len(r.values)
		r.waiting--
	}
	r.values[(r.first+r.waiting)%len(r.values)] = v
	r.waiting++
}

func (r *ring[T]) peek() (T, bool) { return r.values[r.first], r.waiting > 0 }

func (r *ring[T]) pop() (T, bool) {
	if r.waiting == 0 {
		var none T
		return none, false
	}
	v := r.values[r.first]
	r.first = (r.first + 1) % len(r.values)
	r.waiting--
	return v, true
}
