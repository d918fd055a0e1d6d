package api

import (
	"encoding/json"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/headroom-voice/headroom/internal/model"
)

// concrete fills a route's parameters with things that exist.
func concrete(route string) string {
	switch {
	case strings.HasPrefix(route, "/api/v1/queues/"):
		return strings.Replace(route, "{id}", "sales", 1)
	case strings.HasPrefix(route, "/api/v1/agents/"):
		return strings.Replace(route, "{id}", "agent", 1)
	case strings.HasPrefix(route, "/api/v1/calls/"):
		return strings.Replace(route, "{id}", "call-9", 1)
	case strings.HasPrefix(route, "/api/v1/recordings/"):
		return strings.Replace(route, "{id}", "call-9.r1", 1)
	case strings.HasPrefix(route, "/api/v1/trunks/"):
		return strings.Replace(route, "{id}", "carrier", 1)
	default:
		return strings.Replace(route, "{key}", string(KeyOf(clippedHeadset)), 1)
	}
}

// everyRoute is what the router really answers, so that a new address cannot be forgotten here.
func everyRoute(t *testing.T, h *house) []string {
	t.Helper()
	var out []string
	err := chi.Walk(h.server.handler.(chi.Routes), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		out = append(out, method+" "+route)
		return nil
	})
	if err != nil || len(out) < 15 {
		t.Fatalf("%d routes, %v", len(out), err)
	}
	slices.Sort(out)
	return out
}

func TestNobodyWithoutASessionGetsAnythingButTheDoor(t *testing.T) {
	h := open(t)
	v := h.visitor()
	openToAll := []string{"POST /api/v1/session", "GET /healthz", "GET /readyz"}
	for _, route := range everyRoute(t, h) {
		if slices.Contains(openToAll, route) {
			continue
		}
		method, path, _ := strings.Cut(route, " ")
		res := v.do(method, concrete(path), "")
		if res.status != http.StatusUnauthorized {
			t.Errorf("%s: %d, wanted 401: %s", route, res.status, res.body)
		}
		if p := problem(t, res); p.Detail != notSignedIn {
			t.Errorf("%s says %q", route, p.Detail)
		}
	}
	for _, path := range []string{"/api", "/api/", "/api/v1/recordings", "/api/v1/session/", "/API/v1/../v1/calls", "/api/v1/calls/call-9/"} {
		if res := v.get(path); res.status == http.StatusOK && res.body != "a page" || strings.Contains(res.body, "call-9") {
			t.Errorf("%s: %d %s", path, res.status, res.body)
		}
	}
	for _, token := range []string{"x", strings.Repeat("y", 4000), "../../etc"} {
		if res := v.do("GET", "/api/v1/calls", "", "Cookie", cookieName+"="+token); res.status != http.StatusUnauthorized {
			t.Errorf("made-up token: %d", res.status)
		}
	}
	if res := v.get("/"); res.status != http.StatusOK || res.body != "a page" {
		t.Errorf("the pages, where people sign in, must come: %d %s", res.status, res.body)
	}
	if res := v.get("/healthz"); res.status != http.StatusOK {
		t.Errorf("healthz: %d", res.status)
	}
}

// The table of docs/api.md: what each role gets at each address. "own" is an address of
// something that is not theirs, answered as if it did not exist.
func TestEachRoleGetsWhatTheTableSays(t *testing.T) {
	h := open(t)
	type row struct {
		request                            string
		agent, supervisor, it, admin, none int
	}
	key := string(KeyOf(clippedHeadset))
	foreign := string(KeyOf(healthyHeadset))
	rows := []row{
		{"GET /api/v1/session", 200, 200, 200, 200, 200},
		{"GET /api/v1/openapi.json", 200, 200, 200, 200, 200},
		{"GET /api/v1/queues", 403, 200, 403, 200, 403},
		{"GET /api/v1/queues/sales", 403, 200, 403, 200, 403},
		{"GET /api/v1/agents", 200, 200, 200, 200, 403},
		{"GET /api/v1/agents/agent", 200, 200, 200, 200, 403},
		{"GET /api/v1/agents/other", 404, 200, 200, 200, 403},
		{"PUT /api/v1/agents/agent/state", 400, 400, 403, 400, 403},
		{"GET /api/v1/calls", 403, 200, 403, 200, 403},
		{"POST /api/v1/calls", 400, 403, 403, 400, 403},
		{"GET /api/v1/calls/call-9", 403, 200, 403, 200, 403},
		{"GET /api/v1/calls/call-9/readings", 403, 200, 200, 200, 403},
		{"GET /api/v1/calls/call-9/sip", 403, 200, 200, 200, 403},
		{"GET /api/v1/calls/call-9/recordings", 403, 200, 403, 200, 403},
		{"POST /api/v1/calls/call-9/recording", 400, 400, 403, 400, 403},
		{"GET /api/v1/recordings/call-9.r1/audio", 403, 404, 403, 404, 403}, // there is none in this house
		{"PUT /api/v1/recordings/call-9.r1/hold", 403, 400, 403, 400, 403},
		{"DELETE /api/v1/recordings/call-9.r1/hold", 403, 403, 403, 404, 403},
		{"DELETE /api/v1/recordings/call-9.r1", 403, 403, 403, 404, 403},
		{"POST /api/v1/calls/call-9/dtmf", 400, 400, 403, 400, 403},
		{"POST /api/v1/calls/call-9/secret", 400, 400, 403, 400, 403},
		{"GET /api/v1/headsets", 200, 200, 200, 200, 403},
		{"GET /api/v1/headsets/" + key, 200, 200, 200, 200, 403},
		{"GET /api/v1/headsets/" + foreign, 404, 200, 200, 200, 403},
		{"GET /api/v1/trunks", 403, 200, 200, 200, 403},
		{"GET /api/v1/trunks/carrier/refused", 403, 404, 404, 404, 403}, // there is none in this house
		{"GET /api/v1/sip/bans", 403, 403, 200, 200, 403},
		{"DELETE /api/v1/sip/bans", 403, 403, 200, 200, 403},
		{"GET /api/v1/agent", 426, 426, 403, 426, 403},
		{"POST /api/v1/calls/call-9/supervise", 403, 400, 403, 400, 403},
		{"DELETE /api/v1/calls/call-9/supervise", 403, 204, 403, 204, 403},
		{"GET /metrics", 403, 403, 200, 200, 403},
	}
	// Nothing may be missing above but the stream, which does not end, and the door itself.
	for _, route := range everyRoute(t, h) {
		method, path, _ := strings.Cut(route, " ")
		known := slices.ContainsFunc(rows, func(r row) bool { return r.request == method+" "+concrete(path) })
		if !known && !slices.Contains([]string{"GET /api/v1/events", "GET /healthz", "GET /readyz", "POST /api/v1/session", "DELETE /api/v1/session"}, route) {
			t.Errorf("%s is in nobody's table", route)
		}
	}
	for _, who := range []string{"agent", "supervisor", "it", "admin", "nobody"} {
		v := h.as(who)
		for _, r := range rows {
			want := map[string]int{"agent": r.agent, "supervisor": r.supervisor, "it": r.it, "admin": r.admin, "nobody": r.none}[who]
			method, path, _ := strings.Cut(r.request, " ")
			if res := v.do(method, path, ""); res.status != want {
				t.Errorf("%s as %s: %d, wanted %d: %.200s", r.request, who, res.status, want, res.body)
			}
		}
	}
}

func TestTheDocumentedRoleTableIsTheOneInForce(t *testing.T) {
	doc, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	cell := func(p permission, r model.Role) string {
		switch v := (viewer{user: model.User{Roles: []model.Role{r}}}); {
		case v.may(p):
			return "yes"
		case v.mayOwn(p):
			return "own"
		default:
			return "–"
		}
	}
	for name, p := range map[string]permission{
		"`GET /queues`, `/queues/{id}`": maySeeQueues, "`GET /agents`, `/agents/{id}`": maySeeAgents, "`GET /calls`, `/calls/{id}`": maySeeCalls,
		"`GET /calls/{id}/readings`": maySeeReadings, "`GET /calls/{id}/sip`": maySeeSIP, "`GET /headsets`, `/headsets/{key}`": maySeeHeadsets, "`GET /agent` (WebSocket)": mayBeAgent,
		"`/metrics`": maySeeMachinery, "`GET`, `DELETE /session`, `/openapi.json`": mayKnowSelf, "`GET /events`": mayWatch,
		"`GET /trunks`": maySeeTrunks, "`POST /calls`": mayDial, "`POST`, `DELETE /calls/{id}/supervise`": maySupervise,
		"`GET /trunks/{id}/refused`": maySeeSIP, "`GET`, `DELETE /sip/bans`": maySeeBans,
		"`PUT /agents/{id}/state`": mayGiveState, "`POST /calls/{id}/dtmf`, `/calls/{id}/secret`": mayPressKeys,
		"`GET /calls/{id}/recordings`, `/recordings/{id}/audio`, `PUT /recordings/{id}/hold`": mayHear,
		"`POST /calls/{id}/recording`": mayRecord, "`DELETE /recordings/{id}`, `/recordings/{id}/hold`": mayDelete,
	} {
		line := "| " + name + " |"
		for _, r := range []model.Role{model.RoleAgent, model.RoleSupervisor, model.RoleIT, model.RoleAdmin} {
			line += " " + cell(p, r) + " |"
		}
		if !strings.Contains(string(doc), line+"\n") {
			t.Errorf("docs/api.md lacks the line\n%s", line)
		}
	}
}

func TestAnAgentSeesOnlyTheirOwn(t *testing.T) {
	h := open(t)
	v := h.as("agent")
	agents := read[Agents](v, "/api/v1/agents")
	if agents.Total != 1 || agents.Agents[0].ID != "agent" {
		t.Errorf("agents: %+v", agents)
	}
	sets := read[Headsets](v, "/api/v1/headsets")
	if sets.Total != 1 || sets.Headsets[0].ID != clippedHeadset {
		t.Errorf("headsets: %+v", sets)
	}
	d := read[HeadsetDetail](v, "/api/v1/headsets/"+string(KeyOf(clippedHeadset)))
	if len(d.Reports) != 1 || d.Reports[0].Agent != "agent" {
		t.Errorf("an agent read another's report: %+v", d.Reports)
	}
	if f := d.Headset.Verdict.Findings; len(f) != 1 || len(f[0].Calls) != 0 || len(d.History[0].Findings[0].Calls) != 0 {
		t.Errorf("the calls behind a verdict are not an agent's to see: %+v", f)
	}
	if d := read[HeadsetDetail](h.as("it"), "/api/v1/headsets/"+string(KeyOf(clippedHeadset))); len(d.Reports) != 2 || len(d.Headset.Verdict.Findings[0].Calls) != 2 {
		t.Errorf("IT must see the evidence: %+v", d)
	}
}

func TestARoleTakenAwayTakesEffectAtOnce(t *testing.T) {
	h := open(t)
	v := h.as("supervisor")
	read[Calls](v, "/api/v1/calls")
	h.record.setUser("supervisor", func(u *model.User) { u.Roles = []model.Role{model.RoleIT} })
	if res := v.get("/api/v1/calls"); res.status != http.StatusForbidden {
		t.Errorf("%d", res.status)
	}
	h.record.removeUser("supervisor")
	if res := v.get("/api/v1/agents"); res.status != http.StatusUnauthorized {
		t.Errorf("removed user: %d", res.status)
	}
}

func TestTheOpenAPIDocumentIsWholeAndListsEveryAddress(t *testing.T) {
	h := open(t)
	res := h.as("it").get("/api/v1/openapi.json")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Responses   map[string]json.RawMessage
		}
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal([]byte(res.body), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi %q", doc.OpenAPI)
	}
	ids := map[string]bool{}
	for _, route := range everyRoute(t, h) {
		method, path, _ := strings.Cut(route, " ")
		op, ok := doc.Paths[path][strings.ToLower(method)]
		if !ok || op.Summary == "" || op.OperationID == "" || len(op.Responses) == 0 || ids[op.OperationID] {
			t.Errorf("%s: not described, or its name is taken: %+v", route, op)
		}
		ids[op.OperationID] = true
	}
	// Every reference leads somewhere.
	for _, part := range strings.Split(res.body, `"$ref": "#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if doc.Components.Schemas[name] == nil {
			t.Errorf("nothing is called %s", name)
		}
	}
	var reading struct {
		Properties map[string]struct {
			Type        any
			Description string
		}
	}
	if err := json.Unmarshal(doc.Components.Schemas["Reading"], &reading); err != nil {
		t.Fatal(err)
	}
	if b, _ := json.Marshal(reading.Properties["level_dbov"].Type); string(b) != `["number","null"]` {
		t.Errorf("a measured value is a number or null, not %s", b)
	}
	for name, raw := range doc.Components.Schemas {
		var s struct {
			Properties map[string]struct {
				Description string
				Ref         string `json:"$ref"`
			}
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			t.Fatal(err)
		}
		for field, p := range s.Properties {
			if p.Description == "" {
				t.Errorf("%s.%s is not described", name, field)
			}
		}
	}
	if strings.Contains(res.body, `"array",`) {
		t.Error("a list may be null, says the document; it never is")
	}
}
