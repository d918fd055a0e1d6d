//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/media"
)

func main() {
	headroom := flag.String("headroom", "build/bin/headroom", "the service")
	work := flag.String("work", "build/bench-media", "folder for data and logs")
	only := flag.String("only", "", "cases that have this in their name")
	calls := flag.String("calls", "", "numbers of calls instead of each case's own, like 25,50")
	during := flag.Duration("time", 20*time.Second, "how long each measurement lasts, 5s to 60s")
	list := flag.String("json", "build/bench-media.json", "write the rows to this file")
	page := flag.String("page", "", "write the page of results to this file")
	soak := flag.Duration("soak", 0, "instead of all this: calls that come and go for so long")
	kills := flag.Int("kills", 0, "instead of all this: kill the service so often while it records, and look at the recordings")
	log := flag.String("log", "build/soak.log", "of the soak, or of the kills")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b, err := newBench(ctx, *headroom, *work, *during)
	switch {
	case err != nil:
	case *soak > 0:
		err = b.soak(ctx, longSoak(*soak), *log)
	case *kills > 0:
		err = b.kills(ctx, manyKills(*kills), *log)
	default:
		err = b.bench(ctx, *only, *calls, *list, *page)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-media:", err)
		os.Exit(1)
	}
}

// most is how many agents the service has for each queue.
const most = 200

func newBench(ctx context.Context, headroom, work string, during time.Duration) (*bench, error) {
	if during < 5*time.Second || during > time.Minute {
		return nil, fmt.Errorf("-time %v: want 5s to 60s", during)
	}
	work, err := filepath.Abs(work)
	if err != nil {
		return nil, err
	}
	b := &bench{program: headroom, dir: work, during: during}
	b.service, err = prepare(ctx, work, most)
	return b, err
}

// tests are in such an order that what is compared is measured one after the other.
func tests() []test {
	metered := ours(meteredQueue, talk.Codecs{Caller: media.PCMU, Agent: media.Opus, Up: true}, media.Opus, media.PCMU)
	transcoding := ours(plainQueue, talk.Codecs{Caller: media.PCMU, Agent: media.Opus, Up: true, Down: true}, media.Opus)
	pcmu := ours(plainQueue, talk.Codecs{Caller: media.PCMU, Agent: media.PCMU}, media.PCMU)
	srtp, opus := rtpengine(media.PCMU), rtpengine(media.Opus)
	return []test{
		{"direct", 100, direct},
		{"ours-metered", 25, metered},
		{"rtpengine-opus", 25, opus},
		{"ours-transcoding", 25, transcoding},
		{"ours-pcmu", 100, pcmu},
		{"rtpengine-srtp", 100, srtp},
		{"ours-pcmu", 200, pcmu},
		{"rtpengine-srtp", 200, srtp},
		{"ours-metered", 200, metered},
		{"ours-transcoding", 200, transcoding},
	}
}

// chosen are the tests that are asked for.
func chosen(only, calls string) ([]test, error) {
	var counts []int
	for s := range strings.SplitSeq(calls, ",") {
		if n, err := strconv.Atoi(s); err == nil && n > 0 && n <= most {
			counts = append(counts, n)
		} else if s != "" {
			return nil, fmt.Errorf("-calls %q: want numbers up to %d with commas", calls, most)
		}
	}
	var out []test
	seen := make(map[string]bool)
	for _, t := range tests() {
		switch {
		case !strings.Contains(t.name, only):
		case len(counts) == 0:
			out = append(out, t)
		case !seen[t.name]:
			for _, n := range counts {
				out = append(out, test{t.name, n, t.try})
			}
		}
		seen[t.name] = true
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("-only %q: no case has this in its name", only)
	}
	return out, nil
}

// bench measures the tests and writes what they came to.
func (b *bench) bench(ctx context.Context, only, calls, list, page string) error {
	todo, err := chosen(only, calls)
	if err != nil {
		return err
	}
	var results []result
	for _, t := range todo {
		r, err := b.asManyAsGo(ctx, t, results)
		if errors.Is(err, errMissing) {
			fmt.Printf("%-17s not measured: %v\n", t.name, err)
			results = append(results, result{test: t, note: err.Error()})
			continue
		}
		if err != nil {
			return fmt.Errorf("%s with %d calls: %w", t.name, t.calls, err)
		}
		fmt.Println(r)
		results = append(results, r)
	}
	for _, line := range compare(results) {
		fmt.Println(line)
	}
	if err := writeJSON(results, list); err != nil || page == "" {
		return err
	}
	return writePage(results, page)
}

// step is by how many calls a test gets smaller when the machine does not hold it.
const step = 25

// asManyAsGo measures a test with as many calls as it wants, or, where the machine has no
// processors for service and load together, as many as it has.
func (b *bench) asManyAsGo(ctx context.Context, t test, before []result) (r result, err error) {
	calls, note := t.calls, ""
	if fits := expected(t, before); fits < calls {
		note = fmt.Sprintf("%d wanted; by the processor time of fewer calls this machine holds about %d", t.calls, fits)
		calls = max(fits/step*step, step)
	}
	for {
		m, err := t.try(ctx, b, calls)
		if err != nil {
			return result{}, err
		}
		r = result{test: test{name: t.name, calls: calls}, measured: m, note: note}
		why := r.failed()
		if why == "" {
			return r, nil
		}
		fmt.Printf("%-17s %3d calls: not counted: %s\n", t.name, calls, why)
		if calls <= step {
			r.note = strings.TrimPrefix(r.note+"; "+why, "; ")
			return r, nil
		}
		note = fmt.Sprintf("%d wanted; with %d %s", t.calls, calls, why)
		calls = max((calls*3/4)/step*step, step)
	}
}

// usable is the share of the processors that can be expected to be had.
const usable = 0.85

// expected is how many calls of a test the machine holds, by what fewer of them took.
func expected(t test, before []result) int {
	fits := t.calls
	for _, r := range before {
		if r.name == t.name && r.measured != nil {
			ms, _ := r.perCall()
			fits = min(fits, int(usable*1000*processors/(ms+r.load)))
		}
	}
	return fits
}
