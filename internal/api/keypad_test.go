package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// keys is a Keypad that notes what it is asked for.
type keys struct {
	asked []string
	err   error
}

func (k *keys) SendDigits(_ context.Context, id model.CallID, by model.AgentID, anyCall bool, digits string) error {
	k.asked = append(k.asked, fmt.Sprintf("%s %s %v %s", id, by, anyCall, digits))
	return k.err
}

func (k *keys) KeepSecret(_ context.Context, id model.CallID, by model.AgentID, anyCall, on bool, long time.Duration) error {
	k.asked = append(k.asked, fmt.Sprintf("%s %s %v %v %v", id, by, anyCall, on, long))
	return k.err
}

func TestKeysArePressedByTheAPI(t *testing.T) {
	pad := &keys{}
	h := open(t, func(_ *Config, d *Deps) { d.Keypad = pad })
	for _, c := range []struct {
		who, path, body, asked string
		err                    error
		status                 int
	}{
		{"agent", "dtmf", `{"digits":"12#"}`, "c-1 agent false 12#", nil, 204},
		{"supervisor", "dtmf", `{"digits":"9"}`, "c-1 supervisor true 9", nil, 204},
		{"it", "dtmf", `{"digits":"9"}`, "", nil, 403},
		{"agent", "dtmf", `{"digits":""}`, "", nil, 422},
		{"agent", "dtmf", `{"digits":"` + strings.Repeat("1", 65) + `"}`, "", nil, 422},
		{"agent", "dtmf", `{"digits":"1"}`, "c-1 agent false 1", call.ErrNoCall, 404},
		{"agent", "dtmf", `{"digits":"1"}`, "c-1 agent false 1", &call.Denial{Code: protocol.CodeStale, Text: "Not yours."}, 404},
		{"agent", "dtmf", `{"digits":"x"}`, "c-1 agent false x", &call.Denial{Code: protocol.CodeNotAllowed, Text: "No key."}, 422},
		{"agent", "dtmf", `{"digits":"1"}`, "c-1 agent false 1", &call.Denial{Code: protocol.CodeNotNow, Text: "On hold."}, 409},
		{"agent", "secret", `{"on":true,"seconds":90}`, "c-1 agent false true 1m30s", nil, 204},
		{"supervisor", "secret", `{"on":false}`, "c-1 supervisor true false 0s", nil, 204},
		{"agent", "secret", `{"on":true,"seconds":301}`, "", nil, 422},
		{"it", "secret", `{"on":true}`, "", nil, 403},
	} {
		pad.asked, pad.err = nil, c.err
		res := h.as(c.who).do(http.MethodPost, "/api/v1/calls/c-1/"+c.path, c.body)
		if got := strings.Join(pad.asked, ", "); res.status != c.status || got != c.asked {
			t.Errorf("%s %s %s: %d %s, asked %q", c.who, c.path, c.body, res.status, res.body, got)
		}
	}
}
