package store

import (
	"context"
	"fmt"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// deadPage is how many calls one transaction closes.
const deadPage = 200

// deadCall is a call without an end and the last moment it is known to have lived.
type deadCall struct {
	id        model.CallID
	lastKnown time.Time
}

// CloseDeadCalls closes every call and leg that has no end, with the given cause, and adds
// an "ended" event to each such call. The end is the last thing known of the call: its
// newest event, leg, report, or the moment its newest readings were recorded. It is for the
// start of the service, when no call can be alive; a second time it finds nothing. It gives
// the calls it closed, oldest first.
func (s *Store) CloseDeadCalls(ctx context.Context, cause model.Cause) ([]model.CallID, error) {
	detail, err := toJSON(map[string]string{"cause": string(cause)})
	if err != nil {
		return nil, fmt.Errorf("store: close dead calls: %w", err)
	}
	closed := []model.CallID{}
	for {
		var page []deadCall
		err := s.writer.do(ctx, func(t *tx) error {
			found, err := closePage(t, cause, detail)
			page = found
			return err
		})
		if err != nil {
			return closed, fmt.Errorf("store: close dead calls: %w", err)
		}
		for _, c := range page {
			closed = append(closed, c.id)
		}
		if len(page) < deadPage {
			break
		}
	}
	// Legs left open by a call that did end: the service died between the two rows.
	err = s.writer.do(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE legs SET cause = $1, ended_at = (
				SELECT CASE WHEN c.ended_at > legs.started_at THEN c.ended_at ELSE legs.started_at END FROM calls c WHERE c.id = legs.call_id)
			WHERE ended_at IS NULL AND call_id IN (SELECT id FROM calls WHERE ended_at IS NOT NULL)`, cause)
		return err
	})
	if err != nil {
		return closed, fmt.Errorf("store: close dead legs: %w", err)
	}
	return closed, nil
}

// closePage closes some calls and gives them.
func closePage(t *tx, cause model.Cause, detail string) ([]deadCall, error) {
	page, err := list(t.ctx, t.tx, `SELECT c.id, c.started_at, c.answered_at,
			(SELECT MAX(at) FROM call_events e WHERE e.call_id = c.id),
			(SELECT MAX(started_at) FROM legs l WHERE l.call_id = c.id),
			(SELECT MAX(ended_at) FROM legs l WHERE l.call_id = c.id),
			(SELECT MAX(at) FROM reports p WHERE p.call_id = c.id),
			(SELECT MAX(recorded_at) FROM readings r WHERE r.call_id = c.id)
		FROM calls c WHERE c.ended_at IS NULL ORDER BY c.started_at, c.id LIMIT $1`, []any{deadPage}, scanDeadCall)
	if err != nil {
		return nil, err
	}
	for _, c := range page {
		if _, err := t.exec("UPDATE calls SET ended_at = $2, cause = $3 WHERE id = $1", c.id, c.lastKnown, cause); err != nil {
			return nil, err
		}
		if _, err := t.exec("UPDATE legs SET ended_at = $2, cause = $3 WHERE call_id = $1 AND ended_at IS NULL", c.id, c.lastKnown, cause); err != nil {
			return nil, err
		}
		if err := insertEvent(t, c.id, c.lastKnown, "ended", "", detail); err != nil {
			return nil, err
		}
	}
	return page, nil
}

func scanDeadCall(r row) (deadCall, error) {
	var c deadCall
	var others [6]*time.Time
	into := []any{&c.id, instant{&c.lastKnown}}
	for i := range others {
		into = append(into, maybeInstant{&others[i]})
	}
	if err := r.Scan(into...); err != nil {
		return c, err
	}
	for _, t := range others {
		if t != nil && t.After(c.lastKnown) {
			c.lastKnown = *t
		}
	}
	return c, nil
}
