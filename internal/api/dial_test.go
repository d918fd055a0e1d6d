package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

func TestAnAgentCallsANumberByTheAPI(t *testing.T) {
	h := open(t)
	var asked CallOrder
	var by model.AgentID
	h.board.dial = func(agent model.AgentID, to string, queue model.QueueID) (model.CallID, error) {
		asked, by = CallOrder{To: to, Queue: queue}, agent
		return "call-10", nil
	}
	res := h.as("agent").do(http.MethodPost, "/api/v1/calls", `{"to":"+49 30 555","queue":"sales"}`)
	var got CallPlaced
	if err := json.Unmarshal([]byte(res.body), &got); err != nil || res.status != http.StatusCreated || got.Call != "call-10" {
		t.Errorf("%d %s %v", res.status, res.body, err)
	}
	if by != "agent" || asked != (CallOrder{To: "+49 30 555", Queue: "sales"}) {
		t.Errorf("asked %+v as %s", asked, by)
	}
	for _, body := range []string{"", "{}", `{"to":""}`, `{"to":"` + strings.Repeat("1", 129) + `"}`, `{"to":7}`, `{"to":"1","caller":"2"}`} {
		if res := h.as("agent").do(http.MethodPost, "/api/v1/calls", body); res.status != http.StatusUnprocessableEntity && res.status != http.StatusBadRequest {
			t.Errorf("%.40s: %d %s", body, res.status, res.body)
		}
	}
}

func TestWhyACallIsNotPlacedIsSaidInWords(t *testing.T) {
	h := open(t)
	refusal := func(code, text string) error {
		return &call.Denial{Code: protocol.CodeNotAllowed, Text: text, Err: &model.DialRefusal{Code: code, Text: text}}
	}
	for _, c := range []struct {
		err    error
		status int
		words  string
	}{
		{refusal("class_closed", "Satellites are not open to you."), 403, "Satellites are not open to you."},
		{refusal("not_a_number", "That is no number."), 422, "That is no number."},
		{&call.Denial{Code: protocol.CodeNotAllowed, Text: "Calls out are not set up."}, 403, "Calls out are not set up."},
		{&call.Denial{Code: protocol.CodeNotNow, Text: "A call rings."}, 409, "A call rings."},
		{call.ErrNotSignedIn, 409, "sign in"},
		{call.ErrEnded, 409, "sign in"},
		{&call.Denial{Code: protocol.CodeBusy, Text: "The service is stopping."}, 503, "stopping"},
		{&call.Denial{Code: protocol.CodeInternal, Text: "x", Err: errors.New("the disk at /var is full")}, 500, "log"},
		{context.DeadlineExceeded, 500, "log"},
	} {
		h.board.dial = func(model.AgentID, string, model.QueueID) (model.CallID, error) { return "", c.err }
		res := h.as("agent").do(http.MethodPost, "/api/v1/calls", `{"to":"1"}`)
		var p Problem
		if err := json.Unmarshal([]byte(res.body), &p); err != nil || res.status != c.status || !strings.Contains(p.Detail, c.words) || strings.Contains(res.body, "/var") {
			t.Errorf("%v: %d %s", c.err, res.status, res.body)
		}
	}
}
