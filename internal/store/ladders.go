package store

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// A ladder is kept as gzipped JSON of ladder.Record: the headers of one dialog are much the
// same in each message, and shrink to a fifth.
const (
	ladderRows  = 100     // of one call
	ladderBytes = 4 << 20 // of JSON; media/sip/ladder keeps far less
)

// AddLadder keeps what was said in the SIP dialog of one party of a call. The first stands:
// the same again changes nothing.
func (s *Store) AddLadder(ctx context.Context, l model.CallLadder) error {
	data, err := encodeLadder(l.Record)
	if err != nil {
		return fmt.Errorf("store: SIP ladder of call %q: %w", l.Call, err)
	}
	call, leg, now := l.Call, l.Leg, s.now()
	return s.change(ctx, "SIP ladder of call", string(call), func(t *tx) error {
		_, err := t.exec(`INSERT INTO sip_ladders (call_id, leg_id, recorded_at, data) VALUES ($1, $2, $3, $4)
			ON CONFLICT (call_id, leg_id) DO NOTHING`, call, leg, now, data)
		return err
	})
}

// Ladders gives what was said in the SIP dialogs of a call, in the order in which they
// ended; none of a call that goes on, or is not known.
func (s *Store) Ladders(ctx context.Context, id model.CallID) ([]model.CallLadder, error) {
	ladders, err := list(ctx, s.read, "SELECT call_id, leg_id, data FROM sip_ladders WHERE call_id = $1 ORDER BY recorded_at, leg_id LIMIT $2",
		[]any{id, ladderRows}, scanLadder)
	if err != nil {
		return nil, fmt.Errorf("store: SIP ladders of call %q: %w", id, err)
	}
	return ladders, nil
}

func scanLadder(r row) (l model.CallLadder, err error) {
	var data []byte
	if err := r.Scan(&l.Call, &l.Leg, &data); err != nil {
		return l, err
	}
	l.Record, err = decodeLadder(data)
	return l, err
}

// squeezers are gzip's writers, of which each new one takes a megabyte.
var squeezers = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// encodeLadder writes a record with its times as the others of the store.
func encodeLadder(r ladder.Record) ([]byte, error) {
	r.Messages = slices.Clone(r.Messages)
	for i := range r.Messages {
		r.Messages[i].At = r.Messages[i].At.UTC().Truncate(time.Microsecond)
	}
	var b bytes.Buffer
	w := squeezers.Get().(*gzip.Writer)
	defer squeezers.Put(w)
	w.Reset(&b)
	if err := json.NewEncoder(w).Encode(r); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func decodeLadder(data []byte) (r ladder.Record, err error) {
	z, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return r, fmt.Errorf("not as it was written: %w", err)
	}
	if err := json.NewDecoder(io.LimitReader(z, ladderBytes)).Decode(&r); err != nil {
		return r, fmt.Errorf("not as it was written: %w", err)
	}
	if r.Messages == nil {
		r.Messages = []ladder.Message{}
	}
	return r, nil
}
