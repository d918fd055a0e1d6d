package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
)

// page is which part of a list is wanted.
type page struct {
	Limit  int `query:"limit" minimum:"1" maximum:"500" default:"200" doc:"How many at most"`
	Offset int `query:"offset" minimum:"0" maximum:"1000000" default:"0" doc:"How many to pass over"`
}

// cut gives the wanted part of a list.
func cut[T any](all []T, p page) []T {
	all = all[min(p.Offset, len(all)):]
	return all[:min(p.Limit, len(all))]
}

type queueInput struct {
	ID string `path:"id" maxLength:"128" doc:"The queue's name in the site file"`
}

type agentInput struct {
	ID string `path:"id" maxLength:"128" doc:"The agent's sign-in name"`
}

// listQueues is GET /api/v1/queues.
func (s *Server) listQueues(_ context.Context, in *page) (*struct{ Body Queues }, error) {
	snap, now := s.deps.Switchboard.Snapshot(), s.now() // the picture stands since its last change; waiting goes on
	queues := each(snap.Queues, func(v acd.QueueView) Queue { return queueOf(v, now) })
	return &struct{ Body Queues }{Queues{At: now, Total: len(queues), Queues: cut(queues, *in)}}, nil
}

// showQueue is GET /api/v1/queues/{id}. A queue that the site no longer has is shown while
// somebody waits in it.
func (s *Server) showQueue(ctx context.Context, in *queueInput) (*struct{ Body QueueDetail }, error) {
	id := model.QueueID(in.ID)
	snap := s.deps.Switchboard.Snapshot()
	i := slices.IndexFunc(snap.Queues, func(v acd.QueueView) bool { return v.ID == id })
	if i < 0 {
		return nil, huma.Error404NotFound("there is no such queue")
	}
	site, err := s.deps.People.Site(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	now := s.now()
	d := QueueDetail{At: now, Queue: queueOf(snap.Queues[i], now), Numbers: []string{}}
	if i := slices.IndexFunc(site.Queues, func(q model.Queue) bool { return q.ID == id }); i >= 0 {
		q := site.Queues[i]
		d.Numbers = orEmpty(q.Numbers)
		d.OfferTimeoutS, d.WrapUpS, d.ServiceLevelS = seconds(q.OfferTimeout), seconds(q.WrapUp), seconds(q.ServiceLevel)
	}
	for _, a := range s.roster(site, snap) {
		if slices.Contains(a.Queues, id) {
			d.Agents = append(d.Agents, a)
		}
	}
	d.Agents = orEmpty(d.Agents)
	return &struct{ Body QueueDetail }{d}, nil
}

// listAgents is GET /api/v1/agents. Who may see only themselves gets a list of one.
func (s *Server) listAgents(ctx context.Context, in *page) (*struct{ Body Agents }, error) {
	v, _ := viewerOf(ctx)
	site, err := s.deps.People.Site(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	agents := slices.DeleteFunc(s.roster(site, s.deps.Switchboard.Snapshot()), func(a Agent) bool { return !v.sees(maySeeAgents, a.ID) })
	return &struct{ Body Agents }{Agents{At: s.now(), Total: len(agents), Agents: cut(agents, *in)}}, nil
}

// showAgent is GET /api/v1/agents/{id}.
func (s *Server) showAgent(ctx context.Context, in *agentInput) (*struct{ Body Agent }, error) {
	v, _ := viewerOf(ctx)
	id := model.AgentID(in.ID)
	if !v.sees(maySeeAgents, id) {
		return nil, huma.Error404NotFound("there is no such agent") // whether there is one is not theirs to know
	}
	site, err := s.deps.People.Site(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	agents := s.roster(site, s.deps.Switchboard.Snapshot())
	i := slices.IndexFunc(agents, func(a Agent) bool { return a.ID == id })
	if i < 0 {
		return nil, huma.Error404NotFound("there is no such agent")
	}
	agents[i].Phones = s.phonesOf(id)
	return &struct{ Body Agent }{agents[i]}, nil
}

// roster is every agent: those signed in as the floor has them, then those of the site who
// are offline, by name within each.
func (s *Server) roster(site model.Site, snap *acd.Snapshot) []Agent {
	titles := titlesOf(site)
	out := signedIn(snap, titles, s.deps.Switchboard.Live())
	seen := make(map[model.AgentID]bool, len(out))
	for _, a := range out {
		seen[a.ID] = true
	}
	for _, u := range site.Users {
		if !seen[u.ID] && slices.Contains(u.Roles, model.RoleAgent) {
			out = append(out, agentOf(acd.AgentView{ID: u.ID, State: model.Offline, Queues: u.Queues}, u.Title, nil))
		}
	}
	slices.SortStableFunc(out, func(a, b Agent) int {
		if c := cmp.Compare(offlineLast(a), offlineLast(b)); c != 0 {
			return c
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return out
}

func offlineLast(a Agent) int {
	if a.State == model.Offline {
		return 1
	}
	return 0
}

// signedIn is the agents of a snapshot with what the switchboard knows of them.
func signedIn(snap *acd.Snapshot, titles map[model.AgentID]string, live []call.AgentLive) []Agent {
	by := make(map[model.AgentID]*call.AgentLive, len(live))
	for i := range live {
		by[live[i].Agent] = &live[i]
	}
	return each(snap.Agents, func(v acd.AgentView) Agent { return agentOf(v, titles[v.ID], by[v.ID]) })
}

func titlesOf(site model.Site) map[model.AgentID]string {
	out := make(map[model.AgentID]string, len(site.Users))
	for _, u := range site.Users {
		out[u.ID] = u.Title
	}
	return out
}

// registerFloor adds the operations about what goes on now.
func (s *Server) registerFloor() {
	register(s, op(http.MethodGet, "/api/v1/queues", "list-queues", "Queues", "Every queue as it is now"), maySeeQueues, s.listQueues)
	register(s, op(http.MethodGet, "/api/v1/queues/{id}", "show-queue", "Queues", "One queue with its settings and agents"), maySeeQueues, s.showQueue)
	register(s, op(http.MethodGet, "/api/v1/agents", "list-agents", "Agents", "Every agent as they are now"), maySeeAgents, s.listAgents)
	register(s, op(http.MethodGet, "/api/v1/agents/{id}", "show-agent", "Agents", "One agent as they are now"), maySeeAgents, s.showAgent)
}
