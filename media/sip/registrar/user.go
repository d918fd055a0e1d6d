package registrar

import (
	"container/heap"
	"context"
	"fmt"
	"time"
)

// user is one address-of-record. Registrar.mu guards what has no word of its own.
type user struct {
	name     string
	busy     chan struct{} // full while a change is made and stored, so that those of one user are stored in order and nobody else waits
	bindings []Binding
	due      time.Time // when the first of them expires
	place    int       // in Registrar.due; -1 with no bindings

	tokens float64 // REGISTER requests that are left
	asked  time.Time

	stored []Binding // what the store has, if saved; of whoever holds busy
	saved  bool
}

// lock waits for changes of the user's that are under way.
func (u *user) lock(ctx context.Context) error {
	select {
	case u.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", ErrBusy, context.Cause(ctx))
	}
}

func (u *user) unlock() { <-u.busy }

func (r *Registrar) user(name string) *user {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.users[name]
	if u == nil {
		u = &user{name: name, busy: make(chan struct{}, 1), place: -1}
		r.users[name] = u
	}
	return u
}

// allow says that another REGISTER of the user's is in time: of a token bucket of one second.
func (r *Registrar) allow(u *user, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	rate := float64(r.cfg.PerSecond)
	if u.asked.IsZero() {
		u.tokens = rate
	} else if d := now.Sub(u.asked); d > 0 {
		u.tokens = min(rate, u.tokens+d.Seconds()*rate)
	}
	u.asked = now
	if u.tokens < 1 {
		return false
	}
	u.tokens--
	return true
}

// put makes bindings the ones in force.
func (r *Registrar) put(u *user, bindings []Binding) {
	r.mu.Lock()
	for _, b := range u.bindings {
		if r.sources[b.Source]--; r.sources[b.Source] <= 0 {
			delete(r.sources, b.Source)
		}
		if r.hosts[b.Source.Addr()]--; r.hosts[b.Source.Addr()] <= 0 {
			delete(r.hosts, b.Source.Addr())
		}
	}
	for _, b := range bindings {
		r.sources[b.Source]++
		r.hosts[b.Source.Addr()]++
	}
	u.bindings = bindings
	was := r.due.first()
	r.due.enter(u)
	sooner := !r.due.first().Equal(was)
	r.mu.Unlock()
	if sooner {
		select {
		case r.wake <- struct{}{}:
		default:
		}
	}
}

// deadlines are the users with bindings, a heap by when the first of them expires.
type deadlines []*user

// first is the earliest of all; zero if there is none.
func (d deadlines) first() time.Time {
	if len(d) == 0 {
		return time.Time{}
	}
	return d[0].due
}

// enter puts a user where its bindings belong.
func (d *deadlines) enter(u *user) {
	for i, b := range u.bindings {
		if i == 0 || b.Expires.Before(u.due) {
			u.due = b.Expires
		}
	}
	switch {
	case len(u.bindings) > 0 && u.place < 0:
		heap.Push(d, u)
	case len(u.bindings) > 0:
		heap.Fix(d, u.place)
	case u.place >= 0:
		heap.Remove(d, u.place)
	}
}

// Len is part of heap.Interface.
func (d deadlines) Len() int { return len(d) }

// Less is part of heap.Interface.
func (d deadlines) Less(i, j int) bool { return d[i].due.Before(d[j].due) }

// Swap is part of heap.Interface.
func (d deadlines) Swap(i, j int) {
	d[i], d[j] = d[j], d[i]
	d[i].place, d[j].place = i, j
}

// Push is part of heap.Interface.
func (d *deadlines) Push(x any) {
	u := x.(*user) //nolint:forcetypeassert // enter gives no other
	u.place = len(*d)
	*d = append(*d, u)
}

// Pop is part of heap.Interface.
func (d *deadlines) Pop() any {
	old := *d
	u := old[len(old)-1]
	old[len(old)-1] = nil
	*d, u.place = old[:len(old)-1], -1
	return u
}
