package api

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/headroom-voice/headroom/internal/acd"
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

// floorFor is the picture a stream begins with.
func (s *Server) floorFor(ctx context.Context, v viewer) (Floor, error) {
	titles, err := s.titles(ctx)
	if err != nil {
		return Floor{}, err
	}
	snap, now := s.deps.Switchboard.Snapshot(), s.now()
	f := Floor{At: now, Queues: []Queue{}, Agents: []Agent{}}
	if v.may(maySeeQueues) {
		f.Queues = each(snap.Queues, func(q acd.QueueView) Queue { return queueOf(q, now) })
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
		if err := rc.Flush(); err != nil {
			return false
		}
		return rc.SetWriteDeadline(time.Time{}) == nil // none while there is nothing to say
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

// eventKind is one kind of live event and the type of its data.
type eventKind struct {
	kind string
	data reflect.Type
}

// eventKinds is every kind of live event, for the OpenAPI document.
func eventKinds() []eventKind {
	return []eventKind{
		{kindFloor, reflect.TypeFor[Floor]()},
		{kindQueue, reflect.TypeFor[Queue]()},
		{kindAgent, reflect.TypeFor[Agent]()},
		{kindCall, reflect.TypeFor[CallChange]()},
		{kindReading, reflect.TypeFor[ReadingTaken]()},
		{kindVerdict, reflect.TypeFor[HeadsetJudged]()},
		{kindLost, reflect.TypeFor[Lost]()},
	}
}
