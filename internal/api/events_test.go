package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
)

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// tuned is an open live stream.
type tuned struct {
	t   *testing.T
	res *http.Response
	in  *bufio.Reader
}

func (v *visitor) tune() *tuned {
	v.h.t.Helper()
	req, err := http.NewRequestWithContext(v.h.t.Context(), http.MethodGet, v.h.url+"/api/v1/events", nil)
	if err != nil {
		v.h.t.Fatal(err)
	}
	res, err := v.http.Do(req)
	if err != nil {
		v.h.t.Fatal(err)
	}
	v.h.t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		v.h.t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Content-Type"))
	}
	return &tuned{v.h.t, res, bufio.NewReader(res.Body)}
}

// next gives the next event; io errors, the end among them, are returned.
func (u *tuned) next() (kind, data string, err error) {
	for {
		line, err := u.in.ReadString('\n')
		if err != nil {
			return "", "", err
		}
		line = strings.TrimSuffix(line, "\n")
		switch {
		case line == "" && data != "":
			return kind, data, nil
		case strings.HasPrefix(line, "event: "):
			kind = line[len("event: "):]
		case strings.HasPrefix(line, "data: "):
			data = line[len("data: "):]
		}
	}
}

// want gives the next event, which must be of the kind.
func want[T any](u *tuned, kind string) T {
	u.t.Helper()
	var out T
	k, data, err := u.next()
	if err != nil || k != kind {
		u.t.Fatalf("wanted %s, got %q %s, %v", kind, k, data, err)
	}
	if err := json.Unmarshal([]byte(data), &out); err != nil {
		u.t.Fatalf("%s: %v in %s", kind, err, data)
	}
	return out
}

// hubReady waits until the hub listens to the bus, so that nothing published is missed.
func (h *house) hubReady() {
	h.t.Helper()
	for deadline := time.Now().Add(patience); h.bus.Subscribers() == 0; {
		if time.Now().After(deadline) {
			h.t.Fatal("the hub does not listen")
		}
		time.Sleep(time.Millisecond)
	}
}

func (h *house) publish(kind string, data any) {
	h.bus.Publish(events.Event{Kind: kind, At: nine(10), Data: data})
}

// publishEverything puts one event of each kind on the bus, for two agents, and a last
// verdict to know that all went by.
func (h *house) publishEverything() {
	snap := sampleSnapshot()
	h.publish(call.EventQueue, snap.Queues[0])
	h.publish(call.EventAgent, snap.Agents[0])
	h.publish(call.EventAgent, acd.AgentView{ID: "other", State: model.Offline})
	h.publish(call.EventCall, call.CallChange{Call: h.record.stories[0].Call, Event: h.record.stories[0].Events[0]})
	h.publish(call.EventReading, call.ReadingTaken{Agent: "agent", Headset: clippedHeadset, Tap: headset.TapMic, Reading: headset.Reading{At: 1}})
	h.publish(call.EventReading, call.ReadingTaken{Agent: "other", Tap: headset.TapMic, Reading: headset.Reading{At: 1}})
	h.publish(call.EventVerdict, sampleVerdict())
	h.publish("secret", map[string]string{"password": "hash"}) // kinds nobody announced stay inside
	h.publish(call.EventAgent, acd.AgentView{ID: "agent", State: model.Break, Reason: "the end"})
}

func TestALiveScreenBeginsWithThePictureAndThenSeesWhatChanges(t *testing.T) {
	h := open(t)
	h.hubReady()
	u := h.as("supervisor").tune()
	f := want[Floor](u, "floor")
	if len(f.Queues) != 1 || len(f.Agents) != 1 || f.Agents[0].Title != "The agent" || f.Agents[0].Mic == nil {
		t.Errorf("%+v", f)
	}
	h.publishEverything()
	if q := want[Queue](u, "queue"); q.LongestWaitS != 60 {
		t.Errorf("%+v", q)
	}
	if a := want[Agent](u, "agent"); a.Title != "The agent" || a.Headset == nil || a.Mic == nil {
		t.Errorf("an agent's event must be as whole as the list: %+v", a)
	}
	if a := want[Agent](u, "agent"); a.ID != "other" || a.State != model.Offline {
		t.Errorf("%+v", a)
	}
	if c := want[CallChange](u, "call"); c.Event.Kind != "arrived" || c.Call.ID != "call-9" {
		t.Errorf("%+v", c)
	}
	if r := want[ReadingTaken](u, "reading"); r.Agent != "agent" || r.Headset != clippedHeadset {
		t.Errorf("%+v", r)
	}
	want[ReadingTaken](u, "reading")
	if v := want[HeadsetJudged](u, "verdict"); v.Key != KeyOf(clippedHeadset) || v.Verdict.State != model.VerdictReplace {
		t.Errorf("%+v", v)
	}
	if a := want[Agent](u, "agent"); a.Reason != "the end" {
		t.Errorf("%+v", a)
	}
}

func TestALiveScreenSeesOnlyWhatItsRoleMay(t *testing.T) {
	h := open(t)
	h.hubReady()
	for who, want := range map[string]string{
		"agent":      "floor agent reading agent",
		"it":         "floor agent agent reading reading verdict agent",
		"supervisor": "floor queue agent agent call reading reading verdict agent",
		"admin":      "floor queue agent agent call reading reading verdict agent",
	} {
		u := h.as(who).tune()
		k, floor, err := u.next()
		if err != nil {
			t.Fatal(err)
		}
		if who != "supervisor" && who != "admin" && !strings.Contains(floor, `"queues":[]`) {
			t.Errorf("%s sees the queues: %s", who, floor)
		}
		kinds := []string{k}
		h.publishEverything()
		for {
			k, data, err := u.next()
			if err != nil {
				t.Fatal(err)
			}
			if who == "agent" && strings.Contains(data, "other") {
				t.Errorf("an agent saw another: %s", data)
			}
			kinds = append(kinds, k)
			if strings.Contains(data, "the end") {
				break
			}
		}
		if got := strings.Join(kinds, " "); got != want {
			t.Errorf("%s got %s\nwanted %s", who, got, want)
		}
	}
}

// stuckWriter is a client that does not read until it is told to.
type stuckWriter struct {
	mu     sync.Mutex
	header http.Header
	out    strings.Builder
	let    chan struct{}
	first  sync.Once
	stuck  chan struct{} // closed when a write hangs
}

func (w *stuckWriter) Header() http.Header              { return w.header }
func (w *stuckWriter) WriteHeader(int)                  {}
func (w *stuckWriter) Flush()                           {}
func (w *stuckWriter) SetWriteDeadline(time.Time) error { return nil }
func (w *stuckWriter) Write(b []byte) (int, error) {
	w.first.Do(func() { close(w.stuck) })
	<-w.let
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.Write(b)
}

func (w *stuckWriter) text() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.out.String()
}

func TestASlowScreenLosesEventsIsToldAndHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		s := h.server
		v := viewer{user: model.User{ID: "it", Roles: []model.Role{model.RoleIT}}}
		slow, ok := s.hub.open(v)
		if !ok {
			t.Fatal("no room")
		}
		fast, _ := s.hub.open(v)
		w := &stuckWriter{header: http.Header{}, let: make(chan struct{}), stuck: make(chan struct{})}
		go s.pump(t.Context(), w, slow, []byte("event: floor\ndata: {}\n\n"))
		<-w.stuck
		const n = streamBuffer + 100
		for i := range n {
			f, _ := makeFrame(kindReading, ReadingTaken{Agent: model.AgentID(fmt.Sprint(i))}, func(viewer) bool { return true })
			s.hub.broadcast(f)
			<-fast.frames // somebody who reads gets each at once
		}
		if fast.lost != 0 {
			t.Errorf("the fast reader lost %d", fast.lost)
		}
		close(w.let)
		synctest.Wait()
		out := w.text()
		if got := strings.Count(out, "event: reading"); got != streamBuffer {
			t.Errorf("%d events arrived, wanted the %d that fit", got, streamBuffer)
		}
		if !strings.Contains(out, "event: lost\ndata: {\"lost\":100}\n\n") || strings.Count(out, "event: lost") != 1 {
			t.Errorf("the reader must learn, once, of 100 lost events")
		}
		s.endStreams()
		synctest.Wait()
	})
}

func TestAQuietStreamBeatsAndEndsWithItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := build(t)
		_, token, _ := strings.Cut(signedIn4Test(t, h), "=")
		v, err := h.server.sessions.viewer(t.Context(), token)
		if err != nil {
			t.Fatal(err)
		}
		st, _ := h.server.hub.open(v)
		w := &stuckWriter{header: http.Header{}, let: make(chan struct{}), stuck: make(chan struct{})}
		close(w.let)
		ended := make(chan struct{})
		go func() { defer close(ended); h.server.pump(t.Context(), w, st, nil) }()
		time.Sleep(3*streamHeartbeat + time.Second)
		if got := strings.Count(w.text(), ": still here\n\n"); got != 3 {
			t.Errorf("%d heartbeats in 46 s", got)
		}
		// A store that does not answer is no reason to go dark.
		h.record.breakDown(errSecret)
		time.Sleep(streamHeartbeat)
		h.record.breakDown(nil)
		select {
		case <-ended:
			t.Fatal("the stream ended because the store hiccupped")
		default:
		}
		if _, err := h.server.sessions.end(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		time.Sleep(streamHeartbeat)
		synctest.Wait()
		select {
		case <-ended:
		default:
			t.Error("signed out, and still watching")
		}
	})
}

func TestStreamsEndWhenTheServiceStops(t *testing.T) {
	h := open(t)
	h.hubReady()
	u := h.as("it").tune()
	want[Floor](u, "floor")
	began := time.Now()
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := u.next(); err == nil {
		t.Error("the stream goes on")
	}
	if d := time.Since(began); d > shutdownTimeout/2 {
		t.Errorf("took %v", d)
	}
	if h.bus.Subscribers() != 0 {
		t.Error("the hub still listens")
	}
}

func TestThereIsRoomForABoundedNumberOfStreams(t *testing.T) {
	h := build(t)
	for range maxStreams {
		if _, ok := h.server.hub.open(viewer{}); !ok {
			t.Fatal("refused too early")
		}
	}
	if w := ask(h, "GET", pathEvents, "", "Cookie", signedIn4Test(t, h)); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d", w.Code)
	}
}

func TestWhenTheBusWasTooFastEverybodyIsTold(t *testing.T) {
	h := build(t)
	st, _ := h.server.hub.open(viewer{})
	h.server.hub.loseAll(7)
	if n := h.server.hub.takeLost(st); n != 7 {
		t.Errorf("%d", n)
	}
	if n := h.server.hub.takeLost(st); n != 0 {
		t.Errorf("told twice: %d", n)
	}
}
