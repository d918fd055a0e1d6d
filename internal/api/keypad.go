package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// Keypad presses keys in calls (internal/call.Switchboard). The errors are internal/call's:
// ErrNoCall or a *Denial.
type Keypad interface {
	// SendDigits is for the call's agent or, if anyCall, for one who may in any.
	SendDigits(ctx context.Context, id model.CallID, by model.AgentID, anyCall bool, digits string) error
	// KeepSecret begins or ends the keying in of a secret; a zero time is the usual one.
	KeepSecret(ctx context.Context, id model.CallID, by model.AgentID, anyCall, on bool, long time.Duration) error
}

// KeyPresses is the body of POST /api/v1/calls/{id}/dtmf.
type KeyPresses struct {
	Digits string `json:"digits" minLength:"1" maxLength:"64" doc:"Keys of a telephone, pressed one after the other: 0 to 9, *, #, A to D"`
}

// SecretWish is the body of POST /api/v1/calls/{id}/secret.
type SecretWish struct {
	On      bool `json:"on" doc:"Whether the caller is about to key in a secret, or has"`
	Seconds int  `json:"seconds,omitempty" minimum:"0" maximum:"300" doc:"After which it ends by itself; 60 by default"`
}

type keysInput struct {
	ID   string `path:"id" maxLength:"128" doc:"The call"`
	Body KeyPresses
}

type secretInput struct {
	ID   string `path:"id" maxLength:"128" doc:"The call"`
	Body SecretWish
}

// pressKeys is POST /api/v1/calls/{id}/dtmf.
func (s *Server) pressKeys(ctx context.Context, in *keysInput) (*struct{}, error) {
	v, _ := viewerOf(ctx)
	if s.deps.Keypad == nil {
		return nil, huma.Error404NotFound(noSuchCall)
	}
	return nil, keypadProblem(s.deps.Keypad.SendDigits(ctx, model.CallID(in.ID), v.user.ID, v.may(mayPressKeys), in.Body.Digits))
}

// keepSecret is POST /api/v1/calls/{id}/secret.
func (s *Server) keepSecret(ctx context.Context, in *secretInput) (*struct{}, error) {
	v, _ := viewerOf(ctx)
	if s.deps.Keypad == nil {
		return nil, huma.Error404NotFound(noSuchCall)
	}
	long := time.Duration(in.Body.Seconds) * time.Second
	return nil, keypadProblem(s.deps.Keypad.KeepSecret(ctx, model.CallID(in.ID), v.user.ID, v.may(mayPressKeys), in.Body.On, long))
}

// keypadProblem is the table from why keys were not pressed to the answer.
func keypadProblem(err error) error {
	var denied *call.Denial
	switch {
	case err == nil:
		return nil
	case errors.Is(err, call.ErrNoCall):
		return huma.Error404NotFound(noSuchCall)
	case !errors.As(err, &denied):
		return fmt.Errorf("press keys: %w", err)
	}
	switch denied.Code {
	case protocol.CodeStale: // somebody else's
		return huma.Error404NotFound(noSuchCall)
	case protocol.CodeNotAllowed:
		return huma.Error422UnprocessableEntity(denied.Text)
	default:
		return huma.Error409Conflict(denied.Text)
	}
}

// registerKeypad adds the operations about keys in calls.
func (s *Server) registerKeypad() {
	keys := op(http.MethodPost, "/api/v1/calls/{id}/dtmf", "press-keys", "Calls", "Press keys towards the other side")
	keys.Description = "As telephone-events, by SIP INFO or as tones, as the trunk takes them. It answers at once; 409 says what is in the way now. An agent may in the own call."
	keys.DefaultStatus = http.StatusNoContent
	keys.Errors = []int{http.StatusConflict, http.StatusUnprocessableEntity}
	register(s, keys, mayPressKeys, s.pressKeys)
	secret := op(http.MethodPost, "/api/v1/calls/{id}/secret", "keep-secret", "Calls", "A secret is keyed in, or was")
	secret.Description = "Meanwhile keys are written nowhere, recordings are silent and the agent hears no tones. It ends by itself. An agent may in the own call."
	secret.DefaultStatus = http.StatusNoContent
	secret.Errors = []int{http.StatusConflict}
	register(s, secret, mayPressKeys, s.keepSecret)
}
