package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

// tapeShelf is a house's recordings: one, of call-9.
type tapeShelf struct {
	rec    model.Recording
	heard  []model.AgentID
	closed int
	orders []string
	err    error
}

type tapeAudio struct {
	*bytes.Reader
	s *tapeShelf
}

func (t tapeAudio) Close() error      { t.s.closed++; return nil }
func (tapeAudio) ContentType() string { return "audio/wav" }
func (tapeAudio) Name() string        { return "call-9.r1.wav" }

func (s *tapeShelf) Of(context.Context, model.CallID) ([]model.Recording, error) {
	return []model.Recording{s.rec}, s.err
}

func (s *tapeShelf) Listen(_ context.Context, id model.RecordingID, by model.AgentID) (Audio, model.Recording, error) {
	if s.err != nil || id != s.rec.ID {
		return nil, model.Recording{}, errors.Join(s.err, store.ErrNotFound)
	}
	s.heard = append(s.heard, by)
	return tapeAudio{bytes.NewReader([]byte("RIFF, and what was said")), s}, s.rec, nil
}

func (s *tapeShelf) Record(_ context.Context, id model.CallID, action call.RecordAction, by model.AgentID, own bool) error {
	if own {
		by += " (own)"
	}
	s.orders = append(s.orders, string(id)+" "+string(action)+" "+string(by))
	return s.err
}

func (s *tapeShelf) Hold(_ context.Context, id model.RecordingID, by model.AgentID, why string) (model.Recording, error) {
	r := s.rec
	r.ID = id
	r.Hold = &model.RecordingHold{By: by, At: time.Unix(9, 0).UTC(), Why: why}
	return r, s.err
}

func (s *tapeShelf) Lift(context.Context, model.RecordingID, model.AgentID) (model.Recording, error) {
	return s.rec, s.err
}

func (s *tapeShelf) Delete(_ context.Context, id model.RecordingID, by model.AgentID) error {
	s.orders = append(s.orders, "delete "+string(id)+" "+string(by))
	return s.err
}

func (s *tapeShelf) Problem() string { return "the disk is full" }

func newTapeShelf(t *testing.T) (*tapeShelf, *house) {
	ended := time.Unix(60, 0).UTC()
	s := &tapeShelf{rec: model.Recording{ID: "call-9.r1", Call: "call-9", StartedAt: time.Unix(1, 0).UTC(), EndedAt: &ended, Length: 59 * time.Second, Format: "wav", State: model.RecordingComplete, Hash: "beef"}}
	return s, open(t, func(_ *Config, deps *Deps) { deps.Recordings = s })
}

func TestASupervisorListensInWholeAndInPart(t *testing.T) {
	s, h := newTapeShelf(t)
	v := h.as("supervisor")
	list := read[RecordingList](v, "/api/v1/calls/call-9/recordings")
	if len(list.Recordings) != 1 || !list.Recordings[0].Playable || list.Recordings[0].Length != 59 || list.Problem == "" {
		t.Errorf("%+v", list)
	}
	res := v.get("/api/v1/recordings/call-9.r1/audio")
	if res.status != http.StatusOK || res.body != "RIFF, and what was said" || res.header.Get("Content-Type") != "audio/wav" ||
		!strings.Contains(res.header.Get("Cache-Control"), "no-store") || !strings.Contains(res.header.Get("Content-Disposition"), "call-9.r1.wav") {
		t.Errorf("%d %q %v", res.status, res.body, res.header)
	}
	if res := v.do("GET", "/api/v1/recordings/call-9.r1/audio", "", "Range", "bytes=6-8"); res.status != http.StatusPartialContent || res.body != "and" {
		t.Errorf("in part: %d %q", res.status, res.body)
	}
	if len(s.heard) != 2 || s.heard[0] != "supervisor" || s.closed != 2 {
		t.Errorf("heard by %v, %d closed", s.heard, s.closed)
	}
	if res := v.get("/api/v1/recordings/call-9.r2/audio"); res.status != http.StatusNotFound {
		t.Errorf("an unknown one: %d", res.status)
	}
	s.err = ErrRecordingGone
	if res := v.get("/api/v1/recordings/call-9.r1/audio"); res.status != http.StatusGone && res.status != http.StatusNotFound {
		t.Errorf("a deleted one: %d", res.status)
	}
}

func TestARecordingIsOrderedByWhoMay(t *testing.T) {
	s, h := newTapeShelf(t)
	post := func(who, body string) int {
		return h.as(who).do(http.MethodPost, "/api/v1/calls/call-9/recording", body).status
	}
	if got := post("supervisor", `{"action":"start"}`); got != http.StatusNoContent {
		t.Errorf("a supervisor: %d", got)
	}
	if got := post("agent", `{"action":"pause"}`); got != http.StatusNoContent {
		t.Errorf("an agent: %d", got)
	}
	if got := strings.Join(s.orders, ", "); got != "call-9 start supervisor, call-9 pause agent (own)" {
		t.Errorf("asked: %s", got)
	}
	for _, c := range []struct {
		err  error
		want int
	}{
		{call.ErrNoCall, 404},
		{&call.Denial{Code: protocol.CodeNotAllowed, Text: "no"}, 403},
		{&call.Denial{Code: protocol.CodeNotNow, Text: "no"}, 409},
		{&call.Denial{Code: protocol.CodeInternal, Text: "no"}, 503},
		{io.ErrUnexpectedEOF, 500},
	} {
		s.err = c.err
		if got := post("supervisor", `{"action":"stop"}`); got != c.want {
			t.Errorf("%v: %d, wanted %d", c.err, got, c.want)
		}
	}
	if got := post("supervisor", `{"action":"burn"}`); got != http.StatusUnprocessableEntity {
		t.Errorf("an unknown action: %d", got)
	}
}

func TestHoldsAndDeletionsSayWhatIsInTheWay(t *testing.T) {
	s, h := newTapeShelf(t)
	res := h.as("supervisor").do(http.MethodPut, "/api/v1/recordings/call-9.r1/hold", `{"why":"case 4711"}`)
	if res.status != http.StatusOK || !strings.Contains(res.body, `"why":"case 4711"`) || !strings.Contains(res.body, `"by":"supervisor"`) || !strings.Contains(res.body, `"id":"call-9.r1"`) {
		t.Errorf("%d %s", res.status, res.body)
	}
	admin := h.as("admin")
	if res := admin.do(http.MethodDelete, "/api/v1/recordings/call-9.r1/hold", ""); res.status != http.StatusOK {
		t.Errorf("lifted: %d", res.status)
	}
	for err, want := range map[error]int{nil: 204, store.ErrHeld: 409, ErrRecordingLive: 409, store.ErrNotFound: 404, ErrRecordingGone: 410} {
		s.err = err
		if res := admin.do(http.MethodDelete, "/api/v1/recordings/call-9.r1", ""); res.status != want {
			t.Errorf("%v: %d, wanted %d", err, res.status, want)
		}
	}
}
