package carrier

import (
	"cmp"
	"slices"
	"time"
)

// State is how it is with one trunk.
type State struct {
	Trunk        string
	Registration *Registered // nil = the trunk wants none
	Servers      []Server    // that have been asked or tried, in the order of their addresses
}

// Server is one address of a trunk.
type Server struct {
	Target    string // the URI that led to it
	Address   string // with its transport
	State     Health
	Since     time.Time
	Checked   time.Time     // last asked by OPTIONS; zero = never
	Status    int           // what it said; 0 = nothing
	RoundTrip time.Duration // of the last OPTIONS that was answered
	Words     string        // why it is down
}

// States is a snapshot, in the order of SetTrunks.
func (c *Carrier) States() []State {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]State, 0, len(c.trunks))
	for _, t := range c.trunks {
		s := State{Trunk: t.ID}
		if t.Register.On {
			s.Registration = &Registered{State: Trying}
			if r := c.states[t.ID]; r != nil {
				*s.Registration = *r
			}
			if r := s.Registration; r.State == Here && time.Now().After(r.Until) {
				r.State = Trying // a renewal is late, and the registrar has forgotten us
			}
		}
		for h, k := range c.health {
			if h.trunk == t.ID {
				s.Servers = append(s.Servers, Server{Target: k.uri, Address: h.String(), State: k.state, Since: k.since,
					Checked: k.checked, Status: k.status, RoundTrip: k.trip, Words: k.words})
			}
		}
		slices.SortFunc(s.Servers, func(a, b Server) int { return cmp.Compare(a.Address, b.Address) })
		out = append(out, s)
	}
	return out
}
