package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	// The drivers register themselves with database/sql.
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"
)

// Sentinel errors; they come wrapped with what was looked for.
var (
	ErrNotFound = errors.New("not found")
	ErrClosed   = errors.New("the store is closed")
)

// dialect is the little in which the two databases differ beyond their migrations.
type dialect string

const (
	sqlite   dialect = "sqlite"
	postgres dialect = "postgres"
)

// Limits of the connection pools.
const (
	readConnections    = 4
	busyTimeout        = 5 * time.Second  // for another process's write on SQLite
	postgresBatchLimit = 30 * time.Second // for one group commit, lest a dead server hold every caller
)

// Store is the durable record. Open makes one.
type Store struct {
	dialect dialect
	read    *sql.DB
	write   *sql.DB // exactly one connection, used by the writer alone
	writer  *writer
	claim   claim
	path    string // of the SQLite file
	now     func() time.Time

	closeOnce sync.Once
	closeErr  error
}

// Option changes how a store is opened.
type Option func(*Store)

// WithClock replaces time.Now, for tests.
func WithClock(now func() time.Time) Option { return func(s *Store) { s.now = now } }

// Open opens the database, brings its schema up to date and starts the writer. dsn is a
// file path for SQLite (the folder is made when missing, readable by this user only) or
// a postgres:// URL. A database that a newer program has migrated is refused.
func Open(ctx context.Context, dsn string, options ...Option) (*Store, error) {
	s := &Store{now: time.Now}
	for _, o := range options {
		o(s)
	}
	var err error
	if strings.HasPrefix(dsn, "postgres://") || strings.HasPrefix(dsn, "postgresql://") {
		err = s.openPostgres(dsn)
	} else {
		err = s.openSQLite(dsn)
	}
	if err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	if err := s.prepare(ctx); err != nil {
		return nil, fmt.Errorf("store: open: %w", errors.Join(err, s.read.Close(), s.write.Close()))
	}
	limit := time.Duration(0)
	if s.dialect == postgres {
		limit = postgresBatchLimit
	}
	s.writer = newWriter(s.write, limit)
	if s.dialect != postgres {
		s.writer.prepared = &prepared{db: s.write, ready: make(map[string]*sql.Stmt)}
	}
	go s.writer.run()
	return s, nil
}

// Close refuses new writes, commits those already accepted and closes the database.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		s.writer.stop()
		s.closeErr = errors.Join(s.claim.release(), s.read.Close(), s.write.Close())
	})
	return s.closeErr
}

// openSQLite opens the two pools over a file.
func (s *Store) openSQLite(path string) error {
	if path == "" || strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return fmt.Errorf("%q is not the path of a database file", path)
	}
	s.dialect, s.path = sqlite, path
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// Made here so that it, and the log files that take its mode, are private: SQLite
	// itself would let the umask decide, and password hashes lie in it.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close(), syncFolder(filepath.Dir(path)), syncFolder(filepath.Dir(filepath.Dir(path)))); err != nil {
		return err
	}
	if s.write, err = sql.Open("sqlite", sqliteDSN(path, "_txlock=immediate")); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", sqliteDSN(path, "_pragma=query_only(1)")); err != nil {
		return errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(readConnections)
	s.read.SetMaxIdleConns(readConnections)
	return nil
}

// syncFolder makes a new entry of a folder survive a power cut.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// sqliteDSN is the URI of a database file with the pragmas that every connection needs.
func sqliteDSN(path, extra string) string {
	escaped := strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path)
	return fmt.Sprintf("file:%s?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&%s",
		escaped, busyTimeout.Milliseconds(), extra)
}

// openPostgres opens the two pools over a URL.
func (s *Store) openPostgres(url string) error {
	s.dialect = postgres
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return err // pgx leaves the password out of its message
	}
	durable := stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		// A server set up to acknowledge before the flush would break our promise; anything
		// stricter than "off" is the operator's choice.
		_, err := c.Exec(ctx, `SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`)
		return err
	})
	// Asking a connection whether it lives, before each use, costs one round trip; a server
	// that was restarted then costs no caller an error.
	alive := stdlib.OptionShouldPing(func(context.Context, stdlib.ShouldPingParams) bool { return true })
	s.write = stdlib.OpenDB(*config, durable, alive)
	s.write.SetMaxOpenConns(1)
	s.read = stdlib.OpenDB(*config, durable, alive)
	s.read.SetMaxOpenConns(2 * readConnections)
	s.read.SetMaxIdleConns(readConnections)
	return nil
}

// prepare migrates, and makes sure that the database keeps what it acknowledges.
func (s *Store) prepare(ctx context.Context) error {
	if err := migrate(ctx, s.dialect, s.write); err != nil {
		return err
	}
	if s.dialect != sqlite {
		return nil
	}
	var journal string
	var synchronous, foreignKeys int
	for pragma, into := range map[string]any{"journal_mode": &journal, "synchronous": &synchronous, "foreign_keys": &foreignKeys} {
		if err := s.write.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(into); err != nil {
			return fmt.Errorf("pragma %s: %w", pragma, err)
		}
	}
	if journal != "wal" || synchronous != 2 || foreignKeys != 1 {
		return fmt.Errorf("the file cannot be kept safely here: journal_mode=%s synchronous=%d foreign_keys=%d, wanted wal, 2, 1 (is the folder on a network file system?)",
			journal, synchronous, foreignKeys)
	}
	return nil
}

// Stats counts the writer's work since Open.
type Stats struct {
	Writes  uint64 // changes committed
	Commits uint64 // transactions they shared
	Queued  int    // changes waiting now
}

// Stats is a snapshot of the writer's counters.
func (s *Store) Stats() Stats {
	return Stats{Writes: s.writer.writes.Load(), Commits: s.writer.commits.Load(), Queued: len(s.writer.queue)}
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.read.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return fmt.Errorf("store: ping: %w", err)
	}
	return nil
}
