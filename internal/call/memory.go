package call

import (
	"slices"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
)

// How much is remembered of what a client said and where it was.
const (
	answersKept = 128
	legsKept    = 16
)

// answers remembers what the newest messages were answered, so that one that is sent
// again after a reconnect is not carried out twice. nil stands for "being carried out".
type answers struct {
	by    map[string]protocol.Message
	order []string
}

func newAnswers() answers { return answers{by: map[string]protocol.Message{}} }

func (m *answers) get(id string) (protocol.Message, bool) {
	r, ok := m.by[id]
	return r, ok
}

func (m *answers) put(id string, r protocol.Message) {
	if _, known := m.by[id]; !known {
		m.order = append(m.order, id)
		if len(m.order) > answersKept {
			delete(m.by, m.order[0])
			m.order = m.order[1:]
		}
	}
	m.by[id] = r
}

func (m *answers) forget(id string) {
	delete(m.by, id)
	for i, have := range m.order {
		if have == id {
			m.order = append(m.order[:i], m.order[i+1:]...)
			return
		}
	}
}

// legRef is where readings and reports of a call belong.
type legRef struct {
	call     model.CallID
	leg      model.LegID
	headset  model.HeadsetID
	journal  *journal
	reported bool // the microphone's report is stored
}

// legBook remembers an agent's last legs across sessions, so that a report that comes
// after a reconnect finds its place and nobody reports on a call that was not theirs.
type legBook struct {
	mu   sync.Mutex
	legs []legRef
}

func (b *legBook) add(r legRef) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.legs = append(b.legs, r)
	if len(b.legs) > legsKept {
		b.legs = append(b.legs[:0], b.legs[1:]...)
	}
}

// find gives the newest leg in a call.
func (b *legBook) find(call model.CallID) (legRef, bool) {
	return b.newest(func(r legRef) bool { return r.call == call })
}

// findWith gives the newest leg in a call with a headset.
func (b *legBook) findWith(call model.CallID, headset model.HeadsetID) (legRef, bool) {
	return b.newest(func(r legRef) bool { return r.call == call && r.headset == headset })
}

func (b *legBook) newest(is func(legRef) bool) (legRef, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range slices.Backward(b.legs) {
		if is(r) {
			return r, true
		}
	}
	return legRef{}, false
}

func (b *legBook) markReported(leg model.LegID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range b.legs {
		if b.legs[i].leg == leg {
			b.legs[i].reported = true
		}
	}
}

// rateLimit is a token bucket; the zero value is full.
type rateLimit struct {
	used float64
	at   time.Time
}

func (l *rateLimit) allow(now time.Time) bool {
	l.used = max(0, l.used-now.Sub(l.at).Seconds()*micRate)
	l.at = now
	if l.used+1 > micBurst {
		return false
	}
	l.used++
	return true
}
