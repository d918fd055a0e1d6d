package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// SuperviseOrder is the body of POST /api/v1/calls/{id}/supervise.
type SuperviseOrder struct {
	Mode model.SuperviseMode `json:"mode" enum:"listen,whisper,barge,take_over" doc:"listen: heard by nobody; whisper: by the agent alone; barge: by all; take_over: the call is yours and the agent is let go"`
}

type superviseInput struct {
	ID   string `path:"id" maxLength:"128" doc:"The call"`
	Body SuperviseOrder
}

// superviseCall is POST /api/v1/calls/{id}/supervise. Who asks has to be signed in with a client.
func (s *Server) superviseCall(ctx context.Context, in *superviseInput) (*struct{}, error) {
	v, _ := viewerOf(ctx)
	return nil, superviseProblem(s.deps.Switchboard.Supervise(ctx, v.user, model.CallID(in.ID), in.Body.Mode))
}

// leaveCall is DELETE /api/v1/calls/{id}/supervise.
func (s *Server) leaveCall(ctx context.Context, in *callInput) (*struct{}, error) {
	v, _ := viewerOf(ctx)
	return nil, superviseProblem(s.deps.Switchboard.Unsupervise(ctx, v.user.ID, model.CallID(in.ID)))
}

// superviseProblem is the table from why a call was not joined, or left, to the answer.
func superviseProblem(err error) error {
	var denied *call.Denial
	switch {
	case err == nil:
		return nil
	case errors.Is(err, call.ErrNoCall):
		return huma.Error404NotFound("there is no such call in progress")
	case errors.Is(err, call.ErrNotSupervisor):
		return huma.Error403Forbidden(forbidden)
	case errors.Is(err, call.ErrNotSignedIn), errors.Is(err, call.ErrEnded):
		return huma.Error409Conflict("you are not signed in with a client that you could hear the call with; sign in with it first")
	case !errors.As(err, &denied):
		return fmt.Errorf("supervise a call: %w", err)
	}
	if denied.Code == protocol.CodeNotAllowed {
		return huma.Error403Forbidden(denied.Text)
	}
	return huma.Error409Conflict(denied.Text)
}

// registerSupervise adds the operations of supervisors in calls.
func (s *Server) registerSupervise() {
	o := op(http.MethodPost, "/api/v1/calls/{id}/supervise", "supervise-call", "Calls", "Listen to a call in progress, whisper, barge in, or take it over")
	o.Description = "Heard, and spoken, with the client that whoever asks is signed in with. Asked again with another mode, it changes that. 409 says what is in the way: no client, no audio, another call, or nobody who speaks in this one."
	o.DefaultStatus = http.StatusNoContent
	o.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, o, maySupervise, s.superviseCall)
	l := op(http.MethodDelete, "/api/v1/calls/{id}/supervise", "leave-call", "Calls", "Leave a call that is supervised")
	l.DefaultStatus = http.StatusNoContent
	l.Errors = []int{http.StatusNotFound, http.StatusConflict}
	register(s, l, maySupervise, s.leaveCall)
}
