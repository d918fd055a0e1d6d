package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

type dialInput struct{ Body CallOrder }

type dialOutput struct {
	Location string `header:"Location"`
	Body     CallPlaced
}

// misdialled are the refusals that speak of what was typed, and not of who typed it.
var misdialled = []string{"not_a_number", "no_country", "extension", "service_code", "unknown_class", "unknown_queue"}

// placeCall is POST /api/v1/calls. The agent's client, which has to be signed in, tells how
// the call gets on.
func (s *Server) placeCall(ctx context.Context, in *dialInput) (*dialOutput, error) {
	v, _ := viewerOf(ctx)
	id, err := s.deps.Switchboard.Dial(ctx, v.user.ID, in.Body.To, in.Body.Queue)
	if err != nil {
		return nil, dialProblem(err)
	}
	return &dialOutput{Location: "/api/v1/calls/" + string(id), Body: CallPlaced{id}}, nil
}

// dialProblem is the table from why a call was not placed to the answer.
func dialProblem(err error) error {
	var refused *model.DialRefusal
	var denied *call.Denial
	switch {
	case errors.As(err, &refused) && slices.Contains(misdialled, refused.Code):
		return huma.Error422UnprocessableEntity(refused.Text)
	case errors.As(err, &refused):
		return huma.Error403Forbidden(refused.Text)
	case errors.Is(err, call.ErrNotSignedIn), errors.Is(err, call.ErrEnded):
		return huma.Error409Conflict("you are not signed in with a client that could be heard; sign in with it first")
	case !errors.As(err, &denied):
		return fmt.Errorf("place a call: %w", err)
	}
	switch denied.Code {
	case protocol.CodeNotAllowed:
		return huma.Error403Forbidden(denied.Text)
	case protocol.CodeNotNow, protocol.CodeStale:
		return huma.Error409Conflict(denied.Text)
	case protocol.CodeBusy:
		return huma.Error503ServiceUnavailable(denied.Text)
	default:
		return fmt.Errorf("place a call: %w", err)
	}
}

// registerDial adds the operation that places calls.
func (s *Server) registerDial() {
	o := op(http.MethodPost, "/api/v1/calls", "place-call", "Calls", "Call a number")
	o.Description = "For an agent whose client is signed in and has nothing else to do; it tells how the call gets on. 403 says why the number may not be called, 409 what is in the way now, and 422 what is wrong with the number."
	o.DefaultStatus = http.StatusCreated
	o.Errors = []int{http.StatusConflict, http.StatusUnprocessableEntity, http.StatusServiceUnavailable}
	register(s, o, mayDial, s.placeCall)
}
