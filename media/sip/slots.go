package sip

import (
	"net/netip"
	"sync"
	"time"
)

// Connections of those who have not shown who they are, at once: of one source and of all of
// them. Who may be known, since a phone is registered from the address or a live call is with
// it, has places of its own, as many as an office needs whose phones all start at once.
const (
	strangerConnections = 32
	strangersAtOnce     = 512
	likelyConnections   = 256
	likelyAtOnce        = 1024
	crowdEvery          = time.Second // asking for more than that is an offence this often
)

// slots are the places that such connections take. The zero value has all free.
type slots struct {
	mu    sync.Mutex
	taken map[place]*placeTaken
	total [2]int // of strangers, and of who is likely to be known
}

// place is what connections are counted by.
type place struct {
	source netip.Addr // visitorOf
	likely bool
}

type placeTaken struct {
	n       int
	crowded time.Time // when that was last said to be an offence
}

func (p place) index() int {
	if p.likely {
		return 1
	}
	return 0
}

// take takes a place. If there is none, offence says that it is the source's own doing: that
// others have taken them all is not, nor are the many connections of one moment.
func (s *slots) take(p place, now time.Time) (ok, offence bool) {
	most, inAll := strangerConnections, strangersAtOnce
	if p.likely {
		most, inAll = likelyConnections, likelyAtOnce
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.taken[p]
	switch {
	case t != nil && t.n >= most:
		if now.Sub(t.crowded) < crowdEvery {
			return false, false
		}
		t.crowded = now
		return false, true
	case s.total[p.index()] >= inAll:
		return false, false
	case t == nil:
		if s.taken == nil {
			s.taken = make(map[place]*placeTaken)
		}
		t = &placeTaken{}
		s.taken[p] = t
	}
	t.n++
	s.total[p.index()]++
	return true, false
}

// free gives a place back that was taken.
func (s *slots) free(p place) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total[p.index()]--
	if t := s.taken[p]; t.n > 1 {
		t.n--
	} else {
		delete(s.taken, p)
	}
}
