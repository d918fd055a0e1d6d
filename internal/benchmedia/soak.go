//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/media"
)

// soakPlan is calls that come and go.
type soakPlan struct {
	calls            int
	during           time.Duration
	shortest, longer time.Duration // a call lasts from shortest to shortest + longer
	every            time.Duration // a line of the log

	lostPackets, damaged float64 // shares of packets, and of calls in which something did not arrive whole, that may be
}

// longSoak is what make soak runs.
func longSoak(during time.Duration) soakPlan {
	return soakPlan{calls: 50, during: during, shortest: 20 * time.Second, longer: 40 * time.Second, every: 10 * time.Second,
		lostPackets: 0.001, damaged: 0.01}
}

// What must hold.
const (
	flat        = 0.05             // growth of memory and goroutines from the first part to the last
	unsettled   = 10 * time.Minute // a shorter run is judged with room for what Go's heap does meanwhile:
	settleBytes = 24 << 20
	settleCount = 20               // goroutines
	emptyIn     = 60 * time.Second // everything is as before the first call, after the last
)

// tally is what has come of the calls so far.
type tally struct {
	mu                sync.Mutex
	done, lost, torn  int
	sent, missed      uint64
	worst             time.Duration
	problems          []string
	goroutines, bytes []float64
}

// soak runs the plan and says what did not hold.
func (b *bench) soak(ctx context.Context, p soakPlan, logFile string) (err error) {
	if err := os.MkdirAll(filepath.Dir(logFile), 0o755); err != nil {
		return err
	}
	file, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer file.Close()
	log := io.MultiWriter(file, os.Stdout)
	if err := b.service.start(ctx, b.program, b.dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.service.stop()) }()
	client, err := b.service.signIn(ctx)
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	fmt.Fprintf(log, "%d lines for %v; a call lasts %v to %v, the next comes within 2 s; Opus up, PCMU down, metered\n",
		p.calls, p.during, p.shortest, p.shortest+p.longer)
	t := &tally{}
	if err := b.churn(ctx, p, t, client, log); err != nil {
		return err
	}
	return errors.Join(b.emptied(ctx, client, log), t.verdict(p, log))
}

// churn has the lines call until the time is over.
func (b *bench) churn(ctx context.Context, p soakPlan, t *tally, client *http.Client, log io.Writer) error {
	floor, err := talk.New(ctx, talk.Config{URL: b.service.url(), Target: b.service.target(meteredQueue), Password: secret,
		Users: b.service.users[meteredQueue][:p.calls], Codecs: []media.Codec{media.Opus, media.PCMU}, Readings: true, AtOnce: 2})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- floor.Run(running) }()
	err = func() error {
		signed, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("not within three minutes"))
		defer cancel()
		if err := floor.AgentsReady(signed, p.calls); err != nil {
			return err
		}
		over, end := context.WithCancel(ctx)
		plan := talk.Plan{Lines: p.calls, For: p.during, Shortest: p.shortest, Longer: p.longer}
		var churning sync.WaitGroup
		churning.Go(func() {
			defer end()
			floor.Churn(running, plan, func() {}, t.report)
		})
		err := t.watch(over, b.service, client, p, log)
		if err != nil {
			stop()
		}
		churning.Wait()
		return err
	}()
	stop()
	return errors.Join(err, <-ended)
}

// report takes in what came of a call.
func (t *tally) report(o talk.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done++
	if o.Err != nil {
		t.lost++
		t.problem(fmt.Sprintf("line %d, begun at %s: %v", o.Line, o.Began.Format(time.TimeOnly), o.Err))
		return
	}
	r := o.Result
	t.sent += r.Up.Sent + r.Down.Sent
	t.missed += r.Up.Lost + r.Down.Lost
	t.worst = max(t.worst, r.Up.Delays.Quantile(1), r.Down.Delays.Quantile(1))
	if text := r.Describe(); text != "" {
		t.torn++
		t.problem(fmt.Sprintf("line %d, begun at %s: %s", o.Line, o.Began.Format(time.TimeOnly), text))
	}
}

func (t *tally) count(do func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	do()
}

// problem needs t.mu. The first ones are enough.
func (t *tally) problem(text string) {
	if len(t.problems) < 20 {
		t.problems = append(t.problems, text)
	}
}

// names of the figures that are watched.
var watched = []string{"go_goroutines", "process_resident_memory_bytes", "go_memstats_heap_inuse_bytes", "headroom_calls"}

// watch writes the log until ctx ends.
func (t *tally) watch(ctx context.Context, s *service, client *http.Client, p soakPlan, log io.Writer) error {
	began := time.Now()
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		v, err := s.figures(ctx, client, watched...)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		t.count(func() {
			if at := time.Since(began); at < p.during { // afterwards fewer and fewer talk
				t.goroutines, t.bytes = append(t.goroutines, v[0]), append(t.bytes, v[1])
			}
			fmt.Fprintf(log, "%6.0f s: %3d calls talk, %5d done, %d lost, %d damaged; %.0f goroutines, %.1f MB resident, %.1f MB of heap; %d of %d packets lost, worst delay %.0f ms\n",
				time.Since(began).Seconds(), int(v[3]), t.done, t.lost, t.torn, v[0], v[1]/1e6, v[2]/1e6, t.missed, t.sent, ms(t.worst))
		})
	}
}

// emptied waits until nothing of any call is left in the service.
func (b *bench) emptied(ctx context.Context, client *http.Client, log io.Writer) error {
	names := []string{"headroom_calls", "headroom_sip_dialogs", `headroom_agents{state="on-call"}`, "go_goroutines"}
	for until := time.Now().Add(emptyIn); ; {
		v, err := b.service.figures(ctx, client, names...)
		if err != nil {
			return err
		}
		if v[0]+v[1]+v[2] == 0 {
			fmt.Fprintf(log, "afterwards: no call, no dialog, nobody on a call; %.0f goroutines\n", v[3])
			return nil
		}
		if time.Now().After(until) {
			return fmt.Errorf("stuck: %.0f calls, %.0f dialogs and %.0f agents on a call, %v after the last was hung up", v[0], v[1], v[2], emptyIn)
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			return err
		}
	}
}

// verdict holds what was seen against what must be.
func (t *tally) verdict(p soakPlan, log io.Writer) error {
	var problems []error
	fail := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	for _, text := range t.problems {
		fmt.Fprintln(log, "problem:", text)
	}
	if t.done == 0 {
		return errors.New("not one call was made")
	}
	if t.lost > 0 {
		fail("%d of %d calls were lost", t.lost, t.done)
	}
	if float64(t.torn) > max(1, p.damaged*float64(t.done)) {
		fail("%d of %d calls were damaged", t.torn, t.done)
	}
	if share := float64(t.missed) / float64(max(t.sent, 1)); share > p.lostPackets {
		fail("%.3f %% of the packets were lost", 100*share)
	}
	for _, g := range []struct {
		what   string
		values []float64
		room   float64
	}{{"goroutines", t.goroutines, settleCount}, {"bytes resident", t.bytes, settleBytes}} {
		first, last := ends(g.values)
		if p.during >= unsettled {
			g.room = 0
		}
		fmt.Fprintf(log, "%s: %.0f in the first part, %.0f in the last: %+.1f %%\n", g.what, first, last, 100*(last/first-1))
		if last > first*(1+flat)+g.room {
			fail("%s grew from %.0f to %.0f", g.what, first, last)
		}
	}
	fmt.Fprintf(log, "%d calls, %d lost, %d damaged; %d of %d packets lost\n", t.done, t.lost, t.torn, t.missed, t.sent)
	return errors.Join(problems...)
}

// ends gives the medians of the second and of the last eighth of a run: the first is setting out.
func ends(values []float64) (first, last float64) {
	n := len(values) / 8
	if n == 0 {
		if len(values) == 0 {
			return 0, 0
		}
		return values[0], values[len(values)-1]
	}
	return median(values[n : 2*n]), median(values[len(values)-n:])
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}
