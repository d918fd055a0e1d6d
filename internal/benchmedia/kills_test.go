//go:build linux

package main

import (
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/internal/model"
)

// TestWhatAKillCostTooMuchIsFound judges what a service might leave behind.
func TestWhatAKillCostTooMuchIsFound(t *testing.T) {
	at := time.Date(2026, 11, 22, 17, 0, 0, 0, time.UTC)
	ago := func(d time.Duration) time.Time { return at.Add(-d) }
	failed := func(began time.Duration) model.Recording { // of which nothing was written
		return model.Recording{ID: "c1.r1", Call: "c1", StartedAt: ago(began), State: model.RecordingFailed}
	}
	whole := model.Recording{ID: "c0.r1", Call: "c0", StartedAt: ago(time.Minute), Length: 10 * time.Second, State: model.RecordingComplete}
	live, after := failed(300*time.Millisecond), failed(-time.Second)
	live.State, after.ID, after.State = model.RecordingLive, "c2.r1", model.RecordingLive
	for name, c := range map[string]struct {
		talked            time.Duration // by the call c1
		files             []string
		entered           []model.Recording
		late, broken, not int
	}{
		"what had only begun costs nothing":     {300 * time.Millisecond, nil, []model.Recording{whole, failed(300 * time.Millisecond), after}, 0, 0, 0},
		"a tail of three seconds":               {3 * time.Second, nil, []model.Recording{whole, failed(3 * time.Second)}, 1, 0, 0},
		"one that was not repaired":             {300 * time.Millisecond, nil, []model.Recording{live}, 0, 1, 0},
		"a call without a recording":            {3 * time.Second, nil, []model.Recording{whole}, 0, 0, 1},
		"a file that is not entered":            {0, []string{touch(t, "c3.r1.hrec")}, []model.Recording{failed(0)}, 0, 0, 1},
		"a file that the restart took away":     {0, []string{"gone/c3.r1.hrec"}, []model.Recording{failed(0)}, 0, 0, 0},
		"one that says more than its file does": {0, nil, []model.Recording{{ID: "c1.r1", Call: "c1", StartedAt: ago(time.Second), Length: time.Second, State: model.RecordingRecovered}}, 0, 1, 0},
	} {
		tally := &killTally{log: io.Discard, folder: t.TempDir(), known: make(map[model.RecordingID]bool)}
		tally.judge(at, []*talk.Pair{{Call: "c1", Since: ago(c.talked)}}, c.files, c.entered)
		if tally.late != c.late || tally.broken != c.broken || tally.not != c.not {
			t.Errorf("%s: %d late, %d broken, %d not entered; want %d, %d, %d", name, tally.late, tally.broken, tally.not, c.late, c.broken, c.not)
		}
		if err := tally.verdict(); (err == nil) != (c.late+c.broken+c.not == 0) {
			t.Errorf("%s: the verdict is %v", name, err)
		}
	}
}

func touch(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
