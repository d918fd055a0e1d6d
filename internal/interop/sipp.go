package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// mediaPort counts up: SIPp takes four ports for media.
var mediaPort atomic.Int32

func init() { mediaPort.Store(25000) }

// loadProgram is headroom-load, which calls where SIPp is the callee.
var loadProgram string

// sippRow is a call that SIPp places over UDP, and again over TCP unless datagrams matter.
func sippRow(area, name string, scenario string, options ...string) row {
	return row{area: area, name: name, peer: "SIPp", try: func(ctx context.Context, s *system, dir string) error {
		for _, transport := range []string{"u1", "t1"} {
			if err := sipp(ctx, s, filepath.Join(dir, transport), scenario, append([]string{"-t", transport}, options...)...); err != nil {
				return fmt.Errorf("over %s: %w", map[string]string{"u1": "UDP", "t1": "TCP"}[transport], err)
			}
			if err := s.settled(ctx); err != nil {
				return err
			}
		}
		return nil
	}}
}

// sipp plays a scenario once against the service.
func sipp(ctx context.Context, s *system, dir, scenario string, options ...string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	args := append([]string{"127.0.0.1:" + strconv.Itoa(s.udp), "-i", "127.0.0.1", "-p", strconv.Itoa(port)}, options...)
	return playSIPp(ctx, dir, scenario, args...)
}

// playSIPp runs SIPp in a folder where it leaves scenario and messages. The error has what
// was awaited and what came.
func playSIPp(ctx context.Context, dir, scenario string, args ...string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "scenario.xml"), []byte(scenario), 0o600); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 100*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sipp", append([]string{
		"-sf", "scenario.xml", "-m", "1", "-mi", "127.0.0.1", "-mp", strconv.Itoa(int(mediaPort.Add(4))),
		"-nostdin", "-timeout", "90s", "-timeout_error",
		"-trace_err", "-error_file", "errors.log",
	}, args...)...)
	if !slices.Contains(args, "-r") { // of one call
		cmd.Args = append(cmd.Args, "-trace_msg", "-message_file", "messages.log")
	}
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("sipp is not installed (Debian: apt install sip-tester)")
	}
	return fmt.Errorf("%w: %s; see %s", err, complaint(dir), filepath.Base(dir))
}

var stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\d\s+[\d:.]+\s+[\d.]+: `)

// complaint is SIPp's own account of what went wrong, in a line.
func complaint(dir string) string {
	b, err := os.ReadFile(filepath.Join(dir, "errors.log"))
	if err != nil {
		return "it said nothing"
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(stamp.ReplaceAllString(line, ""))
		if line != "" && len(lines) < 2 {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, " ")
}

// calleeRow is a call that headroom-load places to SIPp.
func calleeRow(name, scenario, wantError string) row {
	return row{area: "calls we place", name: name, peer: "SIPp", try: func(ctx context.Context, _ *system, dir string) error {
		port, err := freePort()
		if err != nil {
			return err
		}
		ready := make(chan error, 1)
		go func() {
			ready <- playSIPp(ctx, filepath.Join(dir, "callee"), scenario, "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-t", "u1")
		}()
		if err := listening(ctx, port); err != nil {
			return err
		}
		args := []string{"--target", fmt.Sprintf("sip:200@127.0.0.1:%d", port), "--duration", "1s", "--local", "127.0.0.1"}
		callErr := judged(exec.CommandContext(ctx, loadProgram, args...), wantError)
		return errors.Join(<-ready, callErr)
	}}
}

// judged runs a caller that must do well, or must say something of what went wrong.
func judged(cmd *exec.Cmd, wantError string) error {
	out, err := cmd.CombinedOutput()
	switch {
	case wantError == "" && err != nil:
		return fmt.Errorf("the caller: %w: %s", err, out)
	case wantError != "" && !strings.Contains(string(out), wantError):
		return fmt.Errorf("the caller said %q, wanted %q", out, wantError)
	}
	return nil
}

// listening waits until somebody has a UDP port.
func listening(ctx context.Context, port int) error {
	return eventually(ctx, "SIPp listens", func() (bool, error) {
		b, err := os.ReadFile("/proc/net/udp")
		return strings.Contains(string(b), fmt.Sprintf(":%04X ", port)), err
	})
}
