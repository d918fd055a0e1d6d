//go:build linux

package main

import (
	"flag"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/headroom-voice/headroom/internal/testenv"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	soakTime  = flag.Duration("soak", 30*time.Second, "how long the soak lasts")
	soakCalls = flag.Int("soakcalls", 8, "its calls at a time")
)

// TestSoakLosesNothingAndStaysAsItIs is make soak in short: calls come and go, and none is lost,
// none stuck, and the service is afterwards what it was before. Three minutes of it:
//
//	go test ./internal/benchmedia -run Soak -soak 3m -soakcalls 50
func TestSoakLosesNothingAndStaysAsItIs(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes as long as it takes")
	}
	b, err := newBench(t.Context(), testenv.Build(t, "cmd/headroom"), t.TempDir(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	// A machine that does other things besides may lose packets; a call it may not.
	plan := soakPlan{calls: *soakCalls, during: *soakTime, shortest: 4 * time.Second, longer: 6 * time.Second, every: 2 * time.Second, lostPackets: 0.05, damaged: 0.5}
	if err := b.soak(t.Context(), plan, filepath.Join(t.TempDir(), "soak.log")); err != nil {
		t.Error(err)
	}
}
