package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// desks is a house's agents.
type desks struct {
	asked []AgentWish
	of    model.AgentID
	err   error
}

func (d *desks) SetState(_ context.Context, id model.AgentID, state model.AgentState, reason string) error {
	d.of, d.asked = id, append(d.asked, AgentWish{State: state, Reason: reason})
	return d.err
}

func (d *desks) Phones(id model.AgentID) []AgentPhone {
	return []AgentPhone{{Host: "192.0.2.7:5060", Source: "198.51.100.7:40000", Transport: "TLS", UserAgent: "Desk of " + string(id), Since: time.Unix(1, 0).UTC(), Expires: time.Unix(2, 0).UTC()}}
}

func TestASupervisorGivesAnAgentABreakAndAnAgentThemselves(t *testing.T) {
	d := &desks{}
	h := open(t, func(_ *Config, deps *Deps) { deps.Desks = d })
	for _, c := range []struct {
		who, of, body string
		status        int
	}{
		{"supervisor", "agent", `{"state":"break","reason":"training"}`, 204},
		{"agent", "agent", `{"state":"ready"}`, 204},
		{"agent", "other", `{"state":"ready"}`, 404},
		{"it", "agent", `{"state":"ready"}`, 403},
		{"supervisor", "nobody-here", `{"state":"ready"}`, 404},
		{"supervisor", "agent", `{"state":"on-call"}`, 422},
		{"supervisor", "agent", `{"state":"break","reason":"` + strings.Repeat("x", 101) + `"}`, 422},
	} {
		before := len(d.asked)
		res := h.as(c.who).do(http.MethodPut, "/api/v1/agents/"+c.of+"/state", c.body)
		if res.status != c.status || (len(d.asked) > before) != (c.status == 204) {
			t.Errorf("%+v: %d %s, asked %v", c, res.status, res.body, d.asked)
		}
	}
	if d.of != "agent" || d.asked[0] != (AgentWish{State: model.Break, Reason: "training"}) || d.asked[1] != (AgentWish{State: model.Ready}) {
		t.Errorf("asked %+v of %q", d.asked, d.of)
	}
}

func TestWhyAnAgentIsNotReadyIsSaidInWords(t *testing.T) {
	d := &desks{}
	h := open(t, func(_ *Config, deps *Deps) { deps.Desks = d })
	for _, c := range []struct {
		err    error
		status int
		words  string
	}{
		{ErrNotHere, 409, "no phone registered"},
		{&Conflict{Text: "Your audio is not connected."}, 409, "Your audio is not connected."},
		{errors.New("the disk at /var is full"), 500, "log"},
	} {
		d.err = c.err
		res := h.as("supervisor").do(http.MethodPut, "/api/v1/agents/agent/state", `{"state":"ready"}`)
		if res.status != c.status || !strings.Contains(res.body, c.words) || strings.Contains(res.body, "/var") {
			t.Errorf("%v: %d %s", c.err, res.status, res.body)
		}
	}
	if res := open(t).as("supervisor").do(http.MethodPut, "/api/v1/agents/agent/state", `{"state":"ready"}`); res.status != 409 {
		t.Errorf("without phones: %d %s", res.status, res.body)
	}
}

func TestAnAgentsPhonesAreShownWhereOneAgentIs(t *testing.T) {
	h := open(t, func(_ *Config, deps *Deps) { deps.Desks = &desks{} })
	a := read[Agent](h.as("supervisor"), "/api/v1/agents/agent")
	if len(a.Phones) != 1 || a.Phones[0].UserAgent != "Desk of agent" || a.Phones[0].Source != "198.51.100.7:40000" {
		t.Errorf("%+v", a.Phones)
	}
	if body := h.as("supervisor").get("/api/v1/agents").body; strings.Contains(body, "Desk of") {
		t.Errorf("in the list, too: %s", body)
	}
}
