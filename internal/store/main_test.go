package store

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
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

// postgresBackend starts a private PostgreSQL server that ends with the test. It listens
// on a unix socket in its own folder and nowhere else.
func postgresBackend(t *testing.T) backend {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(found) == 0 {
		t.Skip("PostgreSQL is not installed (apt-get install postgresql)")
	}
	bin := filepath.Dir(found[len(found)-1])
	// Not t.TempDir: nobody but its owner may enter that, and the server runs as another.
	dir, err := os.MkdirTemp("", "headroom-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	as := serverUser(t, dir)
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), filepath.Join(bin, name), args...)
		cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, []string{"LC_ALL=C", "PATH=" + bin + ":/usr/bin:/bin"}, as
		return cmd
	}
	data := filepath.Join(dir, "data")
	if out, err := run("initdb", "-D", data, "-A", "trust", "-U", "headroom", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	startPostgres(t, run("postgres", "-D", data, "-k", dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"))

	dsn := func(schema string) string {
		return "postgres:///postgres?" + url.Values{"host": {dir}, "user": {"headroom"}, "search_path": {schema}}.Encode()
	}
	admin, err := sql.Open("pgx", dsn("public"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := admin.Close(); err != nil {
			t.Error(err)
		}
	})
	var count atomic.Int64
	return backend{"postgres", func(t *testing.T) string {
		name := fmt.Sprintf("test%d", count.Add(1))
		if _, err := admin.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
			t.Fatal(err)
		}
		return dsn(name)
	}}
}

// serverUser gives the folder to a user who may run a server, which root may not.
func serverUser(t *testing.T, dir string) *syscall.SysProcAttr {
	t.Helper()
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return attr
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2, os.Chown(dir, int(uid), int(gid))); err != nil {
		t.Fatal(err)
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr
}

// startPostgres runs the server until the test ends, and returns when it says it is ready.
func startPostgres(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan string, 1)
	go func() {
		var all strings.Builder
		for lines := bufio.NewScanner(said); lines.Scan(); {
			all.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), "ready to accept connections") {
				close(ready)
			}
		}
		ended <- all.String()
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown, children included
		<-ended
		_ = cmd.Wait() // it was told to go
	})
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	select {
	case <-ready:
	case out := <-ended:
		ended <- out
		t.Fatalf("PostgreSQL did not start:\n%s", out)
	case <-ctx.Done():
		t.Fatal("PostgreSQL is not ready after 30 s")
	}
}
