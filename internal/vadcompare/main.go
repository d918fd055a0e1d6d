package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/headroom-voice/headroom/media/wavfile"
)

func main() {
	out := flag.String("o", "docs/vad.md", "page to write; none with -go")
	dir := flag.String("build", "build/vadcompare", "folder for recordings and the others' detectors")
	onlyGo := flag.Bool("go", false, "measure only the detectors written in Go, and print the tables")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *out, *dir, *onlyGo)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "vadcompare:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out, dir string, onlyGo bool) error {
	detectors, missing := inGo(), []string(nil)
	if !onlyGo {
		var others []detector
		others, missing = outside(ctx, dir)
		detectors = append(detectors, others...)
	}
	fmt.Fprintln(os.Stderr, "making the recordings")
	scenes, err := record(ctx, filepath.Join(dir, "recordings"))
	if err != nil {
		return err
	}
	r := &results{hours: hours(scenes), missing: missing}
	for _, d := range detectors {
		fmt.Fprintln(os.Stderr, "listening:", d.name)
		if err := r.add(ctx, d, scenes); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	if r.alone, err = costAlone(scenes[0].file); err != nil {
		return err
	}
	if onlyGo {
		fmt.Print(r.Balanced(), "\n", r.Errors(), "\n", r.Nobody(), "\n", r.Cost())
		return nil
	}
	return r.write(out)
}

// record makes every scene and keeps it as a file of 16 bits, which every detector hears.
func record(ctx context.Context, dir string) ([]scene, error) {
	all, err := voices(ctx)
	if err != nil {
		return nil, err
	}
	tunes, err := songs(120 * rate)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	var scenes []scene
	m := &maker{all: all, music: tunes}
	err = m.scenes(func(s scene) error {
		s.file = filepath.Join(dir, fmt.Sprintf("%03d.wav", len(scenes)))
		if err := wavfile.Write(s.file, rate, s.x); err != nil {
			return err
		}
		s.x = nil
		scenes = append(scenes, s)
		return nil
	})
	return scenes, err
}

func hours(scenes []scene) float64 {
	blocks := 0
	for _, s := range scenes {
		blocks += len(s.what)
	}
	return float64(blocks) / 50 / 3600
}
