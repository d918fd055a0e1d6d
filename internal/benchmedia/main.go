//go:build linux

package main

import (
	"context"
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
	work := flag.String("work", "build/bench-media", "folder for its data and logs")
	only := flag.String("only", "", "cases that have this in their name")
	calls := flag.String("calls", "", "numbers of calls instead of each case's own, like 25,50")
	during := flag.Duration("time", 20*time.Second, "how long each measurement lasts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *headroom, *work, *only, *calls, *during); err != nil {
		fmt.Fprintln(os.Stderr, "bench-media:", err)
		os.Exit(1)
	}
}

func tests() []test {
	return []test{
		{"ours-metered", []int{25, 200}, ours(meteredQueue, talk.Codecs{Caller: media.PCMU, Agent: media.Opus, Up: true}, media.Opus, media.PCMU)},
		{"ours-transcoding", []int{25, 200}, ours(plainQueue, talk.Codecs{Caller: media.PCMU, Agent: media.Opus, Up: true, Down: true}, media.Opus)},
		{"ours-pcmu", []int{100, 200}, ours(plainQueue, talk.Codecs{Caller: media.PCMU, Agent: media.PCMU}, media.PCMU)},
	}
}

func run(ctx context.Context, headroom, work, only, counts string, during time.Duration) error {
	work, err := filepath.Abs(work)
	if err != nil {
		return err
	}
	var instead []int
	for s := range strings.SplitSeq(counts, ",") {
		if n, err := strconv.Atoi(s); err == nil && n > 0 {
			instead = append(instead, n)
		} else if s != "" {
			return fmt.Errorf("-calls %q: want numbers with commas", counts)
		}
	}
	b := &bench{program: headroom, dir: work, during: during, agents: 200}
	if b.service, err = prepare(ctx, work, b.agents); err != nil {
		return err
	}
	for _, t := range tests() {
		if !strings.Contains(t.name, only) {
			continue
		}
		list := t.calls
		if len(instead) > 0 {
			list = instead
		}
		for _, n := range list {
			m, err := t.try(ctx, b, n)
			if err != nil {
				return fmt.Errorf("%s with %d calls: %w", t.name, n, err)
			}
			ms, quiet := m.perCall()
			fmt.Printf("%-17s %3d calls: %.2f CPU-ms per call-second (%d of %d seconds quiet; load %.2f), %d KiB a call; up %s; down %s; load late p99 %v, missed %d\n",
				t.name, n, ms, quiet, len(m.cpu), m.load, m.resident/1024/int64(n), way(&m.Up), way(&m.Down), m.LateP99, m.Missed)
		}
	}
	return nil
}

func way(w *talk.Way) string {
	return fmt.Sprintf("%d/%d loss %.4f whole %v (marks %d chirps %d/%d strange %d) p50 %v p99 %v max %v", w.Heard, w.Sent, w.Loss(), w.Whole(), w.Marked, w.Found, w.Chirps, w.Strange,
		w.Delays.Quantile(0.5), w.Delays.Quantile(0.99), w.Delays.Quantile(1))
}
