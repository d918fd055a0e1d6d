package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
)

// hold keeps the writer busy until the function it gives is called.
func hold(s *Store) (release func()) {
	held, free := make(chan struct{}), make(chan struct{})
	var done sync.WaitGroup
	done.Go(func() {
		_ = s.writer.do(context.Background(), func(*tx) error { // cannot fail
			close(held)
			<-free
			return nil
		})
	})
	<-held
	return func() { close(free); done.Wait() }
}

// queued waits until so many changes wait behind the one in progress.
func queued(t *testing.T, s *Store, n int) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(time.Millisecond); ; <-tick.C {
		if s.Stats().Queued == n {
			tick.Stop()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d changes wait, wanted %d", s.Stats().Queued, n)
		}
	}
}

func TestManyCallersShareOneFlush(t *testing.T) {
	s := sqliteBackend().open(t)
	release := hold(s)
	const n = 200
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			if err := s.CallStarted(t.Context(), model.Call{ID: model.CallID(fmt.Sprint(i)), StartedAt: noon()}); err != nil {
				t.Error(err)
			}
		})
	}
	queued(t, s, n)
	before := s.Stats()
	release()
	group.Wait()
	got := s.Stats()
	if writes, commits := got.Writes-before.Writes, got.Commits-before.Commits; writes != n+1 || commits != 2 {
		t.Errorf("%d writes in %d commits, wanted the one in progress and one for the %d that waited", writes, commits, n)
	}
}

func TestAFullQueueKeepsNobodyWhoseTimeIsUp(t *testing.T) {
	s := sqliteBackend().open(t)
	release := hold(s)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("gone home")
	var group sync.WaitGroup
	const n = queueLimit + 50 // fifty find no room
	for i := range n {
		group.Go(func() {
			err := s.CallStarted(ctx, model.Call{ID: model.CallID(fmt.Sprint(i)), StartedAt: noon()})
			if !errors.Is(err, why) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	queued(t, s, queueLimit)
	cancel(why)
	group.Wait() // all have left while the writer is still busy
	release()
	if err := s.CallStarted(t.Context(), model.Call{ID: "next", StartedAt: noon()}); err != nil {
		t.Fatal(err)
	}
	calls, err := s.Calls(t.Context(), CallFilter{})
	if err != nil || len(calls) != 1 {
		t.Errorf("%d calls, %v; wanted only the one whose caller still waited", len(calls), err)
	}
}

func TestClosingAnswersEverybody(t *testing.T) {
	dsn := filepath.Join(t.TempDir(), "headroom.db")
	s, err := Open(t.Context(), dsn)
	must(t, err)
	var group sync.WaitGroup
	var kept atomic.Int64
	started := make(chan struct{}, 400)
	for i := range 400 {
		group.Go(func() {
			started <- struct{}{}
			err := s.CallStarted(context.Background(), model.Call{ID: model.CallID(fmt.Sprint(i)), StartedAt: noon()})
			switch {
			case err == nil:
				kept.Add(1)
			case !errors.Is(err, ErrClosed):
				t.Error(err)
			}
		})
	}
	for range 200 {
		<-started
	}
	must(t, s.Close())
	group.Wait() // none is left waiting
	calls, err := openStore(t, dsn).Calls(t.Context(), CallFilter{Limit: callsLimit})
	if err != nil || int64(len(calls)) != kept.Load() {
		t.Errorf("%d calls are there, %d were acknowledged (%v)", len(calls), kept.Load(), err)
	}
}

func TestReadersDoNotWaitForAWriter(t *testing.T) {
	s := sqliteBackend().open(t)
	defer hold(s)() // in the middle of a transaction
	if _, err := s.Calls(t.Context(), CallFilter{}); err != nil {
		t.Error(err)
	}
}

func TestDatabaseFilesAreNobodyElsesToRead(t *testing.T) {
	dir := t.TempDir()
	s := openStore(t, filepath.Join(dir, "data", "headroom.db"))
	must(t, s.CallStarted(t.Context(), model.Call{ID: "c"}))
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v", path, info.Mode())
		}
		return err
	})
	must(t, err)
}

func TestWhatIsNoDatabaseIsRefused(t *testing.T) {
	text := filepath.Join(t.TempDir(), "notes.txt")
	must(t, os.WriteFile(text, []byte(strings.Repeat("this is no database\n", 100)), 0o600))
	for _, dsn := range []string{"", ":memory:", "file:x.db", text, "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"} {
		if s, err := Open(t.Context(), dsn); err == nil {
			s.Close()
			t.Errorf("%q was opened", dsn)
		}
	}
}

// Both databases must go through the same versions.
func TestEveryMigrationIsThereForBothDatabases(t *testing.T) {
	names := map[dialect]string{}
	for _, d := range []dialect{sqlite, postgres} {
		entries, err := migrations.ReadDir("migrations/" + string(d))
		must(t, err)
		for _, e := range entries {
			names[d] += e.Name() + " "
		}
	}
	if names[sqlite] != names[postgres] || names[sqlite] == "" {
		t.Errorf("sqlite %s, postgres %s", names[sqlite], names[postgres])
	}
}

// writeUntilKilled is the child: it writes from many goroutines and says each row's name
// once it is acknowledged.
func writeUntilKilled(dsn string) {
	s, err := Open(context.Background(), dsn)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	var mu sync.Mutex // whole lines
	say := func(what string, id string, err error) {
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			what = "error " + err.Error()
		}
		fmt.Println(what, id)
	}
	ctx := context.Background()
	for g := range 16 {
		go func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", g, i)
				call := model.CallID(id)
				say("call", id, s.CallStarted(ctx, model.Call{ID: call, StartedAt: noon()}))
				say("leg", id, s.LegStarted(ctx, model.Leg{ID: model.LegID(id), Call: call, StartedAt: noon()}))
				say("event", id, s.AddEvent(ctx, model.CallEvent{Call: call, At: noon(), Kind: "arrived"}))
				say("readings", id, s.AddReadings(ctx, model.ReadingChunk{Call: call, Readings: []headset.Reading{{At: 1}}}))
				say("report", id, s.AddReport(ctx, model.ReportRecord{Call: call, Headset: "m/1", At: noon()}))
				say("session", id, s.Sessions().Commit(id, []byte(id), time.Now().Add(time.Hour)))
			}
		}()
	}
	select {}
}

func killed(t *testing.T, b backend) {
	dsn := b.dsn(t)
	acknowledged := killAfter(t, dsn, 500)
	s, ctx := openStore(t, dsn), t.Context()
	open, stories := 0, map[string]CallStory{}
	for _, line := range acknowledged {
		what, id, _ := strings.Cut(line, " ")
		story, there := stories[id]
		var err error
		if !there {
			story, err = s.Call(ctx, model.CallID(id))
			there, stories[id] = err == nil, story
		}
		switch what {
		case "call":
			open++
		case "leg":
			there = len(story.Legs) == 1
		case "event":
			there = len(story.Events) == 1
		case "report":
			there = len(story.Reports) == 1
		case "readings":
			chunks, err := s.Readings(ctx, model.CallID(id))
			there = err == nil && len(chunks) == 1
		case "session":
			_, there, _ = s.Sessions().Find(id)
		default:
			t.Errorf("the child said %q", line)
		}
		if !there {
			t.Errorf("lost: %s (%v)", line, err)
		}
	}
	closed, err := s.CloseDeadCalls(ctx, model.CauseServiceLost)
	if err != nil || len(closed) < open {
		t.Errorf("closed %d of at least %d dead calls, %v", len(closed), open, err)
	}
}

// killAfter runs the child, kills it with SIGKILL after so many acknowledgements, and
// gives all those that came.
func killAfter(t *testing.T, dsn string, n int) []string {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), childDSN+"="+dsn)
	out, err := cmd.StdoutPipe()
	must(t, err, cmd.Start())
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if said = append(said, lines.Text()); len(said) == n {
			must(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // killed
	if len(said) < n {
		t.Fatalf("the child ended after %d lines: %v", len(said), said[max(0, len(said)-3):])
	}
	// A last line may be cut short where the pipe filled up; an uncut one ends in a digit
	// too, so it proves nothing.
	return said[:len(said)-1]
}

func BenchmarkDurableWrites(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "headroom.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	if err := s.CallStarted(b.Context(), model.Call{ID: "c", StartedAt: noon()}); err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(32)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := s.AddEvent(b.Context(), model.CallEvent{Call: "c", At: noon(), Kind: "dtmf"}); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(s.Stats().Writes)/float64(s.Stats().Commits), "writes/commit")
}

func BenchmarkCallStory(b *testing.B) {
	s, err := Open(b.Context(), filepath.Join(b.TempDir(), "headroom.db"))
	must(b, err)
	defer s.Close()
	for i := range 1000 {
		must(b, s.CallStarted(b.Context(), model.Call{ID: model.CallID(fmt.Sprint(i)), StartedAt: noon()}))
	}
	for b.Loop() {
		_, err := s.Call(b.Context(), "500")
		must(b, err)
	}
}
