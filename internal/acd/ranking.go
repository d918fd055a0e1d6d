package acd

// ranking keeps things in an order in which only the first is ever asked for, and from
// which any can leave: a binary heap that knows where everything stands. push and remove
// cost a logarithm.
type ranking[T comparable] struct {
	before func(a, b T) bool // a strict total order that does not change while inside
	items  []T
	at     map[T]int
}

func newRanking[T comparable](before func(a, b T) bool) *ranking[T] {
	return &ranking[T]{before: before, at: map[T]int{}}
}

func (r *ranking[T]) len() int { return len(r.items) }

// first is the foremost, or false when nothing is there.
func (r *ranking[T]) first() (T, bool) {
	if len(r.items) == 0 {
		var none T
		return none, false
	}
	return r.items[0], true
}

// push adds x; one that is there already stays where it is.
func (r *ranking[T]) push(x T) {
	if _, ok := r.at[x]; ok {
		return
	}
	r.items = append(r.items, x)
	r.at[x] = len(r.items) - 1
	r.up(len(r.items) - 1)
}

// remove takes x out and reports whether it was there.
func (r *ranking[T]) remove(x T) bool {
	i, ok := r.at[x]
	if !ok {
		return false
	}
	last := len(r.items) - 1
	r.swap(i, last)
	var none T
	r.items[last] = none // let it be collected
	r.items = r.items[:last]
	delete(r.at, x)
	if i < last {
		r.down(i)
		r.up(i)
	}
	return true
}

func (r *ranking[T]) up(i int) {
	for i > 0 {
		parent := (i - 1) / 2
		if !r.before(r.items[i], r.items[parent]) {
			return
		}
		r.swap(i, parent)
		i = parent
	}
}

func (r *ranking[T]) down(i int) {
	for {
		child := 2*i + 1
		if child >= len(r.items) {
			return
		}
		if right := child + 1; right < len(r.items) && r.before(r.items[right], r.items[child]) {
			child = right
		}
		if !r.before(r.items[child], r.items[i]) {
			return
		}
		r.swap(i, child)
		i = child
	}
}

func (r *ranking[T]) swap(i, j int) {
	if i == j {
		return
	}
	r.items[i], r.items[j] = r.items[j], r.items[i]
	r.at[r.items[i]], r.at[r.items[j]] = i, j
}
