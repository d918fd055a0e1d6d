package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/internal/model"
)

// Desks is where agents are, and what may be asked of them (internal/service).
type Desks interface {
	// SetState makes an agent ready or gives a break, as if they had asked for it themselves.
	// ErrNotHere means that there is nothing to be ready on. The words of a *Conflict are told.
	SetState(ctx context.Context, id model.AgentID, state model.AgentState, reason string) error
	// Phones are the SIP phones that are registered for an agent.
	Phones(id model.AgentID) []AgentPhone
}

// ErrNotHere means that an agent is not signed in and has no phone registered.
var ErrNotHere = errors.New("api: the agent is not here")

// Conflict is why something cannot be done now, in words for people.
type Conflict struct{ Text string }

func (c *Conflict) Error() string { return "api: " + c.Text }

// AgentPhone is one registered phone of an agent.
type AgentPhone struct {
	Host      string    `json:"host" doc:"The address that the phone gave as its own"`
	Source    string    `json:"source" doc:"Address and port that it registered from, and is called at"`
	Transport string    `json:"transport" enum:"UDP,TCP,TLS" doc:"How"`
	UserAgent string    `json:"user_agent" doc:"What the phone calls itself"`
	Since     time.Time `json:"since" doc:"When it registered first"`
	Expires   time.Time `json:"expires" doc:"When it is forgotten unless it registers again"`
	Reachable bool      `json:"reachable" doc:"Whether it answered the last time something was asked of it"`
}

// AgentWish is the body of PUT /api/v1/agents/{id}/state.
type AgentWish struct {
	State  model.AgentState `json:"state" enum:"ready,break" doc:"What the agent is to be"`
	Reason string           `json:"reason,omitempty" maxLength:"100" doc:"Of a break; break by default"`
}

type stateInput struct {
	ID   string `path:"id" maxLength:"128" doc:"The agent's sign-in name"`
	Body AgentWish
}

// setState is PUT /api/v1/agents/{id}/state, for clients and phones alike.
func (s *Server) setState(ctx context.Context, in *stateInput) (*struct{}, error) {
	v, _ := viewerOf(ctx)
	id := model.AgentID(in.ID)
	unknown := huma.Error404NotFound("there is no such agent")
	if !v.sees(mayGiveState, id) {
		return nil, unknown // whether there is one is not theirs to know
	}
	site, err := s.deps.People.Site(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	if !slices.ContainsFunc(s.roster(site, s.deps.Switchboard.Snapshot()), func(a Agent) bool { return a.ID == id }) {
		return nil, unknown
	}
	if s.deps.Desks == nil {
		return nil, huma.Error409Conflict(notHere)
	}
	err = s.deps.Desks.SetState(ctx, id, in.Body.State, in.Body.Reason)
	var conflict *Conflict
	switch {
	case err == nil:
		s.log.Info("state given", "agent", id, "state", in.Body.State, "by", v.user.ID)
		return nil, nil
	case errors.Is(err, ErrNotHere):
		return nil, huma.Error409Conflict(notHere)
	case errors.As(err, &conflict):
		return nil, huma.Error409Conflict(conflict.Text)
	}
	return nil, fmt.Errorf("give %q a state: %w", id, err)
}

const notHere = "the agent is not signed in and has no phone registered"

// phonesOf are those of an agent; none without Desks.
func (s *Server) phonesOf(id model.AgentID) []AgentPhone {
	if s.deps.Desks == nil {
		return nil
	}
	return s.deps.Desks.Phones(id)
}

// registerDesks adds the operation about agents' states.
func (s *Server) registerDesks() {
	set := op(http.MethodPut, "/api/v1/agents/{id}/state", "set-agent-state", "Agents", "Make an agent ready, or give a break")
	set.Description = "For an agent at a client and at a SIP phone alike. An agent may ask for themselves. In a call it takes effect after it; " +
		"an agent whose phone is registered, but who is signed out, is signed in."
	set.DefaultStatus = http.StatusNoContent
	set.Errors = []int{http.StatusConflict}
	register(s, set, mayGiveState, s.setState)
}
