package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os/exec"
	"time"

	"github.com/headroom-voice/headroom/media/wavfile"
)

// contender is a program with its arguments.
type contender struct {
	title   string
	program string
	args    []string
	about   string // its version, or that it is not there
	wall    float64
	cpu     float64 // user and system, seconds
}

// programs lets them run in turn and writes how long each took at best.
func programs(ctx context.Context, page io.Writer, o options, speech, source string) error {
	all := []*contender{
		{title: "`headroom analyze`", program: o.headroom, args: []string{"analyze", speech}},
		{title: "`headroom analyze --json --far`", program: o.headroom, args: []string{"analyze", "--json", "--far", speech, speech}},
		{title: "`headroom analyze --plot`", program: o.headroom, args: []string{"analyze", "--plot", speech + ".svg", speech}},
		// Without its log, which is long: that can only make it faster.
		{title: "`ffmpeg -af astats,ebur128`", program: "ffmpeg", args: []string{"-v", "error", "-nostdin", "-i", speech, "-af", "astats,ebur128", "-f", "null", "-"}},
		{title: "`sox stats`", program: "sox", args: []string{speech, "-n", "stats"}},
	}
	for _, c := range all {
		c.wall, c.cpu = math.Inf(1), math.Inf(1)
		switch _, err := exec.LookPath(c.program); {
		case err != nil:
			c.about = "is not installed"
		case c.program == "ffmpeg":
			c.about = version(ctx, "ffmpeg", "-version")
		case c.program == "sox":
			c.about = version(ctx, "sox", "--version")
		}
	}
	for range o.rounds {
		for _, c := range all {
			if c.about == "is not installed" {
				continue
			}
			if err := c.run(ctx); err != nil {
				return err
			}
		}
	}
	fmt.Fprintf(page, "## An hour of speech\n\n%d s of 16 kHz, 16 bit, from %s. The programs took turns; the best of %d runs each.\n\n", o.seconds, source, o.rounds)
	fmt.Fprintf(page, "| program | wall s | CPU s | times real time | CPU against ffmpeg | |\n|---|---|---|---|---|---|\n")
	ffmpeg := all[3].cpu
	for _, c := range all {
		if math.IsInf(c.cpu, 1) {
			fmt.Fprintf(page, "| %s | | | | | %s |\n", c.title, c.about)
			continue
		}
		fmt.Fprintf(page, "| %s | %.2f | %.2f | %.0f | %.2f | %s |\n", c.title, c.wall, c.cpu, float64(o.seconds)/c.wall, c.cpu/ffmpeg, c.about)
	}
	reading, err := reading(speech)
	if err != nil {
		return err
	}
	fmt.Fprintf(page, "\nReading and decoding the file is %.2f s of it: %.0f %% of `headroom analyze`.\n", reading, 100*reading/all[0].cpu)
	if c := all[3]; !math.IsInf(c.cpu, 1) {
		fmt.Fprintf(page, "`headroom analyze` takes %.2f of ffmpeg's wall time and %.2f of its CPU time.\n", all[0].wall/c.wall, all[0].cpu/c.cpu)
	}
	return nil
}

// run keeps the best times.
func (c *contender) run(ctx context.Context) error {
	cmd := exec.CommandContext(ctx, c.program, c.args...)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w: %s", c.title, err, complaints.String())
	}
	c.wall = min(c.wall, time.Since(began).Seconds())
	c.cpu = min(c.cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
	return nil
}

// reading is how much processor time it takes to have the samples of a file, at best of three.
func reading(path string) (float64, error) {
	best := math.Inf(1)
	block := make([]float32, 4096)
	for range 3 {
		began := cpu()
		r, err := wavfile.Stream(path)
		if err != nil {
			return 0, err
		}
		for err == nil {
			_, err = r.Read(block)
		}
		r.Close()
		if !errors.Is(err, io.EOF) {
			return 0, err
		}
		best = min(best, (cpu() - began).Seconds())
	}
	return best, nil
}
