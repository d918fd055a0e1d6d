package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// ErrHeld is what the deletion of a recording gives that is kept by a legal hold.
var ErrHeld = errors.New("a legal hold keeps it")

const recordingsLimit = 1000

const recordingColumns = `id, call_id, queue, agent, started_at, ended_at, length, format, rate, file, key_id, size, hash, state, lost,
	expires_at, hold, deleted_at, deleted_by`

func scanRecording(r row) (x model.Recording, err error) {
	var length, lost int64
	err = r.Scan(&x.ID, &x.Call, &x.Queue, &x.Agent, instant{&x.StartedAt}, maybeInstant{&x.EndedAt}, &length, &x.Format, &x.Rate,
		&x.File, &x.Key, &x.Size, &x.Hash, &x.State, &lost, maybeInstant{&x.ExpiresAt}, document{&x.Hold}, maybeInstant{&x.DeletedAt}, &x.DeletedBy)
	x.Length, x.Lost = time.Duration(length)*time.Microsecond, time.Duration(lost)*time.Microsecond
	return x, err
}

// RecordingStarted records that a recording has begun. The same again changes nothing.
func (s *Store) RecordingStarted(ctx context.Context, r model.Recording) error {
	return s.putRecording(ctx, r, "(id) DO NOTHING")
}

// RecordingEnded records what became of a recording, of whose beginning the store need not know.
// The first end stands, but for that of one which a died service left behind.
func (s *Store) RecordingEnded(ctx context.Context, r model.Recording) error {
	return s.putRecording(ctx, r, `(id) DO UPDATE SET ended_at = excluded.ended_at, length = excluded.length, key_id = excluded.key_id,
		size = excluded.size, hash = excluded.hash, state = excluded.state, lost = excluded.lost, expires_at = excluded.expires_at
		WHERE recordings.state = 'recording'`)
}

func (s *Store) putRecording(ctx context.Context, r model.Recording, conflict string) error {
	hold, err := toJSON(r.Hold)
	if err != nil {
		return fmt.Errorf("store: recording %q: %w", r.ID, err)
	}
	ended, expires, deleted := copyTime(r.EndedAt), copyTime(r.ExpiresAt), copyTime(r.DeletedAt)
	return s.change(ctx, "recording", string(r.ID), func(t *tx) error {
		_, err := t.exec(`INSERT INTO recordings (`+recordingColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19) ON CONFLICT `+conflict,
			r.ID, r.Call, r.Queue, r.Agent, r.StartedAt, ended, r.Length.Microseconds(), r.Format, r.Rate, r.File, r.Key, r.Size, r.Hash,
			r.State, r.Lost.Microseconds(), expires, hold, deleted, r.DeletedBy)
		return err
	})
}

// Recording gives one; ErrNotFound.
func (s *Store) Recording(ctx context.Context, id model.RecordingID) (model.Recording, error) {
	r, err := scanRecording(s.read.QueryRowContext(ctx, "SELECT "+recordingColumns+" FROM recordings WHERE id = $1", bind([]any{id})...))
	if err != nil {
		return model.Recording{}, fmt.Errorf("store: recording %q: %w", id, named(err))
	}
	return r, nil
}

// CallRecordings gives those of a call, deleted ones too, in the order in which they began.
func (s *Store) CallRecordings(ctx context.Context, call model.CallID) ([]model.Recording, error) {
	return s.recordings(ctx, "WHERE call_id = $1 ORDER BY started_at, id LIMIT $2", call, recordingsLimit)
}

// RecordingsAfter gives recordings in the order of their ids, behind one of them, up to 1000 at a
// time. The empty id is before all.
func (s *Store) RecordingsAfter(ctx context.Context, id model.RecordingID) ([]model.Recording, error) {
	return s.recordings(ctx, "WHERE id > $1 ORDER BY id LIMIT $2", id, recordingsLimit)
}

// UnfinishedRecordings gives those that go on, or that the service died in, and those whose
// deletion has begun.
func (s *Store) UnfinishedRecordings(ctx context.Context) ([]model.Recording, error) {
	return s.recordings(ctx, "WHERE state IN ('recording', 'deleting') ORDER BY id LIMIT $1", recordingsLimit)
}

// ExpiredRecordings gives some of those that are there, have expired by a time and are not held.
func (s *Store) ExpiredRecordings(ctx context.Context, by time.Time) ([]model.Recording, error) {
	return s.recordings(ctx, `WHERE expires_at IS NOT NULL AND deleted_at IS NULL AND expires_at <= $1 AND hold = 'null'
		AND state NOT IN ('recording', 'deleting') ORDER BY expires_at LIMIT $2`, by, recordingsLimit)
}

func (s *Store) recordings(ctx context.Context, where string, args ...any) ([]model.Recording, error) {
	out, err := list(ctx, s.read, "SELECT "+recordingColumns+" FROM recordings "+where, args, scanRecording)
	if err != nil {
		return nil, fmt.Errorf("store: recordings: %w", err)
	}
	return out, nil
}

// HoldRecording keeps a recording beyond its time, or with nil no longer. What is deleted cannot
// be held: ErrNotFound.
func (s *Store) HoldRecording(ctx context.Context, id model.RecordingID, hold *model.RecordingHold) error {
	text, err := toJSON(hold)
	if err != nil {
		return fmt.Errorf("store: recording %q: %w", id, err)
	}
	return s.change(ctx, "recording", string(id), func(t *tx) error {
		return mustTouch(t.exec("UPDATE recordings SET hold = $2 WHERE id = $1 AND state NOT IN ('deleting', 'deleted')", id, text))
	})
}

// DeletingRecording notes that a recording's file is about to be removed, and by whom. It is
// refused with ErrHeld while a hold keeps it.
func (s *Store) DeletingRecording(ctx context.Context, id model.RecordingID, by string) error {
	return s.change(ctx, "recording", string(id), func(t *tx) error {
		var state, hold string
		if err := t.one("SELECT state, hold FROM recordings WHERE id = $1", []any{id}, &state, &hold); err != nil {
			return err
		}
		if state == string(model.RecordingDeleting) || state == string(model.RecordingDeleted) {
			return nil
		}
		if hold != "null" {
			return ErrHeld
		}
		return mustTouch(t.exec("UPDATE recordings SET state = 'deleting', deleted_by = $2 WHERE id = $1 AND hold = 'null'", id, by))
	})
}

// RecordingDeleted notes that its file is gone. The first time stands.
func (s *Store) RecordingDeleted(ctx context.Context, id model.RecordingID, at time.Time) error {
	return s.change(ctx, "recording", string(id), func(t *tx) error {
		return mustTouch(t.exec("UPDATE recordings SET state = 'deleted', deleted_at = COALESCE(deleted_at, $2) WHERE id = $1 AND state IN ('deleting', 'deleted')", id, at))
	})
}

// RekeyedRecording notes what a recording's file is sealed for now.
func (s *Store) RekeyedRecording(ctx context.Context, id model.RecordingID, key string) error {
	return s.change(ctx, "recording", string(id), func(t *tx) error {
		return mustTouch(t.exec("UPDATE recordings SET key_id = $2 WHERE id = $1", id, key))
	})
}
