package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// ErrClaimed says that another process serves from this database.
var ErrClaimed = errors.New("another headroom service is running on this database; stop that one first")

// claimPatience is how long Claim waits on PostgreSQL for the claim of a process that has
// just died: the server must first notice.
const (
	claimPatience = 2 * time.Second
	claimRetry    = 200 * time.Millisecond
)

// claim is the hold of one serving process on its database. It ends with the process,
// however that ends.
type claim struct {
	mu   sync.Mutex
	file *os.File  // locked, beside an SQLite database
	conn *sql.Conn // holds an advisory lock of PostgreSQL
}

// Claim makes this store the only one that serves from its database, until Close or the
// end of the process. Closing the dead calls of an earlier run is right only under a claim:
// without it, a service started twice by mistake would end the live calls of the first in
// the record. Claiming again renews a claim that PostgreSQL has lost in a restart, and is
// cheap otherwise. The error is ErrClaimed when another process has it.
//
// The commands that only look or apply a site need no claim.
func (s *Store) Claim(ctx context.Context) error {
	s.claim.mu.Lock()
	defer s.claim.mu.Unlock()
	var err error
	if s.dialect == postgres {
		err = s.claimPostgres(ctx)
	} else {
		err = s.claimFile()
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

// claimFile locks a file beside the database. Not the database itself: SQLite's own locks
// lie there.
func (s *Store) claimFile() error {
	if s.claim.file != nil {
		return nil
	}
	f, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := lockFile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	s.claim.file = f
	return nil
}

// claimPostgres takes an advisory lock, named after the schema, on a connection of its own.
func (s *Store) claimPostgres(ctx context.Context) error {
	if s.claim.conn != nil {
		if s.claim.conn.PingContext(ctx) == nil {
			return nil
		}
		_ = s.claim.conn.Close() // it is broken
		s.claim.conn = nil
	}
	conn, err := s.read.Conn(ctx)
	if err != nil {
		return err
	}
	for waited := time.Duration(0); ; waited += claimRetry {
		var got bool
		err := conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock(hashtextextended('headroom serve ' || current_schema(), 0))").Scan(&got)
		if err == nil && got {
			s.claim.conn = conn
			return nil
		}
		if err == nil && waited >= claimPatience {
			err = ErrClaimed
		}
		if err != nil {
			return errors.Join(err, conn.Close())
		}
		select {
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), conn.Close())
		case <-time.After(claimRetry):
		}
	}
}

// release gives the claim back; without one it does nothing.
func (c *claim) release() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	if c.file != nil {
		errs = append(errs, c.file.Close()) // which unlocks it
	}
	if c.conn != nil {
		// The connection goes back to the pool, which is closed next; the lock goes with it.
		errs = append(errs, c.conn.Close())
	}
	c.file, c.conn = nil, nil
	return errors.Join(errs...)
}
