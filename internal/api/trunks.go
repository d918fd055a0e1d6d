package api

import (
	"context"
	"net/http"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// Trunks is what is known of the trunks (internal/service).
type Trunks interface {
	Trunks() []Trunk // a snapshot
}

// TrunkList is the body of GET /api/v1/trunks.
type TrunkList struct {
	Trunks []Trunk `json:"trunks" doc:"In the order of the site"`
}

// Trunk is how it is with one trunk.
type Trunk struct {
	ID           model.TrunkID      `json:"id" doc:"The name in the site file"`
	Calls        int                `json:"calls" doc:"On it now, and being set up"`
	In           uint64             `json:"calls_in" doc:"Calls that came in since the service started"`
	Out          uint64             `json:"calls_out" doc:"Calls that went out"`
	RefusedCalls uint64             `json:"refused_calls" doc:"Refused, because as many were on it as may be"`
	RefusedRate  uint64             `json:"refused_rate" doc:"Refused, because as many were new in a second as may be"`
	Registration *TrunkRegistration `json:"registration,omitempty" doc:"Absent where the trunk wants none"`
	Servers      []TrunkServer      `json:"servers" doc:"Those that have been asked or tried"`
}

// TrunkRegistration is whether a trunk knows where to send calls.
type TrunkRegistration struct {
	State    string     `json:"state" enum:"trying,registered,ended" doc:"trying: not registered, and at it or waiting; ended: taken back at the end"`
	Server   string     `json:"server" doc:"Where it was last tried"`
	Since    *time.Time `json:"since,omitempty" doc:"When the state began"`
	Until    *time.Time `json:"until,omitempty" doc:"When the trunk forgets it unless it is renewed"`
	Next     *time.Time `json:"next,omitempty" doc:"When it is renewed or tried again"`
	Status   int        `json:"status" doc:"Of the last reply; 0 is none"`
	Error    string     `json:"error" doc:"Why the last attempt failed, in words; empty if it did not"`
	Failures int        `json:"failures" doc:"Attempts that failed in a row"`
}

// TrunkServer is one address of a trunk.
type TrunkServer struct {
	Target      string     `json:"target" doc:"The URI that led to it"`
	Address     string     `json:"address" doc:"IP:port/transport"`
	State       string     `json:"state" enum:"unknown,up,down" doc:"By the last that is known: a reply to OPTIONS, or what became of a call"`
	Since       time.Time  `json:"since" doc:"When the state began"`
	Checked     *time.Time `json:"checked,omitempty" doc:"When it was last asked; absent if never"`
	Status      int        `json:"status" doc:"What it said; 0 is nothing"`
	RoundTripMS float64    `json:"round_trip_ms" doc:"How long the last OPTIONS took that it answered"`
	Why         string     `json:"why" doc:"Why it is down, in words"`
}

// listTrunks is GET /api/v1/trunks.
func (s *Server) listTrunks(context.Context, *struct{}) (*struct{ Body TrunkList }, error) {
	var list []Trunk
	if s.deps.Trunks != nil {
		list = s.deps.Trunks.Trunks()
	}
	for i := range list {
		if list[i].Servers == nil {
			list[i].Servers = []TrunkServer{}
		}
	}
	return &struct{ Body TrunkList }{TrunkList{Trunks: each(list, func(t Trunk) Trunk { return t })}}, nil
}

// registerTrunks adds the operation about trunks.
func (s *Server) registerTrunks() {
	list := op(http.MethodGet, "/api/v1/trunks", "list-trunks", "Trunks", "How it is with the trunks: calls, registration, servers")
	register(s, list, maySeeTrunks, s.listTrunks)
}
