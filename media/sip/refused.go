package sip

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// keptRefusals is how many calls that came to nothing are remembered of each trunk.
const keptRefusals = 16

// Refusal is an INVITE of a trunk that never became a call, and what was said: of such there
// is no record elsewhere.
type Refusal struct {
	At     time.Time
	Status int
	Reason string // as Stats.Refused counts it
	Words  string
	Ladder ladder.Record
}

// refusedCalls are the last of each trunk's. Strangers have none, however many they send, and
// of a trunk that is taken away they go when another call of any trunk is refused.
type refusedCalls struct {
	mu      sync.Mutex
	byTrunk map[string][]Refusal // the oldest first
}

// keep remembers that a trunk's INVITE was refused with res. It is called before res is sent.
func (r *refusedCalls) keep(req *sip.Request, res *sip.Response, trunk string, why error, known func(string) bool) {
	if req.Method != sip.INVITE || trunk == "" {
		return
	}
	row := refusals[rowOf(why)]
	kept := Refusal{At: time.Now(), Status: res.StatusCode, Reason: row.name, Words: row.err.Error()}
	var l ladder.Ladder
	invite := req.String()
	if tag := tagOf(res.To()); tag != "" { // ours, put there by prepare
		invite = strings.Replace(invite, ";tag="+tag, "", 1)
	}
	l.Add(kept.At, false, req.Transport(), req.Source(), invite)
	l.Add(kept.At, true, req.Transport(), req.Source(), res.String())
	kept.Ladder = l.Record()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byTrunk == nil {
		r.byTrunk = make(map[string][]Refusal)
	}
	for id := range r.byTrunk {
		if !known(id) {
			delete(r.byTrunk, id)
		}
	}
	list := append(r.byTrunk[trunk], kept)
	if n := len(list) - keptRefusals; n > 0 {
		list = slices.Delete(list, 0, n)
	}
	r.byTrunk[trunk] = list
}

// Refusals are the last calls of a trunk that were refused before they were calls, the newest
// first. They are forgotten with the process.
func (s *Server) Refusals(trunk string) []Refusal {
	s.ep.turned.mu.Lock()
	defer s.ep.turned.mu.Unlock()
	list := slices.Clone(s.ep.turned.byTrunk[trunk])
	slices.Reverse(list)
	return list
}

// refusalKept is refusal for a trunk's request, which is remembered if it would have been a call.
func (e *endpoint) refusalKept(req *sip.Request, trunk string, why error, headers ...sip.Header) *sip.Response {
	res := e.refusal(req, why, headers...)
	if tagOf(req.To()) == e.tagFor(req) { // which prepare gave to what opens a dialog
		e.turned.keep(req, res, trunk, why, e.knownTrunk)
	}
	return res
}

// knownTrunk says that there is a trunk of this name; a client has none.
func (e *endpoint) knownTrunk(id string) bool { return e.hasTrunk != nil && e.hasTrunk(id) }

// at is the trunk that has the address a request comes from, "" for a stranger.
func (e *endpoint) at(req *sip.Request) string {
	if e.whose == nil {
		return ""
	}
	return e.whose(source(req).Addr())
}
