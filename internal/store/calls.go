package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// Limits of what one question about calls returns.
const (
	callsLimit   = 500
	legsLimit    = 1000
	eventsLimit  = 10_000
	reportsLimit = 1000
)

// CallFilter chooses calls. The zero filter is the newest calls of all.
type CallFilter struct {
	Limit    int           // at most 500, which zero means too
	Before   time.Time     // started before; zero is now
	BeforeID model.CallID  // with Before: go on behind this call of the page before, losing none that started in the same microsecond
	Queue    model.QueueID // empty is any
	Agent    model.AgentID // who had a leg in it, or spoke last; empty is any
}

// CallStory is one call with all that is known of it, readings aside.
type CallStory struct {
	Call    model.Call           `json:"call"`
	Legs    []model.Leg          `json:"legs"`    // in order of start
	Events  []model.CallEvent    `json:"events"`  // in order of time
	Reports []model.ReportRecord `json:"reports"` // in order of time
}

// CallStarted records a new call. For one that is already there it is CallUpdated.
func (s *Store) CallStarted(ctx context.Context, c model.Call) error {
	answered, ended := copyTime(c.AnsweredAt), copyTime(c.EndedAt)
	return s.change(ctx, "call", string(c.ID), func(t *tx) error {
		_, err := t.exec(`INSERT INTO calls (id, trunk, queue, from_number, from_name, to_number, started_at, answered_at, ended_at, cause, agent, direction)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
			ON CONFLICT (id) DO UPDATE SET trunk = excluded.trunk, queue = excluded.queue, from_number = excluded.from_number,
				from_name = excluded.from_name, to_number = excluded.to_number, agent = excluded.agent, direction = excluded.direction,
				answered_at = COALESCE(calls.answered_at, excluded.answered_at),
				cause = CASE WHEN calls.ended_at IS NULL THEN excluded.cause ELSE calls.cause END,
				ended_at = COALESCE(calls.ended_at, excluded.ended_at)`,
			c.ID, c.Trunk, c.Queue, c.From, c.FromName, c.To, c.StartedAt, answered, ended, c.Cause, c.Agent, c.Direction)
		return err
	})
}

// CallUpdated renews queue, agent and the rest of a call. Its start, the time of its first
// answer and its end are set once and stay.
func (s *Store) CallUpdated(ctx context.Context, c model.Call) error {
	answered, ended := copyTime(c.AnsweredAt), copyTime(c.EndedAt)
	return s.change(ctx, "call", string(c.ID), func(t *tx) error {
		return mustTouch(t.exec(`UPDATE calls SET trunk = $2, queue = $3, from_number = $4, from_name = $5, to_number = $6, agent = $7,
				answered_at = COALESCE(answered_at, $8),
				cause = CASE WHEN ended_at IS NULL THEN $10 ELSE cause END,
				ended_at = COALESCE(ended_at, $9) WHERE id = $1`,
			c.ID, c.Trunk, c.Queue, c.From, c.FromName, c.To, c.Agent, answered, ended, c.Cause))
	})
}

// CallAnswered records that an agent took the call: CallUpdated under the name of what happened.
func (s *Store) CallAnswered(ctx context.Context, c model.Call) error { return s.CallUpdated(ctx, c) }

// CallEnded closes a call. The first end stands: a second one changes nothing.
func (s *Store) CallEnded(ctx context.Context, id model.CallID, at time.Time, cause model.Cause) error {
	return s.change(ctx, "call", string(id), func(t *tx) error {
		return mustTouch(t.exec(`UPDATE calls SET cause = CASE WHEN ended_at IS NULL THEN $3 ELSE cause END,
				ended_at = COALESCE(ended_at, $2) WHERE id = $1`, id, at, cause))
	})
}

// LegStarted records a leg of a call.
func (s *Store) LegStarted(ctx context.Context, l model.Leg) error { return s.putLeg(ctx, l) }

// LegEnded closes a leg and keeps its counters. The first end stands.
func (s *Store) LegEnded(ctx context.Context, l model.Leg) error { return s.putLeg(ctx, l) }

func (s *Store) putLeg(ctx context.Context, l model.Leg) error {
	stats, err := toJSON(l.Stats)
	if err != nil {
		return fmt.Errorf("store: leg %q: %w", l.ID, err)
	}
	ended := copyTime(l.EndedAt)
	return s.change(ctx, "leg", string(l.ID), func(t *tx) error {
		_, err := t.exec(`INSERT INTO legs (id, call_id, kind, trunk, agent, headset, started_at, ended_at, cause, stats)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (id) DO UPDATE SET headset = excluded.headset, stats = excluded.stats,
				cause = CASE WHEN legs.ended_at IS NULL THEN excluded.cause ELSE legs.cause END,
				ended_at = COALESCE(legs.ended_at, excluded.ended_at)`,
			l.ID, l.Call, l.Kind, l.Trunk, l.Agent, l.Headset, l.StartedAt, ended, l.Cause, stats)
		return err
	})
}

// AddEvent adds a line to a call's story. The same line again, down to the microsecond, is
// the same event.
func (s *Store) AddEvent(ctx context.Context, e model.CallEvent) error {
	detail, err := toJSON(e.Detail)
	if err != nil {
		return fmt.Errorf("store: event of call %q: %w", e.Call, err)
	}
	return s.change(ctx, "event of call", string(e.Call), func(t *tx) error {
		return insertEvent(t, e.Call, e.At, e.Kind, e.Agent, detail)
	})
}

func insertEvent(t *tx, call model.CallID, at time.Time, kind string, agent model.AgentID, detail string) error {
	_, err := t.exec(`INSERT INTO call_events (call_id, at, kind, agent, detail, digest) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (call_id, at, digest) DO NOTHING`, call, at, kind, agent, detail, digest(kind, string(agent), detail))
	return err
}

// change is writer.do with an error that says what was to be written.
func (s *Store) change(ctx context.Context, what, id string, run func(*tx) error) error {
	if err := s.writer.do(ctx, run); err != nil {
		return fmt.Errorf("store: %s %q: %w", what, id, err)
	}
	return nil
}

// copyTime keeps a change from reading a time that its caller owns.
func copyTime(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	c := *t
	return &c
}

const callColumns = "id, trunk, queue, from_number, from_name, to_number, started_at, answered_at, ended_at, cause, agent, direction"

func scanCall(r row) (c model.Call, err error) {
	err = r.Scan(&c.ID, &c.Trunk, &c.Queue, &c.From, &c.FromName, &c.To, instant{&c.StartedAt},
		maybeInstant{&c.AnsweredAt}, maybeInstant{&c.EndedAt}, &c.Cause, &c.Agent, &c.Direction)
	return c, err
}

// Calls lists calls, newest first.
func (s *Store) Calls(ctx context.Context, f CallFilter) ([]model.Call, error) {
	var where []string
	var args []any
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	if !f.Before.IsZero() {
		before := arg(f.Before)
		// An empty BeforeID is below every id, so that alone it means "started before".
		where = append(where, fmt.Sprintf("(started_at, id) < (%s, %s)", before, arg(f.BeforeID)))
	}
	if f.Queue != "" {
		where = append(where, "queue = "+arg(f.Queue))
	}
	if f.Agent != "" {
		agent := arg(f.Agent)
		where = append(where, fmt.Sprintf("(agent = %s OR id IN (SELECT call_id FROM legs WHERE agent = %s))", agent, agent))
	}
	query := "SELECT " + callColumns + " FROM calls"
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	query += " ORDER BY started_at DESC, id DESC LIMIT " + arg(bounded(f.Limit, callsLimit))
	calls, err := list(ctx, s.read, query, args, scanCall)
	if err != nil {
		return nil, fmt.Errorf("store: calls: %w", err)
	}
	return calls, nil
}

// Call gives the story of one call.
func (s *Store) Call(ctx context.Context, id model.CallID) (CallStory, error) {
	fail := func(err error) (CallStory, error) {
		return CallStory{}, fmt.Errorf("store: call %q: %w", id, err)
	}
	var story CallStory
	var err error
	story.Call, err = scanCall(s.read.QueryRowContext(ctx, "SELECT "+callColumns+" FROM calls WHERE id = $1", bind([]any{id})...))
	if err != nil {
		return fail(named(err))
	}
	story.Legs, err = list(ctx, s.read, "SELECT "+legColumns+` FROM legs WHERE call_id = $1 ORDER BY started_at, id LIMIT $2`, []any{id, legsLimit}, scanLeg)
	if err != nil {
		return fail(err)
	}
	story.Events, err = list(ctx, s.read, `SELECT call_id, at, kind, agent, detail
		FROM call_events WHERE call_id = $1 ORDER BY at, seq LIMIT $2`, []any{id, eventsLimit}, scanEvent)
	if err != nil {
		return fail(err)
	}
	story.Reports, err = list(ctx, s.read, "SELECT "+reportColumns+" FROM reports WHERE call_id = $1 ORDER BY at, seq LIMIT $2",
		[]any{id, reportsLimit}, scanReport)
	if err != nil {
		return fail(err)
	}
	return story, nil
}

// AgentLegs gives the legs that an agent had in a call, newest first; none when the agent,
// or the call, is unknown.
func (s *Store) AgentLegs(ctx context.Context, call model.CallID, agent model.AgentID) ([]model.Leg, error) {
	legs, err := list(ctx, s.read, "SELECT "+legColumns+" FROM legs WHERE agent = $1 AND call_id = $2 AND kind = $3 ORDER BY started_at DESC, id DESC LIMIT $4",
		[]any{agent, call, model.AgentLeg, legsLimit}, scanLeg)
	if err != nil {
		return nil, fmt.Errorf("store: legs of %q in call %q: %w", agent, call, err)
	}
	return legs, nil
}

const legColumns = "id, call_id, kind, trunk, agent, headset, started_at, ended_at, cause, stats"

func scanLeg(r row) (l model.Leg, err error) {
	err = r.Scan(&l.ID, &l.Call, &l.Kind, &l.Trunk, &l.Agent, &l.Headset, instant{&l.StartedAt}, maybeInstant{&l.EndedAt}, &l.Cause, document{&l.Stats})
	return l, err
}

func scanEvent(r row) (e model.CallEvent, err error) {
	err = r.Scan(&e.Call, instant{&e.At}, &e.Kind, &e.Agent, document{&e.Detail})
	return e, err
}
