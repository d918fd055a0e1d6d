package api

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

func TestASupervisorJoinsAndLeavesACallByTheAPI(t *testing.T) {
	h := open(t)
	var asked []string
	h.board.supervise = func(by model.AgentID, id model.CallID, mode model.SuperviseMode) error {
		asked = append(asked, string(by)+" "+string(id)+" "+string(mode))
		return nil
	}
	sup := h.as("supervisor")
	for _, mode := range []string{"listen", "whisper", "barge", "take_over"} {
		if res := sup.do(http.MethodPost, "/api/v1/calls/c-1/supervise", `{"mode":"`+mode+`"}`); res.status != http.StatusNoContent {
			t.Errorf("%s: %d %s", mode, res.status, res.body)
		}
	}
	if res := sup.do(http.MethodDelete, "/api/v1/calls/c-1/supervise", ""); res.status != http.StatusNoContent {
		t.Errorf("%d %s", res.status, res.body)
	}
	if got := strings.Join(asked, ", "); got != "supervisor c-1 listen, supervisor c-1 whisper, supervisor c-1 barge, supervisor c-1 take_over, supervisor c-1 " {
		t.Errorf("asked %q", got)
	}
	for _, body := range []string{"", "{}", `{"mode":"hear"}`, `{"mode":"listen","x":1}`} {
		if res := sup.do(http.MethodPost, "/api/v1/calls/c-1/supervise", body); res.status != http.StatusUnprocessableEntity && res.status != http.StatusBadRequest {
			t.Errorf("%q: %d %s", body, res.status, res.body)
		}
	}
	if res := h.as("agent").do(http.MethodPost, "/api/v1/calls/c-1/supervise", `{"mode":"listen"}`); res.status != http.StatusForbidden {
		t.Errorf("an agent: %d", res.status)
	}
}

func TestWhyACallIsNotSupervisedIsSaidInWords(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		err    error
		status int
		words  string
	}{
		{call.ErrNoCall, 404, "no such call"},
		{call.ErrNotSupervisor, 403, "role"},
		{call.ErrNotSignedIn, 409, "sign in"},
		{call.ErrEnded, 409, "sign in"},
		{&call.Denial{Code: protocol.CodeNotNow, Text: "Nobody speaks."}, 409, "Nobody speaks."},
		{&call.Denial{Code: protocol.CodeStale, Text: "Left."}, 409, "Left."},
		{&call.Denial{Code: protocol.CodeNotAllowed, Text: "A phone."}, 403, "A phone."},
		{context.DeadlineExceeded, 500, "log"},
	} {
		h.board.supervise = func(model.AgentID, model.CallID, model.SuperviseMode) error { return c.err }
		res := h.as("supervisor").do(http.MethodPost, "/api/v1/calls/c-1/supervise", `{"mode":"listen"}`)
		if res.status != c.status || !strings.Contains(res.body, c.words) {
			t.Errorf("%v: %d %s", c.err, res.status, res.body)
		}
	}
}
