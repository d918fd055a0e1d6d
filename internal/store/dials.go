package store

import (
	"context"
	"fmt"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// What the limits on calls out look at.
const (
	dialWindow   = 24 * time.Hour
	dialKept     = 2*dialWindow + time.Hour // no call lasts longer than a window
	dialUnheard  = 10 * time.Minute         // what is in no record after so long was never placed
	dialClassCap = 2000                     // classes; a site file has fewer
)

// ReserveDial permits a call out, if decide says so: it is asked with what was used in the 24
// hours before d.At, and gives how long the call may last (0 is without limit), or that there
// is to be none, of which nothing is kept. Nobody else is asked between the question and the
// record of the answer, so that two cannot take the last place. decide may be asked more than
// once, of which the last counts, and not after this has returned without an error; it must
// not wait for anything. What all users together have used is counted only if site is set.
func (s *Store) ReserveDial(ctx context.Context, d model.Dialled, site bool, decide func(model.DialUsage) (longest time.Duration, ok bool)) error {
	err := s.writer.do(ctx, func(t *tx) error {
		if s.dialect == postgres { // two nodes may permit at once
			if _, err := t.exec("LOCK TABLE dials IN SHARE ROW EXCLUSIVE MODE"); err != nil {
				return err
			}
		}
		usage, err := dialUsage(t, d, site)
		if err != nil {
			return err
		}
		longest, ok := decide(usage)
		if !ok {
			return nil
		}
		if _, err := t.exec("DELETE FROM dials WHERE at <= $1", d.At.Add(-dialKept)); err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO dials (call_id, user_id, number, class, at, longest) VALUES ($1, $2, $3, $4, $5, $6)",
			d.Call, d.User, d.Number, d.Class, d.At, longest.Microseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: reserve a call out of %q: %w", d.User, err)
	}
	return nil
}

// DialEnded says how long the call to a number lasted that goes on within a call; of several
// to one number it is the first. Without being told the store takes what the record has of the
// call. Once none goes on it changes nothing.
func (s *Store) DialEnded(ctx context.Context, call model.CallID, number string, at time.Time, talk time.Duration) error {
	err := s.writer.do(ctx, func(t *tx) error {
		_, err := t.exec(`UPDATE dials SET ended_at = $3, talk = $4
			WHERE seq = (SELECT MIN(seq) FROM dials WHERE call_id = $1 AND number = $2 AND ended_at IS NULL)`, call, number, at, max(talk, 0).Microseconds())
		return err
	})
	if err != nil {
		return fmt.Errorf("store: end of a call out in call %q: %w", call, err)
	}
	return nil
}

// DialUnused forgets a call to a number that was permitted and not placed; of several to one
// number it is the last.
func (s *Store) DialUnused(ctx context.Context, call model.CallID, number string) error {
	err := s.writer.do(ctx, func(t *tx) error {
		_, err := t.exec(`DELETE FROM dials
			WHERE seq = (SELECT MAX(seq) FROM dials WHERE call_id = $1 AND number = $2 AND ended_at IS NULL)`, call, number)
		return err
	})
	if err != nil {
		return fmt.Errorf("store: give back a call out in call %q: %w", call, err)
	}
	return nil
}

// dialUsed is what was used of one class.
type dialUsed struct {
	class string
	model.DialUse
}

// dialUsage counts what the limits on a call look at.
func dialUsage(t *tx, d model.Dialled, site bool) (u model.DialUsage, err error) {
	if err := dialsUsed(t, d, "d.user_id = $5 AND ", []any{d.User}, &u.User, &u.ClassUser); err != nil {
		return u, err
	}
	if site {
		err = dialsUsed(t, d, "", nil, &u.Site, &u.ClassSite)
	}
	return u, err
}

// dialsUsed sums over all classes, and over the one that is asked for. A call counts from when
// it was permitted. In progress is what has neither ended here nor in the record; it counts
// with the longest that it may last, or where that has no limit with what it has lasted.
func dialsUsed(t *tx, d model.Dialled, where string, extra []any, all, class *model.DialUse) error {
	since, heard := d.At.Add(-dialWindow), d.At.Add(-dialUnheard)
	used, err := list(t.ctx, t.tx, `SELECT class, CAST(SUM(counted) AS BIGINT), CAST(SUM(open) AS BIGINT),
			CAST(SUM(CASE WHEN counted = 1 OR open = 1 THEN talk ELSE 0 END) AS BIGINT)
		FROM (SELECT d.class AS class,
			CASE WHEN d.at > $1 THEN 1 ELSE 0 END AS counted,
			CASE WHEN d.ended_at IS NOT NULL OR c.ended_at IS NOT NULL OR c.id IS NULL AND d.at <= $2 THEN 0 ELSE 1 END AS open,
			CASE WHEN d.talk IS NOT NULL THEN d.talk
				WHEN c.ended_at IS NOT NULL THEN
					CASE WHEN c.ended_at <= d.at THEN 0
						WHEN d.longest > 0 AND c.ended_at - d.at > d.longest THEN d.longest
						ELSE c.ended_at - d.at END
				WHEN c.id IS NULL AND d.at <= $2 THEN 0
				WHEN d.longest > 0 THEN d.longest
				WHEN d.at < $3 THEN $3 - d.at
				ELSE 0 END AS talk
			FROM dials d LEFT JOIN calls c ON c.id = d.call_id
			WHERE `+where+`(d.at > $1 OR d.ended_at IS NULL)) AS each
		GROUP BY class LIMIT $4`, append([]any{since, heard, d.At, dialClassCap}, extra...), scanDialUsed)
	if err != nil {
		return err
	}
	for _, one := range used {
		*all = all.Plus(one.DialUse)
		if one.class == d.Class {
			*class = class.Plus(one.DialUse)
		}
	}
	return nil
}

func scanDialUsed(r row) (u dialUsed, err error) {
	var talk int64
	err = r.Scan(&u.class, &u.Calls, &u.AtOnce, &talk)
	u.Talk = time.Duration(talk) * time.Microsecond
	return u, err
}
