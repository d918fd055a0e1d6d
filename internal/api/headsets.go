package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

// shownReports is how many of a headset's newest reports its detail holds.
const shownReports = 50

const noSuchHeadset = "there is no such headset"

type headsetInput struct {
	Key string `path:"key" maxLength:"768" doc:"The headset's key, as every headset's key field has it"`
}

// listHeadsets is GET /api/v1/headsets. Who may see only their own gets a list of those.
func (s *Server) listHeadsets(ctx context.Context, in *page) (*struct{ Body Headsets }, error) {
	v, _ := viewerOf(ctx)
	known, err := s.deps.Headsets.Headsets(ctx)
	if err != nil {
		return nil, fmt.Errorf("list headsets: %w", err)
	}
	verdicts, err := s.deps.Headsets.Verdicts(ctx)
	if err != nil {
		return nil, fmt.Errorf("list verdicts: %w", err)
	}
	titles, err := s.titles(ctx)
	if err != nil {
		return nil, err
	}
	byID := make(map[model.HeadsetID]model.Verdict, len(verdicts))
	for _, j := range verdicts {
		byID[j.Headset] = j
	}
	worn := s.wornBy()
	out := make([]Headset, 0, len(known))
	for _, h := range known {
		if ownsHeadset(v, h, worn) {
			out = append(out, headsetFor(v, h, byID[h.ID], titles, worn))
		}
	}
	slices.SortFunc(out, worstFirst)
	return &struct{ Body Headsets }{Headsets{Total: len(out), Headsets: cut(out, *in)}}, nil
}

// showHeadset is GET /api/v1/headsets/{key}.
func (s *Server) showHeadset(ctx context.Context, in *headsetInput) (*struct{ Body HeadsetDetail }, error) {
	v, _ := viewerOf(ctx)
	id, err := HeadsetKey(in.Key).ID()
	if err != nil {
		return nil, huma.Error404NotFound(noSuchHeadset)
	}
	h, err := s.deps.Headsets.Headset(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("read headset: %w", err)
	}
	worn := s.wornBy()
	if err != nil || !ownsHeadset(v, h, worn) { // whether there is one is not everybody's to know
		return nil, huma.Error404NotFound(noSuchHeadset)
	}
	history, err := s.deps.Headsets.VerdictHistory(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("read verdicts: %w", err)
	}
	reports, err := s.deps.Headsets.Reports(ctx, id, shownReports)
	if err != nil {
		return nil, fmt.Errorf("read reports: %w", err)
	}
	reports = slices.DeleteFunc(slices.Clone(reports), func(r model.ReportRecord) bool { return !v.sees(maySeeHeadsets, r.Agent) })
	titles, err := s.titles(ctx)
	if err != nil {
		return nil, err
	}
	now, err := s.deps.Headsets.Verdict(ctx, id) // the history keeps the numbers of when it changed
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("read the verdict: %w", err)
	}
	return &struct{ Body HeadsetDetail }{HeadsetDetail{
		Headset: headsetFor(v, h, now, titles, worn),
		History: each(history, func(j model.Verdict) Verdict { return verdictFor(v, j) }),
		Reports: each(reports, reportOf),
	}}, nil
}

func (s *Server) titles(ctx context.Context) (map[model.AgentID]string, error) {
	site, err := s.deps.People.Site(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the site: %w", err)
	}
	return titlesOf(site), nil
}

// wornBy says who wears which headset at this moment.
func (s *Server) wornBy() map[model.HeadsetID]model.AgentID {
	live := s.deps.Switchboard.Live()
	out := make(map[model.HeadsetID]model.AgentID, len(live))
	for _, l := range live {
		if l.Headset != "" {
			out[l.Headset] = l.Agent
		}
	}
	return out
}

// ownsHeadset reports whether the viewer may see the headset: everybody's, or the one they
// wear, or wore last when nobody else wears it now.
func ownsHeadset(v viewer, h model.Headset, worn map[model.HeadsetID]model.AgentID) bool {
	owner, inUse := worn[h.ID]
	if !inUse {
		owner = h.LastAgent
	}
	return v.sees(maySeeHeadsets, owner)
}

func headsetFor(v viewer, h model.Headset, j model.Verdict, titles map[model.AgentID]string, worn map[model.HeadsetID]model.AgentID) Headset {
	owner, inUse := worn[h.ID]
	if inUse {
		h.LastAgent = owner
	}
	return Headset{
		ID: h.ID, Key: KeyOf(h.ID), Model: h.Model, Serial: h.Serial, FirstSeen: h.FirstSeen, LastSeen: h.LastSeen,
		LastAgent: h.LastAgent, LastTitle: titles[h.LastAgent], InUse: inUse, Verdict: verdictFor(v, j),
	}
}

// verdictFor leaves out the calls behind a verdict for those who see only their own: they
// may have been somebody else's.
func verdictFor(v viewer, j model.Verdict) Verdict {
	out := verdictOf(j)
	if !v.may(maySeeHeadsets) {
		for i := range out.Findings {
			out.Findings[i].Calls = []model.CallID{}
		}
	}
	return out
}

func worstFirst(a, b Headset) int {
	return cmp.Or(
		cmp.Compare(urgency(a.Verdict.State), urgency(b.Verdict.State)),
		b.LastSeen.Compare(a.LastSeen),
		cmp.Compare(a.ID, b.ID),
	)
}

func urgency(s model.VerdictState) int {
	switch s {
	case model.VerdictReplace:
		return 0
	case model.VerdictWatch:
		return 1
	case model.VerdictUnknown:
		return 2
	default:
		return 3
	}
}

// registerHeadsets adds the operations about headsets.
func (s *Server) registerHeadsets() {
	register(s, op(http.MethodGet, "/api/v1/headsets", "list-headsets", "Headsets", "Every headset and its verdict, worst first"), maySeeHeadsets, s.listHeadsets)
	register(s, op(http.MethodGet, "/api/v1/headsets/{key}", "show-headset", "Headsets", "One headset: verdict, history, reports"), maySeeHeadsets, s.showHeadset)
}
