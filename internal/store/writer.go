package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Limits of the group commit.
const (
	queueLimit = 1024 // changes that may wait; the next caller waits for room
	batchLimit = 256  // changes in one transaction
	tryLimit   = 3    // times a transaction is tried that lost against another node
)

// change is one caller's write. run may be called more than once, each time in a fresh
// transaction, and must touch nothing that the caller may touch meanwhile: the caller
// leaves early when its context ends.
type change struct {
	ctx  context.Context
	run  func(*tx) error
	done chan error // one answer, never blocks
}

// writer is the one goroutine that writes.
type writer struct {
	db       *sql.DB
	limit    time.Duration // for one transaction; zero is none
	queue    chan *change
	stopping chan struct{}
	ended    chan struct{}
	prepared *prepared // nil = none are kept

	writes, commits atomic.Uint64
}

func newWriter(db *sql.DB, limit time.Duration) *writer {
	return &writer{
		db: db, limit: limit,
		queue: make(chan *change, queueLimit), stopping: make(chan struct{}), ended: make(chan struct{}),
	}
}

// do hands a change to the writer and waits until it is durable, has failed, or ctx ends.
func (w *writer) do(ctx context.Context, run func(*tx) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	c := &change{ctx: ctx, run: run, done: make(chan error, 1)}
	select {
	case <-w.stopping:
		return ErrClosed
	default:
	}
	select {
	case w.queue <- c:
	case <-w.stopping:
		return ErrClosed
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-c.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-w.ended:
	}
	// The writer is gone; it may have answered just before.
	select {
	case err := <-c.done:
		return err
	default:
		return ErrClosed
	}
}

// stop lets the writer finish what is queued and waits for it. Call it once.
func (w *writer) stop() {
	close(w.stopping)
	<-w.ended
}

// run takes changes until stopped. While one transaction is being flushed the next
// callers gather in the queue: that is the whole of the batching, there is no timer.
func (w *writer) run() {
	defer close(w.ended)
	defer w.prepared.close()
	for {
		select {
		case c := <-w.queue:
			w.commit(w.gather(c))
			w.prepared.prepare(context.Background())
		case <-w.stopping:
			for {
				select {
				case c := <-w.queue:
					w.commit(w.gather(c))
				default:
					return
				}
			}
		}
	}
}

// gather takes what waits behind first, up to the batch limit.
func (w *writer) gather(first *change) []*change {
	batch := []*change{first}
	for len(batch) < batchLimit {
		select {
		case c := <-w.queue:
			batch = append(batch, c)
		default:
			return batch
		}
	}
	return batch
}

// commit makes a batch durable and answers every caller. A change that fails is taken
// out and answered, and the others are done again without it.
func (w *writer) commit(batch []*change) {
	waiting := batch[:0]
	for _, c := range batch {
		if c.ctx.Err() != nil {
			c.done <- context.Cause(c.ctx)
			continue
		}
		waiting = append(waiting, c)
	}
	tries := 0
	for len(waiting) > 0 {
		failed, err := w.transact(waiting)
		if err == nil {
			w.commits.Add(1)
			w.writes.Add(uint64(len(waiting)))
			break
		}
		if tries++; tries < tryLimit && lostRace(err) {
			continue
		}
		if failed < 0 {
			// The transaction itself failed. It is not tried again: a commit whose answer was
			// lost may have taken effect.
			for _, c := range waiting {
				c.done <- err
			}
			return
		}
		waiting[failed].done <- err
		waiting = append(waiting[:failed], waiting[failed+1:]...)
	}
	for _, c := range waiting {
		c.done <- nil
	}
}

// transact runs the changes in one transaction. On an error it gives the index of the
// change that failed, or -1 when beginning or committing failed.
func (w *writer) transact(changes []*change) (failed int, err error) {
	ctx := context.Background()
	if w.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.limit)
		defer cancel()
	}
	t, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return -1, fmt.Errorf("begin: %w", err)
	}
	for i, c := range changes {
		if err := c.run(&tx{ctx: ctx, tx: t, prepared: w.prepared}); err != nil {
			_ = t.Rollback() // the error that matters is the change's
			if ctx.Err() != nil {
				return -1, fmt.Errorf("no answer from the database in %v: %w", w.limit, err)
			}
			return i, err
		}
	}
	if err := t.Commit(); err != nil {
		return -1, fmt.Errorf("commit: %w", err)
	}
	return 0, nil
}

// lostRace reports whether PostgreSQL gave up a transaction in favour of another node's:
// nothing of it took effect, and doing it again is right.
func lostRace(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01") // serialization_failure, deadlock_detected
}
