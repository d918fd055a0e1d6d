package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/headroom-voice/headroom/internal/model"
)

// Limits of the lists of headsets.
const (
	headsetsLimit = 10_000
	historyLimit  = 500
)

// SeenHeadset records that a device was plugged in: the first time it is added, later its
// last sight and agent move on. An older sight never overwrites a newer one.
func (s *Store) SeenHeadset(ctx context.Context, h model.Headset) error {
	if h.ID == "" {
		return errors.New("store: a headset without an identity cannot be kept")
	}
	if h.FirstSeen.IsZero() {
		h.FirstSeen = h.LastSeen
	}
	return s.change(ctx, "headset", string(h.ID), func(t *tx) error {
		_, err := t.exec(`INSERT INTO headsets (id, model, serial, first_seen, last_seen, last_agent) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (id) DO UPDATE SET
				first_seen = CASE WHEN excluded.first_seen < headsets.first_seen THEN excluded.first_seen ELSE headsets.first_seen END,
				last_agent = CASE WHEN excluded.last_seen >= headsets.last_seen THEN excluded.last_agent ELSE headsets.last_agent END,
				last_seen = CASE WHEN excluded.last_seen >= headsets.last_seen THEN excluded.last_seen ELSE headsets.last_seen END`,
			h.ID, h.Model, h.Serial, h.FirstSeen, h.LastSeen, h.LastAgent)
		return err
	})
}

const headsetColumns = "id, model, serial, first_seen, last_seen, last_agent"

func scanHeadset(r row) (h model.Headset, err error) {
	err = r.Scan(&h.ID, &h.Model, &h.Serial, instant{&h.FirstSeen}, instant{&h.LastSeen}, &h.LastAgent)
	return h, err
}

// Headsets lists the devices, last seen first, at most 10,000.
func (s *Store) Headsets(ctx context.Context) ([]model.Headset, error) {
	out, err := list(ctx, s.read, "SELECT "+headsetColumns+" FROM headsets ORDER BY last_seen DESC, id DESC LIMIT $1", []any{headsetsLimit}, scanHeadset)
	if err != nil {
		return nil, fmt.Errorf("store: headsets: %w", err)
	}
	return out, nil
}

// Headset gives one device.
func (s *Store) Headset(ctx context.Context, id model.HeadsetID) (model.Headset, error) {
	h, err := scanHeadset(s.read.QueryRowContext(ctx, "SELECT "+headsetColumns+" FROM headsets WHERE id = $1", bind([]any{id})...))
	if err != nil {
		return model.Headset{}, fmt.Errorf("store: headset %q: %w", id, named(err))
	}
	return h, nil
}

// AddReport keeps the report of one tap of one leg. The same call, leg, tap and headset
// again replaces it: a client that never saw its acknowledgement sends its report twice,
// and it must count once.
func (s *Store) AddReport(ctx context.Context, r model.ReportRecord) error {
	report, err := toJSON(r.Report)
	if err != nil {
		return fmt.Errorf("store: report of call %q: %w", r.Call, err)
	}
	tap := r.Report.Tap
	return s.change(ctx, "report of call", string(r.Call), func(t *tx) error {
		_, err := t.exec(`INSERT INTO reports (call_id, leg_id, tap, headset, agent, at, report) VALUES ($1, $2, $3, $4, $5, $6, $7)
			ON CONFLICT (call_id, leg_id, tap, headset) DO UPDATE SET agent = excluded.agent, at = excluded.at, report = excluded.report`,
			r.Call, r.Leg, tap, r.Headset, r.Agent, r.At, report)
		return err
	})
}

const reportColumns = "call_id, leg_id, headset, agent, at, report"

func scanReport(r row) (rec model.ReportRecord, err error) {
	err = r.Scan(&rec.Call, &rec.Leg, &rec.Headset, &rec.Agent, instant{&rec.At}, document{&rec.Report})
	return rec, err
}

// Reports lists the reports of one headset, newest first, at most limit or 1000.
func (s *Store) Reports(ctx context.Context, id model.HeadsetID, limit int) ([]model.ReportRecord, error) {
	out, err := list(ctx, s.read, "SELECT "+reportColumns+" FROM reports WHERE headset = $1 ORDER BY at DESC, seq DESC LIMIT $2",
		[]any{id, bounded(limit, reportsLimit)}, scanReport)
	if err != nil {
		return nil, fmt.Errorf("store: reports of %q: %w", id, err)
	}
	return out, nil
}

// SaveVerdict keeps what is now thought of a headset. One that is older than the stored
// one changes nothing. Where the state, or the findings numbers aside, differ from those
// before, the history grows by a line.
func (s *Store) SaveVerdict(ctx context.Context, v model.Verdict) error {
	if v.Findings == nil {
		v.Findings = []model.VerdictFinding{}
	}
	body, err := toJSON(v)
	if err != nil {
		return fmt.Errorf("store: verdict on %q: %w", v.Headset, err)
	}
	id, at, gist := v.Headset, v.At, verdictGist(v)
	return s.change(ctx, "verdict on", string(id), func(t *tx) error {
		touched, err := t.exec(`INSERT INTO verdicts (headset, at, body) VALUES ($1, $2, $3)
			ON CONFLICT (headset) DO UPDATE SET at = excluded.at, body = excluded.body WHERE excluded.at >= verdicts.at`, id, at, body)
		if err != nil || touched == 0 {
			return err
		}
		var last string
		err = t.one("SELECT gist FROM verdict_history WHERE headset = $1 ORDER BY at DESC, seq DESC LIMIT 1", []any{id}, &last)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		if err == nil && last == gist {
			return nil
		}
		_, err = t.exec("INSERT INTO verdict_history (headset, at, gist, body) VALUES ($1, $2, $3, $4)", id, at, gist, body)
		return err
	})
}

// verdictGist is a verdict without its numbers.
func verdictGist(v model.Verdict) string {
	var b strings.Builder
	b.WriteString(string(v.State))
	for _, f := range v.Findings {
		fmt.Fprintf(&b, " %s/%s/%s", f.Kind, f.Severity, f.Blame)
	}
	return b.String()
}

func scanVerdict(r row) (v model.Verdict, err error) {
	err = r.Scan(document{&v})
	return v, err
}

// Verdicts lists the current verdict of every headset that has one, newest first, at most 10,000.
func (s *Store) Verdicts(ctx context.Context) ([]model.Verdict, error) {
	out, err := list(ctx, s.read, "SELECT body FROM verdicts ORDER BY at DESC, headset DESC LIMIT $1", []any{headsetsLimit}, scanVerdict)
	if err != nil {
		return nil, fmt.Errorf("store: verdicts: %w", err)
	}
	return out, nil
}

// Verdict gives the current verdict on one headset; ErrNotFound when it was never judged.
func (s *Store) Verdict(ctx context.Context, id model.HeadsetID) (model.Verdict, error) {
	v, err := scanVerdict(s.read.QueryRowContext(ctx, "SELECT body FROM verdicts WHERE headset = $1", bind([]any{id})...))
	if err != nil {
		return model.Verdict{}, fmt.Errorf("store: verdict on %q: %w", id, named(err))
	}
	return v, nil
}

// VerdictHistory lists how the verdict on a headset changed, newest first, at most 500.
func (s *Store) VerdictHistory(ctx context.Context, id model.HeadsetID) ([]model.Verdict, error) {
	out, err := list(ctx, s.read, "SELECT body FROM verdict_history WHERE headset = $1 ORDER BY at DESC, seq DESC LIMIT $2",
		[]any{id, historyLimit}, scanVerdict)
	if err != nil {
		return nil, fmt.Errorf("store: verdict history of %q: %w", id, err)
	}
	return out, nil
}
