package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/recordings"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/wavfile"
)

func TestRecordingsAreListedExportedVerifiedAndSealedAnew(t *testing.T) {
	t.Chdir(t.TempDir())
	s, err := store.Open(t.Context(), filepath.Join("headroom-data", "headroom.db"))
	if err != nil {
		t.Fatal(err)
	}
	r, err := recordings.New(recordings.Config{Folder: "headroom-data/recordings", KeyFile: "headroom-data/recordings.key", Rate: 8000}, s, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	if err := s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	one, _, err := r.Begin(model.Recording{ID: "c1.r1", Call: "c1", Queue: "sales", Agent: "zoe"}, 0)
	if err != nil {
		t.Fatal(err)
	}
	one.Agent().Offer(mediatest.Tone(8000, 600, -20, 800), 8000, media.PCMU, 0)
	time.Sleep(300 * time.Millisecond)
	one.Stop()
	if err := r.Ended(ctx, <-one.Ended()); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	s.Close()

	says := func(status int, want string, args ...string) string {
		t.Helper()
		got, out, complaint := command(t, "", append([]string{"recordings"}, args...)...)
		if got != status || !strings.Contains(out+complaint, want) {
			t.Errorf("%q: status %d, does not say %q:\n%s%s", args, got, want, out, complaint)
		}
		return out
	}
	says(0, "queue sales, agent zoe", "list")
	says(0, `"State": "complete"`, "list", "--json")
	says(0, "out.wav", "export", "c1.r1", "-o", "out.wav")
	if clip, err := wavfile.Open("out.wav"); err != nil || clip.Channels != 2 || len(clip.Samples) < 4000 {
		t.Errorf("%d samples, %v", len(clip.Samples), err)
	}
	says(1, "exists", "export", "c1.r1", "-o", "out.wav")
	says(1, `no recording "c1.r9"`, "export", "c1.r9", "-o", "-")
	says(0, "1 recordings are as they were written, 0 are not", "verify")
	says(0, "0 recordings were looked after", "repair")

	key := filepath.Join("headroom-data", "recordings.key")
	old, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	fresh := says(0, "AGE-SECRET-KEY-1", "new-key")
	if err := os.WriteFile(key, []byte(fresh+string(old)), 0o600); err != nil {
		t.Fatal(err)
	}
	says(0, "1 recordings are sealed", "rekey")
	if err := os.WriteFile(key, []byte(fresh), 0o600); err != nil {
		t.Fatal(err)
	}
	says(0, "1 recordings are as they were written", "verify")
	if err := os.WriteFile(key, old, 0o600); err != nil {
		t.Fatal(err)
	}
	says(1, "sealed for another key", "verify")
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	says(1, "recordings.key", "verify")
}
