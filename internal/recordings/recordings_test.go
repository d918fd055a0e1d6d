package recordings_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/recordings"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/record/seal"
	"github.com/headroom-voice/headroom/media/wavfile"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("database/sql.(*DB).connectionOpener"))
}

const day = 24 * time.Hour

// archive is a service over a real store and folder.
type archive struct {
	t      *testing.T
	db     *store.Store
	folder string
	key    string
	*recordings.Service
	stop func()
}

func open(t *testing.T) *archive {
	t.Helper()
	a := &archive{t: t, folder: t.TempDir()}
	a.key = filepath.Join(t.TempDir(), "key")
	var err error
	if a.db, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.db.Close() })
	if err := a.db.CallStarted(t.Context(), model.Call{ID: "c1", StartedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	a.start()
	t.Cleanup(func() { a.stop() })
	return a
}

func (a *archive) start() {
	a.t.Helper()
	var err error
	a.Service, err = recordings.New(recordings.Config{Folder: a.folder, KeyFile: a.key, Format: "wav", Rate: 8000}, a.db, slog.New(slog.DiscardHandler))
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	a.stop = func() {
		cancel()
		if err := <-done; err != nil {
			a.t.Error(err)
		}
	}
}

func (a *archive) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

// record makes a whole recording of a second of a tone.
func (a *archive) record(id model.RecordingID, keep time.Duration) model.Recording {
	a.t.Helper()
	one, r, err := a.Begin(model.Recording{ID: id, Call: "c1", Queue: "sales", Agent: "zoe"}, keep)
	a.must(err)
	a.must(a.Started(a.t.Context(), r))
	pcm := mediatest.Tone(8000, 600, -20, 8000)
	for range 10 {
		time.Sleep(20 * time.Millisecond)
		one.Caller().Offer(pcm[:160], 8000, media.PCMU, 0)
	}
	one.Stop()
	r = <-one.Ended()
	a.must(a.Ended(a.t.Context(), r))
	return r
}

func (a *archive) events() (kinds []string) {
	a.t.Helper()
	story, err := a.db.Call(a.t.Context(), "c1")
	a.must(err)
	for _, e := range story.Events {
		kinds = append(kinds, e.Kind+" "+string(e.Agent))
	}
	return kinds
}

func TestARecordingIsKeptHeardHeldAndDeleted(t *testing.T) {
	a, ctx := open(t), t.Context()
	r := a.record("c1.r1", day)
	if r.State != model.RecordingComplete || r.Hash == "" || r.ExpiresAt == nil || r.ExpiresAt.Sub(*r.EndedAt) != day || r.Length < 150*time.Millisecond {
		t.Errorf("%+v", r)
	}
	p, _, err := a.Listen(ctx, "c1.r1", "sup")
	a.must(err)
	data, err := io.ReadAll(p)
	a.must(errors.Join(err, p.Close()))
	if clip, err := wavfile.Decode(data); err != nil || clip.Channels != 2 || clip.Rate != 8000 {
		t.Errorf("%+v, %v", clip.Format, err)
	}
	p, _, err = a.Listen(ctx, "c1.r1", "sup") // the player's next piece
	a.must(err)
	a.must(p.Close())
	_, err = a.Hold(ctx, "c1.r1", "adm", "a dispute")
	a.must(err)
	if err := a.Delete(ctx, "c1.r1", "adm"); !errors.Is(err, recordings.ErrHeld) {
		t.Errorf("a held one is deleted: %v", err)
	}
	lifted, err := a.Lift(ctx, "c1.r1", "adm")
	a.must(err)
	if lifted.Hold != nil {
		t.Errorf("%+v", lifted)
	}
	a.must(a.Delete(ctx, "c1.r1", "adm"))
	a.must(a.Delete(ctx, "c1.r1", "adm"))
	if _, err := os.Stat(filepath.Join(a.folder, filepath.FromSlash(r.File))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if _, _, err := a.Listen(ctx, "c1.r1", "sup"); !errors.Is(err, recordings.ErrGone) {
		t.Errorf("it can still be heard: %v", err)
	}
	list, err := a.Call(ctx, "c1")
	a.must(err)
	if len(list) != 1 || list[0].State != model.RecordingDeleted || list[0].DeletedBy != "adm" || list[0].DeletedAt == nil {
		t.Errorf("%+v", list)
	}
	want := "recording_heard sup, recording_held adm, recording_released adm, recording_deleted adm"
	if got := strings.Join(a.events(), ", "); got != want {
		t.Errorf("the story has %s, want %s", got, want)
	}
}

func TestWhatHasExpiredGoesAndWhatIsHeldStays(t *testing.T) {
	a, ctx := open(t), t.Context()
	for _, id := range []model.RecordingID{"c1.gone", "c1.held"} {
		a.record(id, time.Millisecond)
	}
	a.record("c1.young", day)
	a.record("c1.ever", 0)
	_, err := a.Hold(ctx, "c1.held", "adm", "a dispute")
	a.must(err)
	a.must(a.Sweep(ctx))
	list, err := a.Call(ctx, "c1")
	a.must(err)
	for _, r := range list {
		_, err := os.Stat(filepath.Join(a.folder, filepath.FromSlash(r.File)))
		if gone := r.ID == "c1.gone"; gone != (r.State == model.RecordingDeleted) || gone != errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is %s, its file: %v", r.ID, r.State, err)
		}
	}
	_, err = a.Lift(ctx, "c1.held", "adm")
	a.must(err)
	a.must(a.Sweep(ctx))
	if r, err := a.db.Recording(ctx, "c1.held"); err != nil || r.State != model.RecordingDeleted || r.DeletedBy != "retention" {
		t.Errorf("after the hold: %+v, %v", r, err)
	}
}

// A service that died: its store and folder are as they were, and nobody wrote an end.
func TestTheNextStartFinishesWhatDied(t *testing.T) {
	a, ctx := open(t), t.Context()
	var all []interface{ Stop() }
	for _, id := range []model.RecordingID{"c1.known", "c1.unknown"} {
		one, r, err := a.Begin(model.Recording{ID: id, Call: "c1"}, day)
		a.must(err)
		if id == "c1.known" {
			a.must(a.Started(ctx, r))
		}
		one.Caller().Offer(make([]float32, 160), 8000, media.PCMU, 0)
		all = append(all, one)
	}
	time.Sleep(1500 * time.Millisecond)
	// Its files as they are at this moment, in another folder: the service that goes on would
	// complete its own.
	died := a.folder
	a.folder = t.TempDir()
	a.must(os.CopyFS(a.folder, os.DirFS(died)))
	stopOld := a.stop
	defer func() {
		for _, one := range all {
			one.Stop()
		}
		stopOld()
	}()
	files, err := filepath.Glob(filepath.Join(a.folder, "*", "*.hrec"))
	a.must(err)
	if len(files) != 2 {
		t.Fatalf("%q", files)
	}
	torn, err := os.OpenFile(files[0], os.O_APPEND|os.O_WRONLY, 0)
	a.must(err)
	_, err = torn.WriteString("half a chunk")
	a.must(errors.Join(err, torn.Close()))
	a.start()
	n, err := a.Repair(ctx)
	a.must(err)
	if n != 2 {
		t.Errorf("%d repaired", n)
	}
	for _, id := range []model.RecordingID{"c1.known", "c1.unknown"} {
		r, err := a.db.Recording(ctx, id)
		a.must(err)
		if r.State != model.RecordingRecovered || r.Length < 500*time.Millisecond || r.Hash == "" || r.ExpiresAt == nil {
			t.Errorf("%+v", r)
		}
		p, _, err := a.Listen(ctx, id, "sup")
		a.must(err)
		if p.Duration() != r.Length || p.Whole() {
			t.Errorf("%s plays %v and is said to be %v", id, p.Duration(), r.Length)
		}
		a.must(p.Close())
	}
	a.must(a.Verify(ctx, func(f recordings.Finding) {
		if f.Err != nil {
			t.Errorf("%s: %v", f.ID, f.Err)
		}
	}))
	if n, err := a.Repair(ctx); n != 0 || err != nil {
		t.Errorf("again: %d, %v", n, err)
	}
}

func TestAnInterruptedDeletionIsFinished(t *testing.T) {
	a, ctx := open(t), t.Context()
	r := a.record("c1.r1", 0)
	a.must(a.db.DeletingRecording(ctx, "c1.r1", "adm"))
	if _, err := a.Repair(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(a.folder, filepath.FromSlash(r.File))); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is still there: %v", err)
	}
	if r, err := a.db.Recording(ctx, "c1.r1"); err != nil || r.State != model.RecordingDeleted || r.DeletedBy != "adm" {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestAChangedFileIsFound(t *testing.T) {
	a, ctx := open(t), t.Context()
	r := a.record("c1.r1", 0)
	a.record("c1.r2", 0)
	path := filepath.Join(a.folder, filepath.FromSlash(r.File))
	data, err := os.ReadFile(path)
	a.must(err)
	data[len(data)/2] ^= 1
	a.must(os.WriteFile(path, data, 0o600))
	found := map[model.RecordingID]error{}
	a.must(a.Verify(ctx, func(f recordings.Finding) { found[f.ID] = f.Err }))
	if len(found) != 2 || !errors.Is(found["c1.r1"], seal.ErrDamaged) || found["c1.r2"] != nil {
		t.Errorf("%v", found)
	}
}

func TestKeysAreRotated(t *testing.T) {
	a, ctx := open(t), t.Context()
	a.record("c1.r1", 0)
	a.stop()
	old, err := os.ReadFile(a.key)
	a.must(err)
	line, id, err := seal.NewKey()
	a.must(err)
	a.must(os.WriteFile(a.key, []byte(line+"\n"+string(old)), 0o600))
	a.start()
	changed, err := a.Rekey(ctx)
	a.must(err)
	if r, _ := a.db.Recording(ctx, "c1.r1"); changed != 1 || r.Key != string(id) {
		t.Errorf("%d changed, now for %s, want %s", changed, r.Key, id)
	}
	a.stop()
	a.must(os.WriteFile(a.key, []byte(line+"\n"), 0o600)) // without the old one
	a.start()
	p, _, err := a.Listen(ctx, "c1.r1", "sup")
	a.must(err)
	a.must(p.Close())
	a.must(a.Verify(ctx, func(f recordings.Finding) { a.must(f.Err) }))
}

func TestAFileOutsideOfTheFolderIsNotTouched(t *testing.T) {
	a, ctx := open(t), t.Context()
	outside := filepath.Join(t.TempDir(), "precious")
	a.must(os.WriteFile(outside, []byte("x"), 0o600))
	ended := time.Now()
	a.must(a.db.RecordingEnded(ctx, model.Recording{ID: "c1.r1", Call: "c1", EndedAt: &ended, State: model.RecordingComplete, Hash: "x", File: "../" + filepath.Base(filepath.Dir(outside)) + "/precious"}))
	if err := a.Delete(ctx, "c1.r1", "adm"); err == nil {
		t.Error("deleted")
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error(err)
	}
}
