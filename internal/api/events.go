package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
)

const pathEvents = "/api/v1/events"

// Bounds of the live streams.
const (
	hubBuffer        = 4096             // bus events the hub may be behind
	streamBuffer     = 512              // frames one reader may be behind
	maxStreams       = 500              // readers at once
	streamHeartbeat  = 15 * time.Second // a comment this often keeps proxies from giving up
	streamWriteLimit = 10 * time.Second // for one write, before a reader is taken for gone
	siteRefresh      = 5 * time.Second  // names of agents are at most this old
)

// The kinds of events on a live stream.
const (
	kindFloor   = "floor"   // Floor, first
	kindQueue   = "queue"   // Queue
	kindAgent   = "agent"   // Agent
	kindCall    = "call"    // CallChange
	kindReading = "reading" // ReadingTaken
	kindVerdict = "verdict" // HeadsetJudged
	kindLost    = "lost"    // Lost
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

// floorFor is the picture a stream begins with.
func (s *Server) floorFor(ctx context.Context, v viewer) (Floor, error) {
	titles, err := s.titles(ctx)
	if err != nil {
		return Floor{}, err
	}
	snap := s.deps.Switchboard.Snapshot()
	f := Floor{At: snap.At, Queues: []Queue{}, Agents: []Agent{}}
	if v.may(maySeeQueues) {
		f.Queues = each(snap.Queues, func(q acd.QueueView) Queue { return queueOf(q, snap.At) })
	}
	for _, a := range signedIn(snap, titles, s.deps.Switchboard.Live()) {
		if v.sees(maySeeAgents, a.ID) {
			f.Agents = append(f.Agents, a)
		}
	}
	return f, nil
}

// openEvents is GET /api/v1/events.
func (s *Server) openEvents(ctx context.Context, _ *struct{}) (*huma.StreamResponse, error) {
	v, _ := viewerOf(ctx)
	st, ok := s.hub.open(v) // before the picture is taken, so that no change falls between
	if !ok {
		return nil, huma.Error503ServiceUnavailable("too many live streams are open")
	}
	floor, err := s.floorFor(ctx, v)
	if err != nil {
		s.hub.close(st)
		return nil, err
	}
	first, err := sseText(kindFloor, floor)
	if err != nil {
		s.hub.close(st)
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer s.hub.close(st)
		_, w := humachi.Unwrap(hctx)
		s.pump(ctx, w, st, first)
	}}, nil
}

// pump writes a stream until the reader, its session or the server is gone.
func (s *Server) pump(ctx context.Context, w http.ResponseWriter, st *stream, first []byte) {
	rc := http.NewResponseController(w)
	send := func(b []byte) bool {
		if err := rc.SetWriteDeadline(time.Now().Add(streamWriteLimit)); err != nil {
			return false
		}
		if _, err := w.Write(b); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // a buffering proxy would hold events back
	beat := time.NewTicker(streamHeartbeat)
	defer beat.Stop()
	ok := send(append([]byte("retry: 2000\n\n"), first...))
	for ok {
		select {
		case <-ctx.Done():
			return
		case <-s.closing:
			return
		case b := <-st.frames:
			ok = s.sendLost(st, send) && send(b)
		case <-beat.C:
			ok = s.sendLost(st, send) && send([]byte(": still here\n\n")) && s.renewStream(ctx, st)
		}
	}
}

// sendLost tells a reader that fell behind how much it missed.
func (s *Server) sendLost(st *stream, send func([]byte) bool) bool {
	n := s.hub.takeLost(st)
	if n == 0 {
		return true
	}
	return send([]byte("event: " + kindLost + "\ndata: {\"lost\":" + strconv.FormatUint(n, 10) + "}\n\n"))
}

// renewStream looks again who is reading: a session that ended ends its streams, and a
// role that was taken away takes effect. A store that cannot answer changes nothing.
func (s *Server) renewStream(ctx context.Context, st *stream) bool {
	v, ok := s.lookAgain(ctx, st.viewer)
	if ok {
		s.hub.setViewer(st, v)
	}
	return ok && v.mayOwn(mayWatch)
}

// registerEvents adds the live stream, with the data of every kind in the document.
func (s *Server) registerEvents() {
	o := op(http.MethodGet, pathEvents, "events", "Live", "What happens, as server-sent events")
	o.Description = "The first event is floor, the picture that the others change. A reader that falls behind gets a lost event " +
		"and should fetch anew. Every 15 s a comment is sent. Each event is sent only to those whose role may see it."
	o.Errors = []int{http.StatusServiceUnavailable}
	schemas := s.huma.OpenAPI().Components.Schemas
	var kinds []*huma.Schema
	for _, k := range eventKinds() {
		kinds = append(kinds, &huma.Schema{Type: huma.TypeObject, Required: []string{"event", "data"}, Properties: map[string]*huma.Schema{
			"event": {Type: huma.TypeString, Enum: []any{k.kind}},
			"data":  schemas.Schema(k.data, true, k.kind),
		}})
	}
	o.Responses = map[string]*huma.Response{"200": {
		Description: "Each event is one of these",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{OneOf: kinds}}},
	}}
	register(s, o, mayWatch, s.openEvents)
}
