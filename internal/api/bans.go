package api

import (
	"context"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Bans is what the SIP server does not listen to (internal/service).
type Bans interface {
	Bans() []Ban
	Lift(source netip.Addr) bool // false if it was not banned
	LiftAll() int
}

// BanList is the body of GET /api/v1/sip/bans.
type BanList struct {
	Bans []Ban `json:"bans" doc:"Those in force, the newest first"`
}

// Ban is a source whose SIP messages are dropped unread.
type Ban struct {
	Source  string    `json:"source" doc:"An IPv4 address or an IPv6 network of 64 bits, with its length"`
	Cause   string    `json:"cause" enum:"unknown,garbage,password,flood" doc:"What tipped the scale"`
	Words   string    `json:"words" doc:"The same for people"`
	Since   time.Time `json:"since" doc:"When it began"`
	Until   time.Time `json:"until" doc:"When it ends by itself"`
	Times   int       `json:"times" doc:"Bans of late, this one too; each is longer than the one before"`
	Dropped uint64    `json:"dropped" doc:"Messages and connections that were dropped since"`
}

// BansLifted is the body of DELETE /api/v1/sip/bans.
type BansLifted struct {
	Lifted int `json:"lifted" doc:"Bans that have ended by it"`
}

type liftBansInput struct {
	Source string `query:"source" maxLength:"64" doc:"An address, or a source as it is listed; without it every ban is lifted"`
}

// listBans is GET /api/v1/sip/bans.
func (s *Server) listBans(context.Context, *struct{}) (*struct{ Body BanList }, error) {
	var list []Ban
	if s.deps.Bans != nil {
		list = s.deps.Bans.Bans()
	}
	return &struct{ Body BanList }{BanList{Bans: each(list, func(b Ban) Ban { return b })}}, nil
}

// liftBans is DELETE /api/v1/sip/bans.
func (s *Server) liftBans(_ context.Context, in *liftBansInput) (*struct{ Body BansLifted }, error) {
	lifted := 0
	text, _, _ := strings.Cut(in.Source, "/")
	source, err := netip.ParseAddr(text)
	switch {
	case in.Source != "" && err != nil:
		return nil, huma.Error422UnprocessableEntity("validation failed",
			&huma.ErrorDetail{Message: "expected an address like 192.0.2.10", Location: "query.source"})
	case s.deps.Bans == nil:
	case in.Source == "":
		lifted = s.deps.Bans.LiftAll()
	case s.deps.Bans.Lift(source):
		lifted = 1
	}
	return &struct{ Body BansLifted }{BansLifted{Lifted: lifted}}, nil
}

// registerBans adds the operations about bans.
func (s *Server) registerBans() {
	list := op(http.MethodGet, "/api/v1/sip/bans", "list-sip-bans", "Trunks", "Sources that SIP is not taken from, and until when")
	register(s, list, maySeeBans, s.listBans)
	lift := op(http.MethodDelete, "/api/v1/sip/bans", "lift-sip-bans", "Trunks", "Lift the ban of a source, or every one")
	register(s, lift, maySeeBans, s.liftBans)
}
