package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/media/wavfile"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintf(os.Stderr, "accuracy: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, complaints io.Writer) error {
	var (
		o       options
		only    = list{&o.only}
		paths   = list{&o.paths}
		voices  = list{&o.voices}
		flags   = flag.NewFlagSet("accuracy", flag.ContinueOnError)
		cache   = flags.String("cache", "build/voices", "folder that decoded voices are kept in")
		one     = flags.String("case", "", "judge one case, kind/variant/severity/voice/number[@path], and print its report")
		wav     = flags.String("wav", "", "with -case: write what the meter heard")
		doc     = flags.String("doc", "", "write the page of results to this file")
		workers = flags.Int("workers", runtime.NumCPU(), "scenes made at once")
	)
	flags.SetOutput(complaints)
	flags.BoolVar(&o.quick, "quick", false, "few voices, short calls: two minutes")
	flags.Float64Var(&o.hours, "hours", 10, "hours of innocent material for each tap")
	flags.Var(only, "only", "kinds (or beginnings of scene names), with commas")
	flags.Var(paths, "path", "paths, with commas: mic, opus24, opus12, opus48, g711, opus24loss3, …")
	flags.Var(voices, "voice", "voices, with commas")
	flags.StringVar(&o.tap, "tap", "", "mic or wire alone")
	flags.BoolVar(&o.verbose, "v", false, "a line a case")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	if o.quick && !given(flags, "hours") {
		o.hours = 0.8
	}
	began := time.Now()
	b := &bench{}
	var notes []string
	var err error
	if b.voices, notes, err = loadVoices(ctx, *cache, o.voices); err != nil {
		return err
	}
	for _, n := range notes {
		fmt.Fprintln(complaints, n)
	}
	b.music = loadMusic()
	if *one != "" {
		b.schedule(&options{quick: o.quick})
		return b.showCase(*one, *wav, out)
	}
	b.schedule(&o)
	s := newScore(b, notes)
	err = b.run(ctx, *workers, func(r *outcome) {
		if o.verbose {
			fmt.Fprintln(out, r.line())
		}
		s.add(r)
	})
	if err != nil {
		return err
	}
	s.sort()
	s.printSummary(out)
	fmt.Fprintf(out, "%d cases in %.0f s\n", len(s.outcomes), time.Since(began).Seconds())
	if *doc != "" {
		return os.WriteFile(*doc, []byte(s.page(&o)), 0o644)
	}
	return nil
}

func given(flags *flag.FlagSet, name string) (yes bool) {
	flags.Visit(func(f *flag.Flag) { yes = yes || f.Name == name })
	return yes
}

// list is a flag of words with commas.
type list struct{ words *[]string }

func (l list) String() string { return "" }

func (l list) Set(s string) error {
	*l.words = append(*l.words, strings.Split(s, ",")...)
	return nil
}

// loadMusic gives music on hold, where it is installed, at 16 kHz as if it were.
func loadMusic() [][]float32 {
	names, _ := filepath.Glob("/usr/share/asterisk/moh/*.wav") // the pattern is well formed
	slices.SortFunc(names, cmp.Compare[string])
	var all [][]float32
	for _, name := range names {
		w, err := wavfile.Open(name)
		if err != nil {
			continue
		}
		if x, err := resampled(w.Mono(), w.Rate, rate); err == nil {
			all = append(all, x[:min(len(x), 150*rate)])
		}
	}
	return all
}

// showCase judges one case and prints all that is known of it.
func (b *bench) showCase(id, wav string, out io.Writer) error {
	name, on, ok := strings.Cut(id, "@")
	if !ok {
		on = "mic"
	}
	s, err := parseScene(name)
	if err != nil {
		return err
	}
	p, ok := pathNamed(on)
	if !ok {
		return fmt.Errorf("there is no path %q", on)
	}
	m, err := b.make(s)
	if err != nil {
		return err
	}
	f := m.figures()
	h, report, err := p.judge(&m.recording, m.seed)
	if err != nil {
		return err
	}
	o := &outcome{scene: s, path: p, truths: m.truths(p.tap, f), true: f, seconds: m.seconds, report: report}
	fmt.Fprintln(out, o.line())
	printReport(out, o)
	if wav == "" {
		return nil
	}
	return wavfile.Write(wav, h.rate, h.pcm)
}
