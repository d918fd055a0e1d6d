package pgtest

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

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
)

// Server is a private server that ends with the test. It listens on a unix socket in its
// own folder and nowhere else.
type Server struct {
	dir   string
	run   func(name string, args ...string) *exec.Cmd
	admin *sql.DB
	count atomic.Int64
	stop  func() // of the running server
}

// Start runs a server, or skips the test where PostgreSQL is not installed.
func Start(t testing.TB) *Server {
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
	s := &Server{dir: dir, run: func(name string, args ...string) *exec.Cmd {
		cmd := exec.CommandContext(context.Background(), filepath.Join(bin, name), args...)
		cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, []string{"LC_ALL=C", "PATH=" + bin + ":/usr/bin:/bin"}, as
		return cmd
	}}
	if out, err := s.run("initdb", "-D", s.data(), "-A", "trust", "-U", "headroom", "-E", "UTF8", "--no-sync").CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	s.start(t)
	t.Cleanup(func() { s.stop() })
	if s.admin, err = sql.Open("pgx", s.dsn("public")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.admin.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// DSN makes a new, empty schema and gives its address.
func (s *Server) DSN(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.count.Add(1))
	if _, err := s.admin.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	return s.dsn(name)
}

// Restart stops the server at once, as a crash would, and starts it again.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.stop()
	s.start(t)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

func (s *Server) dsn(schema string) string {
	return "postgres:///postgres?" + url.Values{"host": {s.dir}, "user": {"headroom"}, "search_path": {schema}}.Encode()
}

// serverUser gives the folder to a user who may run a server, which root may not.
func serverUser(t testing.TB, dir string) *syscall.SysProcAttr {
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

// start runs the server and returns when it says it is ready.
func (s *Server) start(t testing.TB) {
	t.Helper()
	cmd := s.run("postgres", "-D", s.data(), "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB")
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
	s.stop = func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT) // immediate shutdown, children included
		<-ended
		_ = cmd.Wait() // it was told to go
	}
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
