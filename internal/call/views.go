package call

import (
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/guard"
	"github.com/headroom-voice/headroom/media/tap"
)

// Kinds of events on the bus, with the type of their data.
const (
	EventQueue   = "queue"   // acd.QueueView: a queue as it is now, on every change (at most 20 a second)
	EventAgent   = "agent"   // acd.AgentView: an agent as it is now; state "offline" when gone
	EventCall    = "call"    // CallChange: a line of a call's story
	EventReading = "reading" // ReadingTaken: one second of one agent at one tap
	EventVerdict = "verdict" // model.Verdict: what is now thought of a headset
)

// CallChange is one line of a call's story and the call as it is after it.
type CallChange struct {
	Call  model.Call      `json:"call"`
	Event model.CallEvent `json:"event"`
}

// ReadingTaken is one second at one tap of one agent. Call is empty between calls.
type ReadingTaken struct {
	Agent   model.AgentID   `json:"agent"`
	Headset model.HeadsetID `json:"headset,omitempty"`
	Call    model.CallID    `json:"call_id,omitempty"`
	Tap     headset.Tap     `json:"tap"`
	Reading headset.Reading `json:"reading"`
}

// AgentLive is what changes by the second about a signed-in agent. Mic and Wire are the
// last readings, nil before the first; Wire is nil between calls. Nobody may change them.
type AgentLive struct {
	Agent     model.AgentID
	Headset   model.HeadsetID
	Device    model.HeadsetInfo
	Verdict   model.VerdictState
	Call      model.CallID
	Mic, Wire *headset.Reading
	Connected bool // the client's link is up
	Media     bool // the media connection stands, or comes with each call
	Phone     bool // calls are taken on a SIP phone
}

// Stats are counters since start, except Backlog which is a gauge.
type Stats struct {
	CallsOffered  uint64 // callers that arrived on a trunk
	CallsAnswered uint64 // callers that spoke with an agent
	Dialled       uint64 // calls that agents placed
	Abandoned     uint64 // callers that left while waiting
	Rejected      uint64 // callers that were refused: unknown number, draining
	TurnedAway    uint64 // callers refused unrecorded, because the store is behind or the service stopped
	Requeued      uint64 // callers put back at the head of their queue
	Offers        uint64 // offers to agents
	RONA          uint64 // offers that nobody answered
	OffersFlagged uint64 // offers to agents whose headset is to be replaced
	ReadingsMic   uint64 // seconds measured at microphones, as clients sent them
	ReadingsWire  uint64 // seconds measured on the wire
	ReadingsShed  uint64 // seconds refused from a client that sent too many, or never stored because the store was behind
	Reports       uint64 // reports handed to the evidence service and stored
	LaddersShed   uint64 // SIP ladders never stored because the store was behind
	JournalTries  uint64 // writes that the store refused and that were tried again
	JournalLost   uint64 // lines set aside, or unwritten when the service ended
	Backlog       int64  // lines that wait for the store now

	Ears   guard.Stats   // what agents' ears were protected from
	Meters tap.PoolStats // how the wire meters keep up

	Outbound map[OutboundKey]uint64 // calls to numbers, transfers too, by what came of them
}

// OutboundKey tells calls to numbers apart. Trunk is the last that was tried, empty where
// there was none; Result is "answered" or the model.Cause of one that came to nothing.
type OutboundKey struct {
	Trunk  model.TrunkID
	Result string
}

// counters are Stats while they are counted.
type counters struct {
	callsOffered, callsAnswered, abandoned, rejected, turnedAway, requeued atomic.Uint64
	offers, rona, offersFlagged                                            atomic.Uint64
	readingsMic, readingsWire, readingsShed, reports                       atomic.Uint64
	laddersShed, journalTries, journalLost                                 atomic.Uint64
	journalWrites                                                          atomic.Uint64 // successes, to tell a bad line from a bad store
	backlog, ladders                                                       atomic.Int64
	dialled                                                                atomic.Uint64

	mu      sync.Mutex
	results map[OutboundKey]uint64
}

// outbound counts what came of a call to a number.
func (c *counters) outbound(trunk model.TrunkID, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.results == nil {
		c.results = map[OutboundKey]uint64{}
	}
	c.results[OutboundKey{trunk, result}]++
}

func (c *counters) outbounds() map[OutboundKey]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.results)
}

// Stats gives the counters; cheap enough for every scrape.
func (s *Switchboard) Stats() Stats {
	c := &s.count
	return Stats{
		CallsOffered: c.callsOffered.Load(), CallsAnswered: c.callsAnswered.Load(), Abandoned: c.abandoned.Load(),
		Rejected: c.rejected.Load(), TurnedAway: c.turnedAway.Load(), Requeued: c.requeued.Load(),
		Offers: c.offers.Load(), RONA: c.rona.Load(), OffersFlagged: c.offersFlagged.Load(),
		ReadingsMic: c.readingsMic.Load(), ReadingsWire: c.readingsWire.Load(), ReadingsShed: c.readingsShed.Load(),
		Reports:     c.reports.Load(),
		LaddersShed: c.laddersShed.Load(), JournalTries: c.journalTries.Load(), JournalLost: c.journalLost.Load(), Backlog: c.backlog.Load(),
		Dialled: c.dialled.Load(), Outbound: c.outbounds(), Ears: s.ears.Stats(), Meters: s.meters.Stats(),
	}
}

// Snapshot is the floor as it was at most 50 ms ago. Nobody may change it.
func (s *Switchboard) Snapshot() *acd.Snapshot { return s.snapshot.Load() }

// Live is what is known of every signed-in agent this second.
func (s *Switchboard) Live() []AgentLive {
	agents := *s.agents.Load()
	out := make([]AgentLive, 0, len(agents))
	for _, a := range agents {
		out = append(out, a.live())
	}
	return out
}

// Calls are the calls in progress, oldest first.
func (s *Switchboard) Calls() []model.Call {
	calls := *s.calls.Load()
	out := make([]model.Call, 0, len(calls))
	for _, c := range calls {
		out = append(out, *c.published.Load())
	}
	return out
}

func (s *Switchboard) publish(kind string, data any) {
	s.deps.Bus.Publish(events.Event{Kind: kind, At: time.Now(), Data: data})
}
