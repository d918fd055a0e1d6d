package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// The others' packages on npm. Their install scripts are not run.
var packages = []string{"@echogarden/fvad-wasm@0.2.0", "@ricky0123/vad-web@0.0.31", "onnxruntime-web@1.30.0"}

//go:embed vad.mjs
var vadScript []byte

//go:embed apm.cc.txt
var apmSource []byte

// outside makes the others' detectors ready in dir, and tells which cannot be had and why.
func outside(ctx context.Context, dir string) (ready []detector, missing []string) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, []string{err.Error()}
	}
	if err := prepareNode(ctx, dir); err != nil {
		missing = append(missing, "libfvad and Silero: "+err.Error())
	} else {
		script := filepath.Join(dir, "vad.mjs")
		ready = append(ready,
			program("libfvad 0", "node", script, "fvad", "0"),
			program("libfvad 3", "node", script, "fvad", "3"),
			program("Silero", "node", script, "silero"))
	}
	if err := prepareAPM(ctx, dir); err != nil {
		missing = append(missing, "WebRTC APM: "+err.Error())
	} else {
		ready = append(ready, program("WebRTC APM", filepath.Join(dir, "apm")))
	}
	return ready, missing
}

func prepareNode(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "vad.mjs"), vadScript, 0o644); err != nil {
		return err
	}
	// npm installs into the nearest folder with a package.json: this one.
	if err := os.WriteFile(filepath.Join(dir, "package.json"), []byte("{\"private\": true}\n"), 0o644); err != nil {
		return err
	}
	args := append([]string{"install", "--prefix", dir, "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}, packages...)
	return quietly(ctx, dir, "npm", args...)
}

func prepareAPM(ctx context.Context, dir string) error {
	source := filepath.Join(dir, "apm.cc")
	if err := os.WriteFile(source, apmSource, 0o644); err != nil {
		return err
	}
	flags, err := exec.CommandContext(ctx, "pkg-config", "--cflags", "--libs", "webrtc-audio-processing").Output()
	if err != nil {
		return fmt.Errorf("libwebrtc-audio-processing-dev is not installed (%w)", err)
	}
	args := append([]string{"-O2", "-o", filepath.Join(dir, "apm"), source}, strings.Fields(string(flags))...)
	return quietly(ctx, dir, "g++", args...)
}

func quietly(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(out))
	}
	return nil
}

// program is a detector that reads file names and prints decisions as vad.mjs does.
func program(title, name string, args ...string) detector {
	return detector{title, func(ctx context.Context, files []string) ([][]bool, float64, error) {
		for i := range files {
			path, err := filepath.Abs(files[i])
			if err != nil {
				return nil, 0, err
			}
			files[i] = path
		}
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stdin = strings.NewReader(strings.Join(files, "\n") + "\n")
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w: %s", name, err, bytes.TrimSpace(complaint.Bytes()))
		}
		return decisions(out, len(files))
	}}
}

// decisions reads what such a program printed about n files.
func decisions(out []byte, n int) (said [][]bool, nanoseconds float64, err error) {
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if len(said) == n {
			nanoseconds, err = strconv.ParseFloat(line, 64)
			return said, nanoseconds, err
		}
		blocks := make([]bool, len(line))
		for i := range line {
			blocks[i] = line[i] == '1'
		}
		said = append(said, blocks)
	}
	return nil, 0, fmt.Errorf("told of %d files of %d", len(said), n)
}
