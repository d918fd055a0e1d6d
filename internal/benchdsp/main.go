package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

// options are the command's flags.
type options struct {
	headroom string // the program to measure
	work     string // folder for the hour of speech
	page     string // what is written
	seconds  int    // length of the speech
	rounds   int
}

func main() {
	var o options
	flag.StringVar(&o.headroom, "headroom", "build/bin/headroom", "the program to measure")
	flag.StringVar(&o.work, "work", "build/bench-dsp", "folder for the speech that is measured")
	flag.StringVar(&o.page, "page", "docs/bench-dsp.md", "the page to write")
	flag.IntVar(&o.seconds, "seconds", 3600, "length of the speech")
	flag.IntVar(&o.rounds, "rounds", 3, "how often each program runs; the best time counts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench-dsp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if err := os.MkdirAll(o.work, 0o755); err != nil {
		return err
	}
	speech, source, err := makeSpeech(ctx, filepath.Join(o.work, fmt.Sprintf("speech-%ds.wav", o.seconds)), o.seconds)
	if err != nil {
		return err
	}
	var page bytes.Buffer
	fmt.Fprintf(&page, "# What the meter costs\n\n")
	fmt.Fprintf(&page, "Written by `make bench-dsp` on %s, %d processors, %s%s.\n\n", processor(), runtime.NumCPU(), runtime.Version(), load())
	if err := programs(ctx, &page, o, speech, source); err != nil {
		return err
	}
	if err := blocks(ctx, &page, speech); err != nil {
		return err
	}
	if err := state(&page); err != nil {
		return err
	}
	if _, err := os.Stdout.Write(page.Bytes()); err != nil {
		return err
	}
	return os.WriteFile(o.page, page.Bytes(), 0o644)
}

// processor names the machine's.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(info)) {
			if name, ok := strings.CutPrefix(line, "model name"); ok {
				return strings.TrimSpace(strings.TrimLeft(name, "\t :"))
			}
		}
	}
	return runtime.GOARCH
}

// load says how many programs wanted a processor before we began: by the clock, figures
// from a busy machine are too long.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(b)); err == nil && len(fields) > 0 {
		return ", load " + fields[0] + " when it began"
	}
	return ""
}

// version is what a program says of itself, in its first line.
func version(ctx context.Context, program string, arg string) string {
	out, err := exec.CommandContext(ctx, program, arg).Output()
	if err != nil {
		return program
	}
	first, _, _ := strings.Cut(string(out), "\n")
	first, _, _ = strings.Cut(first, " Copyright")
	return strings.TrimSpace(strings.TrimPrefix(first, program+":"))
}
