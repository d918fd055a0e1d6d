package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// Refusals tells what calls of a trunk came to nothing before they were calls
// (internal/service); false if there is no such trunk.
type Refusals interface {
	Refused(trunk model.TrunkID) ([]RefusedCall, bool) // the newest first
}

// RefusedCalls is the body of GET /api/v1/trunks/{id}/refused.
type RefusedCalls struct {
	Trunk   model.TrunkID `json:"trunk" doc:"The name in the site file"`
	Refused []RefusedCall `json:"refused" doc:"The newest first; the last few since the service started"`
}

// RefusedCall is an INVITE that was refused before it was a call.
type RefusedCall struct {
	At       time.Time    `json:"at" doc:"When"`
	Status   int          `json:"status" doc:"Of the answer"`
	Reason   string       `json:"reason" doc:"As headroom_sip_refused_total counts it"`
	Words    string       `json:"words" doc:"The same for people"`
	Picture  string       `json:"picture" doc:"The messages drawn as text, the service on the left"`
	Messages []SIPMessage `json:"messages" doc:"The request and the answer"`
}

// NewRefusedCall makes one with its ladder.
func NewRefusedCall(at time.Time, status int, reason, words string, l ladder.Record) RefusedCall {
	return RefusedCall{At: at, Status: status, Reason: reason, Words: words, Picture: l.Draw(false),
		Messages: each(l.Messages, func(m ladder.Message) SIPMessage { return SIPMessage(m) })}
}

type trunkInput struct {
	ID string `path:"id" maxLength:"64" doc:"The name in the site file"`
}

// listRefused is GET /api/v1/trunks/{id}/refused.
func (s *Server) listRefused(_ context.Context, in *trunkInput) (*struct{ Body RefusedCalls }, error) {
	id := model.TrunkID(in.ID)
	if s.deps.Refusals != nil {
		if list, there := s.deps.Refusals.Refused(id); there {
			return &struct{ Body RefusedCalls }{RefusedCalls{Trunk: id, Refused: each(list, func(c RefusedCall) RefusedCall { return c })}}, nil
		}
	}
	return nil, huma.Error404NotFound("no such trunk")
}

// registerRefused adds the operation about refused calls.
func (s *Server) registerRefused() {
	list := op(http.MethodGet, "/api/v1/trunks/{id}/refused", "list-refused-calls", "Trunks", "Calls of a trunk that were refused before they were calls, with what was said")
	register(s, list, maySeeSIP, s.listRefused)
}
