package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

const noSuchCall = "there is no such call"

type callsInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many at most"`
	Before string `query:"before" maxLength:"160" doc:"The next of the page before; leave out for the newest calls"`
	Queue  string `query:"queue" maxLength:"128" doc:"Only calls of this queue"`
	Agent  string `query:"agent" maxLength:"128" doc:"Only calls this agent had a part in"`
}

type callInput struct {
	ID string `path:"id" maxLength:"128" doc:"The call"`
}

// listCalls is GET /api/v1/calls.
func (s *Server) listCalls(ctx context.Context, in *callsInput) (*struct{ Body Calls }, error) {
	f := store.CallFilter{Limit: in.Limit + 1, Queue: model.QueueID(in.Queue), Agent: model.AgentID(in.Agent)}
	if in.Before != "" {
		var err error
		if f.Before, f.BeforeID, err = readCursor(in.Before); err != nil {
			return nil, huma.Error422UnprocessableEntity("validation failed",
				&huma.ErrorDetail{Message: "expected the next of another page", Location: "query.before"})
		}
	}
	found, err := s.deps.Calls.Calls(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list calls: %w", err)
	}
	var out Calls
	if len(found) > in.Limit { // one more was asked for, to know whether there is a next page
		found = found[:in.Limit]
		out.Next = cursorAfter(found[in.Limit-1])
	}
	out.Calls = each(found, func(c model.Call) Call { return Call(c) })
	return &struct{ Body Calls }{out}, nil
}

// A cursor is the start of the page's last call in microseconds, and the call itself,
// because several may start in one microsecond.
func cursorAfter(c model.Call) string {
	return strconv.FormatInt(c.StartedAt.UnixMicro(), 10) + "." + string(c.ID)
}

func readCursor(s string) (time.Time, model.CallID, error) {
	us, id, ok := strings.Cut(s, ".")
	n, err := strconv.ParseInt(us, 10, 64)
	if !ok || err != nil || n < 0 || id == "" {
		return time.Time{}, "", errors.New("not a cursor")
	}
	return time.UnixMicro(n).UTC(), model.CallID(id), nil
}

// showCall is GET /api/v1/calls/{id}.
func (s *Server) showCall(ctx context.Context, in *callInput) (*struct{ Body CallStory }, error) {
	story, err := s.deps.Calls.Call(ctx, model.CallID(in.ID))
	if errors.Is(err, store.ErrNotFound) {
		return nil, huma.Error404NotFound(noSuchCall)
	}
	if err != nil {
		return nil, fmt.Errorf("read call: %w", err)
	}
	return &struct{ Body CallStory }{CallStory{
		Call:    Call(story.Call),
		Legs:    each(story.Legs, legOf),
		Events:  each(story.Events, func(e model.CallEvent) CallEvent { return CallEvent(e) }),
		Reports: each(story.Reports, reportOf),
	}}, nil
}

// showReadings is GET /api/v1/calls/{id}/readings.
func (s *Server) showReadings(ctx context.Context, in *callInput) (*struct{ Body CallReadings }, error) {
	id := model.CallID(in.ID)
	chunks, err := s.deps.Calls.Readings(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, huma.Error404NotFound(noSuchCall)
	}
	if err != nil {
		return nil, fmt.Errorf("read readings: %w", err)
	}
	if len(chunks) == 0 { // a call nobody measured, or no call
		if err := s.callIsThere(ctx, id); err != nil {
			return nil, err
		}
	}
	return &struct{ Body CallReadings }{CallReadings{Call: id, Runs: each(chunks, runOf)}}, nil
}

// showSIP is GET /api/v1/calls/{id}/sip.
func (s *Server) showSIP(ctx context.Context, in *callInput) (*struct{ Body CallSIP }, error) {
	id := model.CallID(in.ID)
	ladders, err := s.deps.Calls.Ladders(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read SIP ladders: %w", err)
	}
	if len(ladders) == 0 { // a call that goes on or is older than this record, or no call
		if err := s.callIsThere(ctx, id); err != nil {
			return nil, err
		}
	}
	return &struct{ Body CallSIP }{CallSIP{Call: id, Ladders: each(ladders, ladderOf)}}, nil
}

// callIsThere is nil, or what to answer for a call that is not.
func (s *Server) callIsThere(ctx context.Context, id model.CallID) error {
	_, err := s.deps.Calls.Call(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return huma.Error404NotFound(noSuchCall)
	}
	if err != nil {
		return fmt.Errorf("read call: %w", err)
	}
	return nil
}

// registerCalls adds the operations about the record of calls.
func (s *Server) registerCalls() {
	register(s, op(http.MethodGet, "/api/v1/calls", "list-calls", "Calls", "Calls, newest first"), maySeeCalls, s.listCalls)
	register(s, op(http.MethodGet, "/api/v1/calls/{id}", "show-call", "Calls", "The story of one call: legs, events, reports"), maySeeCalls, s.showCall)
	register(s, op(http.MethodGet, "/api/v1/calls/{id}/readings", "show-readings", "Calls", "One call's readings, a second each"), maySeeReadings, s.showReadings)
	sip := op(http.MethodGet, "/api/v1/calls/{id}/sip", "show-sip", "Calls", "What was said in one call's SIP dialogs, secrets left out")
	sip.Description = "There once the last message of a dialog has gone, a moment after the call's end as a rule. Proofs of passwords, media keys and dialled digits are never kept."
	register(s, sip, maySeeSIP, s.showSIP)
}
