package api

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
)

// frame is one event as it goes over the wire, and who may have it.
type frame struct {
	text  []byte
	allow func(viewer) bool
}

// hub hands what is on the bus to the live streams: it writes each event's JSON once and
// drops, per reader, what does not fit into the reader's buffer. Nobody waits for a reader.
type hub struct {
	bus     Bus
	board   LiveFloor
	people  People
	metrics *metrics

	mu      sync.Mutex
	streams map[*stream]struct{}

	titles   map[model.AgentID]string // the hub's goroutine only
	titlesAt time.Time
}

// stream is one reader. lost is guarded by the hub's lock.
type stream struct {
	viewer viewer
	frames chan []byte
	lost   uint64
}

func newHub(deps Deps, m *metrics) *hub {
	return &hub{bus: deps.Bus, board: deps.Switchboard, people: deps.People, metrics: m, streams: make(map[*stream]struct{})}
}

// run forwards events until ctx ends or the bus closes.
func (h *hub) run(ctx context.Context) error {
	sub := h.bus.Subscribe(hubBuffer)
	defer sub.Close()
	var dropped uint64
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-sub.C:
			if !ok {
				<-ctx.Done() // a closed bus says nothing more; the streams go on with heartbeats
				return nil
			}
			if d := sub.Dropped(); d != dropped { // the hub itself was too slow: everybody lost something
				h.loseAll(d - dropped)
				dropped = d
			}
			if h.idle() {
				continue
			}
			if f, ok := h.frameOf(ctx, e); ok {
				h.broadcast(f)
			}
		}
	}
}

func (h *hub) idle() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.streams) == 0
}

// open adds a reader; false when there are too many.
func (h *hub) open(v viewer) (*stream, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.streams) >= maxStreams {
		return nil, false
	}
	st := &stream{viewer: v, frames: make(chan []byte, streamBuffer)}
	h.streams[st] = struct{}{}
	h.metrics.streams.Inc()
	return st, true
}

func (h *hub) close(st *stream) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.streams, st)
	h.metrics.streams.Dec()
}

func (h *hub) broadcast(f frame) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for st := range h.streams {
		if !f.allow(st.viewer) {
			continue
		}
		select {
		case st.frames <- f.text:
		default:
			st.lost++
			h.metrics.lost.Inc()
		}
	}
}

func (h *hub) loseAll(n uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for st := range h.streams {
		st.lost += n
		h.metrics.lost.Add(float64(n))
	}
}

// takeLost gives how much the reader lost since it was last asked.
func (h *hub) takeLost(st *stream) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	n := st.lost
	st.lost = 0
	return n
}

// setViewer renews what a reader may see.
func (h *hub) setViewer(st *stream, v viewer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	st.viewer = v
}

// frameOf turns a bus event into a frame. Kinds that are not in this table stay inside.
func (h *hub) frameOf(ctx context.Context, e events.Event) (frame, bool) {
	switch d := e.Data.(type) {
	case acd.QueueView:
		return makeFrame(kindQueue, queueOf(d, e.At), func(v viewer) bool { return v.may(maySeeQueues) })
	case acd.AgentView:
		a := agentOf(d, h.title(ctx, d.ID), liveOf(h.board, d.ID))
		return makeFrame(kindAgent, a, func(v viewer) bool { return v.sees(maySeeAgents, d.ID) })
	case call.CallChange:
		return makeFrame(kindCall, CallChange{Call: Call(d.Call), Event: CallEvent(d.Event)},
			func(v viewer) bool { return v.may(maySeeCalls) })
	case call.ReadingTaken:
		return makeFrame(kindReading,
			ReadingTaken{Agent: d.Agent, Headset: d.Headset, Call: d.Call, Tap: d.Tap, Reading: Reading(d.Reading)},
			func(v viewer) bool { return v.sees(maySeeAgents, d.Agent) })
	case model.Verdict:
		return h.verdictFrame(d)
	default:
		return frame{}, false
	}
}

// verdictFrame tells a verdict to those who see every headset; whoever wears it learns of
// it over the agent's link.
func (h *hub) verdictFrame(j model.Verdict) (frame, bool) {
	return makeFrame(kindVerdict, HeadsetJudged{Headset: j.Headset, Key: KeyOf(j.Headset), Verdict: verdictOf(j)},
		func(v viewer) bool { return v.may(maySeeHeadsets) })
}

func makeFrame(kind string, data any, allow func(viewer) bool) (frame, bool) {
	text, err := sseText(kind, data)
	return frame{text: text, allow: allow}, err == nil
}

// sseText writes one server-sent event. JSON holds no line break, so one data line does.
func sseText(kind string, data any) ([]byte, error) {
	b, err := json.Marshal(data)
	if err != nil {
		return nil, fmt.Errorf("write %s event: %w", kind, err)
	}
	out := make([]byte, 0, len(b)+len(kind)+24)
	out = append(out, "event: "...)
	out = append(out, kind...)
	out = append(out, "\ndata: "...)
	out = append(out, b...)
	return append(out, "\n\n"...), nil
}

func liveOf(board LiveFloor, id model.AgentID) *call.AgentLive {
	for _, l := range board.Live() {
		if l.Agent == id {
			return &l
		}
	}
	return nil
}

// title gives an agent's readable name; the site is read again every few seconds.
func (h *hub) title(ctx context.Context, id model.AgentID) string {
	if time.Since(h.titlesAt) >= siteRefresh {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if site, err := h.people.Site(ctx); err == nil {
			h.titles = titlesOf(site)
		} // else the old names do
		h.titlesAt = time.Now()
	}
	return h.titles[id]
}
