package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/internal/model"
)

// permission names something the API lets people do. The table in permission.roles is the
// only place that says who may; docs/api.md shows it to readers.
type permission string

const (
	mayKnowSelf     permission = "self"       // own session, the OpenAPI document
	maySeeQueues    permission = "queues"     // queues and who waits in them
	maySeeAgents    permission = "agents"     // states and live readings
	mayGiveState    permission = "states"     // make agents ready, or give them a break
	maySeeCalls     permission = "calls"      // callers' numbers and a call's story
	maySeeReadings  permission = "readings"   // the numbers of a call's audio
	maySeeSIP       permission = "sip"        // what was said in a call's signalling: numbers and addresses
	maySeeHeadsets  permission = "headsets"   // verdicts and the reports behind them
	mayWatch        permission = "events"     // the live stream, filtered by all of the above
	mayBeAgent      permission = "agent"      // the agent's client, and the supervisor's
	mayDial         permission = "dial"       // calls out, with one's own client
	maySupervise    permission = "supervise"  // join agents' calls, with one's own client
	mayPressKeys    permission = "keys"       // in calls, and to say that secrets are keyed in
	maySeeTrunks    permission = "trunks"     // whether carriers can be reached
	maySeeMachinery permission = "metrics"    // the service's own counters
	mayHear         permission = "recordings" // what was said in calls, and keeping it beyond its time
	mayRecord       permission = "record"     // starting and stopping that, in a call
	mayDelete       permission = "delete"     // recordings, for good; and letting go of what is held
	maySeeBans      permission = "bans"       // sources that are not listened to, and lifting that
)

// grant says which roles have a permission in full, and which only for what is their own.
// An admin has every role (model.User.Has).
type grant struct {
	everybody bool // who is signed in, whatever the role
	full, own []model.Role
}

func (p permission) grant() grant {
	const agent, supervisor, it, admin = model.RoleAgent, model.RoleSupervisor, model.RoleIT, model.RoleAdmin
	switch p {
	case mayKnowSelf:
		return grant{everybody: true}
	case maySeeQueues, maySeeCalls, mayHear:
		return grant{full: []model.Role{supervisor, admin}}
	case maySeeReadings, maySeeSIP:
		return grant{full: []model.Role{supervisor, it, admin}}
	case maySeeAgents, maySeeHeadsets:
		return grant{full: []model.Role{supervisor, it, admin}, own: []model.Role{agent}}
	case mayGiveState, mayPressKeys:
		return grant{full: []model.Role{supervisor, admin}, own: []model.Role{agent}}
	case maySupervise:
		return grant{full: []model.Role{supervisor, admin}}
	case maySeeTrunks:
		return grant{full: []model.Role{supervisor, it, admin}}
	case mayWatch:
		return grant{full: []model.Role{agent, supervisor, it, admin}}
	case mayRecord:
		return grant{full: []model.Role{supervisor, admin}, own: []model.Role{agent}}
	case mayDelete:
		return grant{full: []model.Role{admin}}
	case mayDial:
		return grant{own: []model.Role{agent}}
	case mayBeAgent:
		return grant{full: []model.Role{agent, supervisor}}
	case maySeeMachinery, maySeeBans:
		return grant{full: []model.Role{it, admin}}
	default:
		return grant{}
	}
}

// viewer is whoever asks.
type viewer struct {
	user  model.User
	token string // of the session, to look again later
}

type viewerKey struct{}

// viewerOf gives whoever is asking. Without a session it is nobody, who may nothing.
func viewerOf(ctx context.Context) (viewer, bool) {
	v, ok := ctx.Value(viewerKey{}).(viewer)
	return v, ok
}

// may reports whether the viewer has the permission in full.
func (v viewer) may(p permission) bool {
	g := p.grant()
	return g.everybody || slices.ContainsFunc(g.full, v.user.Has)
}

// mayOwn reports whether the viewer has the permission at least for what is their own.
func (v viewer) mayOwn(p permission) bool {
	return v.may(p) || slices.ContainsFunc(p.grant().own, v.user.Has)
}

// sees reports whether the viewer may see what belongs to the agent.
func (v viewer) sees(p permission, owner model.AgentID) bool {
	return v.may(p) || v.mayOwn(p) && owner == v.user.ID
}

// forbidden is the answer to a viewer who lacks the role.
const forbidden = "your role may not see this"

// require lets only those with the permission through, before any of the request is read.
func require(api huma.API, p permission) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		v, ok := viewerOf(ctx.Context())
		switch {
		case !ok:
			_ = huma.WriteErr(api, ctx, http.StatusUnauthorized, notSignedIn)
		case !v.mayOwn(p):
			_ = huma.WriteErr(api, ctx, http.StatusForbidden, forbidden)
		default:
			next(ctx)
		}
	}
}

// roleNames is how a permission reads in the OpenAPI document.
func (p permission) roleNames() string {
	g := p.grant()
	if g.everybody {
		return "everybody signed in"
	}
	var s string
	add := func(r model.Role, suffix string) {
		if s != "" {
			s += ", "
		}
		s += string(r) + suffix
	}
	for _, r := range g.full {
		add(r, "")
	}
	for _, r := range g.own {
		add(r, " (own only)")
	}
	return s
}
