package store

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/store/pgtest"
)

// childDSN, when set, makes this program the one that is killed in
// the contract "a killed service loses nothing it acknowledged".
const childDSN = "HEADROOM_STORE_TEST_CHILD"

func TestMain(m *testing.M) {
	if dsn := os.Getenv(childDSN); dsn != "" {
		writeUntilKilled(dsn)
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// backend opens databases of one kind.
type backend struct {
	name string
	dsn  func(t *testing.T) string // of a new, empty database
}

// open opens a new store that ends with the test.
func (b backend) open(t *testing.T, options ...Option) *Store {
	return openStore(t, b.dsn(t), options...)
}

func openStore(t *testing.T, dsn string, options ...Option) *Store {
	t.Helper()
	s, err := Open(t.Context(), dsn, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func sqliteBackend() backend {
	return backend{"sqlite", func(t *testing.T) string { return filepath.Join(t.TempDir(), "a folder?#%", "headroom.db") }}
}

// eachBackend runs a test against SQLite and, where its server is installed, PostgreSQL.
func eachBackend(t *testing.T, test func(t *testing.T, b backend)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteBackend()) })
	t.Run("postgres", func(t *testing.T) { test(t, postgresBackend(t)) })
}

// postgresBackend is a private PostgreSQL server that ends with the test.
func postgresBackend(t *testing.T) backend {
	t.Helper()
	server := pgtest.Start(t)
	return backend{"postgres", func(t *testing.T) string { return server.DSN(t) }}
}
