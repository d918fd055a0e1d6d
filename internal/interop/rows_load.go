package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
)

// What the service has to carry: callers by the second, and for how long.
const (
	callsPerSecond = 50
	loadSeconds    = 60
)

// loads are many calls at once.
func loads() []row {
	return []row{{area: "load", peer: "SIPp", try: load,
		name: fmt.Sprintf("%d new calls a second for %d s over UDP, each 2 s long: none fails, and goroutines and memory come back", callsPerSecond, loadSeconds)}}
}

func load(ctx context.Context, s *system, dir string) error {
	before, err := s.size(ctx)
	if err != nil {
		return err
	}
	calls := callsPerSecond * loadSeconds
	profiled := make(chan error, 1)
	go func() { profiled <- s.profile(ctx) }()
	if err := sipp(ctx, s, filepath.Join(dir, "load"), usual(pause(2000)), "-t", "u1",
		"-r", strconv.Itoa(callsPerSecond), "-m", strconv.Itoa(calls), "-l", strconv.Itoa(10*callsPerSecond),
		"-trace_stat", "-stf", "statistics.csv", "-fd", "10"); err != nil {
		return err
	}
	if err := <-profiled; err != nil {
		return err
	}
	if err := s.settled(ctx); err != nil {
		return err
	}
	// What is kept for a while (transactions for 32 s, agents' connections) has to go first.
	var after size
	err = eventually(ctx, "goroutines are as few as before", func() (bool, error) {
		var err error
		if after, err = s.size(ctx); err != nil {
			return false, err
		}
		return after.goroutines <= before.goroutines*11/10+10, nil
	})
	return errors.Join(err, after.fits(before)) // after is what was seen last
}

// profileFile is where the service's CPU profile under load goes; "" is nowhere.
var profileFile string

// profile takes one while the load lasts.
func (s *system) profile(ctx context.Context) error {
	if profileFile == "" {
		return nil
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/debug/pprof/profile?seconds=%d", s.debug, loadSeconds-5)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	defer resp.Body.Close()
	profile, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("profile: %s: %w", resp.Status, err)
	}
	return os.WriteFile(profileFile, profile, 0o600)
}

// size is how much a process holds.
type size struct{ goroutines, bytes float64 }

func (s *system) size(ctx context.Context) (size, error) {
	var metrics string
	if err := s.get(ctx, "/metrics", &metrics); err != nil {
		return size{}, err
	}
	goroutines, err := strconv.ParseFloat(value(metrics, "go_goroutines"), 64)
	if err != nil {
		return size{}, err
	}
	bytes, err := strconv.ParseFloat(value(metrics, "process_resident_memory_bytes"), 64)
	return size{goroutines, bytes}, err
}

// fits compares with what there was before: the heap of 100 calls may stay with the runtime.
func (s size) fits(before size) error {
	fmt.Printf("     goroutines %.0f before, %.0f after; resident %.0f MB before, %.0f MB after\n",
		before.goroutines, s.goroutines, before.bytes/1e6, s.bytes/1e6)
	if limit := 2*before.bytes + 100e6; s.bytes > limit {
		return fmt.Errorf("%.0f MB resident, %.0f MB before", s.bytes/1e6, before.bytes/1e6)
	}
	return nil
}
