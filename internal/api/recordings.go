package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

// Audio is a recording in the clear; its reader decrypts as it goes.
type Audio interface {
	io.ReadSeekCloser
	ContentType() string
	Name() string // of a file
}

// ErrRecordingGone is what a recording gives that was deleted, or of which there is nothing.
var ErrRecordingGone = errors.New("api: the recording is gone")

// ErrRecordingLive is what deleting a recording gives that goes on.
var ErrRecordingLive = errors.New("api: the recording goes on")

// Recordings is what was recorded of calls, and what is done with it (internal/service).
type Recordings interface {
	Of(ctx context.Context, call model.CallID) ([]model.Recording, error)
	// Listen opens a recording for somebody, of which a note is made first.
	Listen(ctx context.Context, id model.RecordingID, by model.AgentID) (Audio, model.Recording, error)
	// Record starts, stops, pauses or resumes the recording of a call that goes on; own allows it
	// only to the agent in the call. The error is one of internal/call's.
	Record(ctx context.Context, id model.CallID, action call.RecordAction, by model.AgentID, own bool) error
	RecordingKeeper
}

// RecordingKeeper decides on how long they are kept. Errors are store.ErrNotFound, store.ErrHeld,
// ErrRecordingGone and ErrRecordingLive.
type RecordingKeeper interface {
	Hold(ctx context.Context, id model.RecordingID, by model.AgentID, why string) (model.Recording, error)
	Lift(ctx context.Context, id model.RecordingID, by model.AgentID) (model.Recording, error)
	Delete(ctx context.Context, id model.RecordingID, by model.AgentID) error
	Problem() string // why recording suffers now; empty where it does not
}

// RecordingList is the body of GET /api/v1/calls/{id}/recordings.
type RecordingList struct {
	Call       model.CallID `json:"call_id" doc:"The call"`
	Recordings []Recording  `json:"recordings" doc:"In the order in which they began, deleted ones too"`
	Problem    string       `json:"problem,omitempty" doc:"Why nothing, or not all, can be recorded at this moment"`
}

// Recording is one recording of a call.
type Recording struct {
	ID        model.RecordingID    `json:"id" doc:"The recording"`
	Call      model.CallID         `json:"call_id" doc:"The call it is of"`
	Queue     model.QueueID        `json:"queue,omitempty" doc:"The queue whose rule it was made by"`
	Agent     model.AgentID        `json:"agent,omitempty" doc:"Who was in the call when it began"`
	StartedAt time.Time            `json:"started_at" doc:"When it began"`
	EndedAt   *time.Time           `json:"ended_at,omitempty" doc:"Absent while it goes on"`
	Length    float64              `json:"length_s" doc:"Seconds that can be played"`
	Format    string               `json:"format" enum:"wav,opus" doc:"How it is given out: PCM, or Opus in Ogg; the caller is left, the agent right"`
	Size      int64                `json:"size" doc:"Bytes on the disk"`
	State     model.RecordingState `json:"state" enum:"recording,complete,recovered,failed,deleting,deleted" doc:"recovered: the service died in it, and what was said until then is there; failed: not all could be written"`
	Playable  bool                 `json:"playable" doc:"Whether there is something to hear"`
	Lost      float64              `json:"lost_s,omitempty" doc:"Seconds of what was said, both sides together, that could not be written"`
	Hash      string               `json:"hash,omitempty" doc:"SHA-256 of its sealed chunks"`
	Key       string               `json:"key_id,omitempty" doc:"The key that it is sealed for"`
	ExpiresAt *time.Time           `json:"expires_at,omitempty" doc:"When it is deleted, unless it is held; absent for never"`
	Hold      *RecordingHold       `json:"hold,omitempty" doc:"Who keeps it beyond its time"`
	DeletedAt *time.Time           `json:"deleted_at,omitempty" doc:"When its file was removed"`
	DeletedBy string               `json:"deleted_by,omitempty" doc:"A user, or retention"`
}

// RecordingHold is a legal hold.
type RecordingHold struct {
	By  model.AgentID `json:"by" doc:"Who set it"`
	At  time.Time     `json:"at" doc:"When"`
	Why string        `json:"why" doc:"For what"`
}

// RecordingOrder is the body of POST /api/v1/calls/{id}/recording.
type RecordingOrder struct {
	Action call.RecordAction `json:"action" enum:"start,stop,pause,resume,consent" doc:"consent: the caller has consented, which begins the recording where the queue waits for that"`
}

// HoldOrder is the body of PUT /api/v1/recordings/{id}/hold.
type HoldOrder struct {
	Why string `json:"why" minLength:"1" maxLength:"500" doc:"For what it is kept; a reference, no story"`
}

type recordingInput struct {
	ID string `path:"id" maxLength:"128" doc:"The recording"`
}

type holdInput struct {
	ID   string `path:"id" maxLength:"128" doc:"The recording"`
	Body HoldOrder
}

type recordCallInput struct {
	ID   string `path:"id" maxLength:"128" doc:"The call"`
	Body RecordingOrder
}

const noSuchRecording = "there is no such recording"

func recordingOf(r model.Recording) Recording {
	out := Recording{
		ID: r.ID, Call: r.Call, Queue: r.Queue, Agent: r.Agent, StartedAt: r.StartedAt, EndedAt: r.EndedAt, Length: r.Length.Seconds(),
		Format: r.Format, Size: r.Size, State: r.State, Playable: r.Playable(), Lost: r.Lost.Seconds(), Hash: r.Hash, Key: r.Key,
		ExpiresAt: r.ExpiresAt, DeletedAt: r.DeletedAt, DeletedBy: r.DeletedBy,
	}
	if r.Hold != nil {
		hold := RecordingHold(*r.Hold)
		out.Hold = &hold
	}
	return out
}

// recordingProblem is the table from why something cannot be done to the answer.
func recordingProblem(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return huma.Error404NotFound(noSuchRecording)
	case errors.Is(err, ErrRecordingGone):
		return huma.NewError(http.StatusGone, "the recording was deleted, or nothing could be written of it")
	case errors.Is(err, store.ErrHeld):
		return huma.Error409Conflict("a legal hold keeps the recording; lift it first")
	case errors.Is(err, ErrRecordingLive):
		return huma.Error409Conflict("the recording goes on; stop it first")
	}
	return fmt.Errorf("recording: %w", err)
}

// listRecordings is GET /api/v1/calls/{id}/recordings.
func (s *Server) listRecordings(ctx context.Context, in *callInput) (*struct{ Body RecordingList }, error) {
	id := model.CallID(in.ID)
	var list []model.Recording
	problem := ""
	if s.deps.Recordings != nil {
		var err error
		if list, err = s.deps.Recordings.Of(ctx, id); err != nil {
			return nil, fmt.Errorf("read recordings: %w", err)
		}
		problem = s.deps.Recordings.Problem()
	}
	if len(list) == 0 {
		if err := s.callIsThere(ctx, id); err != nil {
			return nil, err
		}
	}
	return &struct{ Body RecordingList }{RecordingList{Call: id, Recordings: each(list, recordingOf), Problem: problem}}, nil
}

// recordCall is POST /api/v1/calls/{id}/recording.
func (s *Server) recordCall(ctx context.Context, in *recordCallInput) (*struct{}, error) {
	if s.deps.Recordings == nil {
		return nil, huma.Error404NotFound(noSuchCall)
	}
	v, _ := viewerOf(ctx)
	err := s.deps.Recordings.Record(ctx, model.CallID(in.ID), in.Body.Action, v.user.ID, !v.may(mayRecord))
	var denied *call.Denial
	switch {
	case err == nil:
		return nil, nil
	case errors.Is(err, call.ErrNoCall):
		return nil, huma.Error404NotFound("no such call goes on")
	case errors.As(err, &denied) && denied.Code == protocol.CodeNotAllowed:
		return nil, huma.Error403Forbidden(denied.Text)
	case errors.As(err, &denied) && denied.Code != protocol.CodeInternal:
		return nil, huma.Error409Conflict(denied.Text)
	case errors.As(err, &denied):
		return nil, huma.Error503ServiceUnavailable(denied.Text)
	}
	return nil, fmt.Errorf("record: %w", err)
}

// playRecording is GET /api/v1/recordings/{id}/audio.
func (s *Server) playRecording(ctx context.Context, in *recordingInput) (*huma.StreamResponse, error) {
	if s.deps.Recordings == nil {
		return nil, huma.Error404NotFound(noSuchRecording)
	}
	v, _ := viewerOf(ctx)
	audio, r, err := s.deps.Recordings.Listen(ctx, model.RecordingID(in.ID), v.user.ID)
	if err != nil {
		return nil, recordingProblem(err)
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		defer func() { _ = audio.Close() }() // it was only read
		req, w := humachi.Unwrap(hctx)
		h := w.Header()
		h.Set("Content-Type", audio.ContentType())
		h.Set("Content-Disposition", `inline; filename="`+audio.Name()+`"`)
		h.Set("Cache-Control", "no-store") // what is deleted here must not be kept elsewhere
		var changed time.Time
		if r.EndedAt != nil && r.State != model.RecordingLive {
			changed = *r.EndedAt
		}
		http.ServeContent(&patient{w, http.NewResponseController(w)}, req, "", changed, audio)
	}}, nil
}

// patient gives a reader of much the time it takes, as long as it reads.
type patient struct {
	http.ResponseWriter
	rc *http.ResponseController
}

// Write is part of http.ResponseWriter.
func (p *patient) Write(b []byte) (int, error) {
	if err := p.rc.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	return p.ResponseWriter.Write(b)
}

// holdRecording is PUT /api/v1/recordings/{id}/hold.
func (s *Server) holdRecording(ctx context.Context, in *holdInput) (*struct{ Body Recording }, error) {
	return s.onRecording(ctx, func(k RecordingKeeper, by model.AgentID) (model.Recording, error) {
		return k.Hold(ctx, model.RecordingID(in.ID), by, in.Body.Why)
	})
}

// liftHold is DELETE /api/v1/recordings/{id}/hold.
func (s *Server) liftHold(ctx context.Context, in *recordingInput) (*struct{ Body Recording }, error) {
	return s.onRecording(ctx, func(k RecordingKeeper, by model.AgentID) (model.Recording, error) {
		return k.Lift(ctx, model.RecordingID(in.ID), by)
	})
}

// deleteRecording is DELETE /api/v1/recordings/{id}.
func (s *Server) deleteRecording(ctx context.Context, in *recordingInput) (*struct{}, error) {
	_, err := s.onRecording(ctx, func(k RecordingKeeper, by model.AgentID) (model.Recording, error) {
		return model.Recording{}, k.Delete(ctx, model.RecordingID(in.ID), by)
	})
	return nil, err
}

func (s *Server) onRecording(ctx context.Context, do func(RecordingKeeper, model.AgentID) (model.Recording, error)) (*struct{ Body Recording }, error) {
	if s.deps.Recordings == nil {
		return nil, huma.Error404NotFound(noSuchRecording)
	}
	v, _ := viewerOf(ctx)
	r, err := do(s.deps.Recordings, v.user.ID)
	if err != nil {
		return nil, recordingProblem(err)
	}
	return &struct{ Body Recording }{recordingOf(r)}, nil
}

// registerRecordings adds the operations about recordings.
func (s *Server) registerRecordings() {
	register(s, op(http.MethodGet, "/api/v1/calls/{id}/recordings", "list-recordings", "Recordings", "What was recorded of one call"), mayHear, s.listRecordings)
	o := op(http.MethodPost, "/api/v1/calls/{id}/recording", "record-call", "Recordings", "Start, stop, pause or resume the recording of a call")
	o.Description = "Of a call that goes on. 403: its queue is not recorded; 409 says what is in the way, such as a consent that was not given. While paused, the recording goes on with silence."
	o.DefaultStatus = http.StatusNoContent
	o.Errors = []int{http.StatusConflict, http.StatusServiceUnavailable}
	register(s, o, mayRecord, s.recordCall)
	play := op(http.MethodGet, "/api/v1/recordings/{id}/audio", "play-recording", "Recordings", "A recording in the clear, to be heard or stored")
	play.Description = "In whole or in part (Range). Who listened is written into the call's story."
	play.Errors = []int{http.StatusGone}
	play.Responses = map[string]*huma.Response{"200": {Description: "WAV, or Opus in Ogg: the caller is left, the agent right", Content: map[string]*huma.MediaType{
		"audio/wav": {}, "audio/ogg": {},
	}}}
	register(s, play, mayHear, s.playRecording)
	hold := op(http.MethodPut, "/api/v1/recordings/{id}/hold", "hold-recording", "Recordings", "Keep a recording beyond its time, until the hold is lifted")
	hold.Errors = []int{http.StatusGone}
	register(s, hold, mayHear, s.holdRecording)
	lift := op(http.MethodDelete, "/api/v1/recordings/{id}/hold", "lift-hold", "Recordings", "Let a recording go when its time comes")
	register(s, lift, mayDelete, s.liftHold)
	remove := op(http.MethodDelete, "/api/v1/recordings/{id}", "delete-recording", "Recordings", "Delete a recording for good")
	remove.Description = "Its key is overwritten and its file removed. 409: it goes on, or a hold keeps it."
	remove.DefaultStatus = http.StatusNoContent
	remove.Errors = []int{http.StatusConflict}
	register(s, remove, mayDelete, s.deleteRecording)
}
