package api

import (
	"context"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// ClientError is an error whose words are meant for the agent's client.
type ClientError struct {
	Code    string // one of protocol's codes
	Message string
	Err     error // what it was, for the log
}

// Error implements error.
func (e *ClientError) Error() string { return e.Code + ": " + e.Err.Error() }

// Unwrap gives what it was.
func (e *ClientError) Unwrap() error { return e.Err }

// FromSwitchboard lets the API speak with internal/call's switchboard.
func FromSwitchboard(s *call.Switchboard) Switchboard { return switchboard{s} }

type switchboard struct{ *call.Switchboard }

// SignIn gives call's own refusal the form in which the API passes it on.
func (s switchboard) SignIn(ctx context.Context, user model.User, hello protocol.Hello, link Link) (AgentSession, protocol.Welcome, error) {
	agent, welcome, err := s.Switchboard.SignIn(ctx, user, hello, link)
	if err == nil {
		return agent, welcome, nil
	}
	if told := call.Refusal(err); told.Code != protocol.CodeInternal {
		return nil, welcome, &ClientError{Code: told.Code, Message: told.Message, Err: err}
	}
	return nil, welcome, err
}
