//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/internal/load/talk"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/record"
	"github.com/headroom-voice/headroom/media/record/seal"
	"github.com/headroom-voice/headroom/media/wavfile"
)

// killPlan is a service that is killed again and again while it records.
type killPlan struct {
	kills, calls     int
	shortest, longer time.Duration // they talk from shortest to shortest + longer before the next kill
}

// manyKills is what make kills runs.
func manyKills(n int) killPlan {
	return killPlan{kills: n, calls: 20, shortest: 4 * time.Second, longer: 4 * time.Second}
}

const (
	mayMiss    = time.Second      // of a recording's end
	backIn     = 2 * time.Minute  // after a kill most of the calls are there again
	mostTalk   = 3.0 / 4          // of the calls that are wanted
	unheardPCM = 64.0 / (1 << 15) // of full scale, -54 dBov: samples below are not heard
)

// killTally is what has come of the kills so far.
type killTally struct {
	log                      io.Writer
	folder                   string // of the recordings
	keys                     *seal.Keyring
	known                    map[model.RecordingID]bool // has been judged, or had ended in order
	missing                  []time.Duration            // of the recordings that went on
	kills, late, broken, not int                        // ... over mayMiss, unreadable, and calls without a recording
	young                    int                        // had no sample yet
}

// kills runs the plan and says what did not hold.
func (b *bench) kills(ctx context.Context, p killPlan, logFile string) (err error) {
	if err := os.MkdirAll(filepath.Dir(logFile), 0o755); err != nil {
		return err
	}
	file, err := os.Create(logFile)
	if err != nil {
		return err
	}
	defer file.Close()
	t := &killTally{log: io.MultiWriter(file, os.Stdout), folder: filepath.Join(b.dir, "data", "recordings"), known: make(map[model.RecordingID]bool)}
	if err := b.service.start(ctx, b.program, b.dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.service.stop()) }()
	if t.keys, err = seal.LoadKeys(filepath.Join(b.dir, "data", "recordings.key")); err != nil {
		return err
	}
	fmt.Fprintf(t.log, "%d kills; %d lines, all recorded, talk for %v to %v before each; Opus up, PCMU down, metered\n", p.kills, p.calls, p.shortest, p.shortest+p.longer)
	err = b.killing(ctx, p, t)
	return errors.Join(err, t.verdict(), b.verify(ctx, t.log))
}

// killing has the lines call and kills the service until that has been done often enough.
func (b *bench) killing(ctx context.Context, p killPlan, t *killTally) error {
	floor, err := talk.New(ctx, talk.Config{URL: b.service.url(), Target: b.service.target(recordedQueue), Password: secret,
		Users: b.service.users[recordedQueue][:p.calls], Codecs: []media.Codec{media.Opus, media.PCMU}, Readings: true, AtOnce: 2})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- floor.Run(running) }()
	var churning sync.WaitGroup
	err = func() error {
		signed, cancel := context.WithTimeoutCause(ctx, 3*time.Minute, errors.New("not within three minutes"))
		defer cancel()
		if err := floor.AgentsReady(signed, p.calls); err != nil {
			return err
		}
		// Some calls end in order before the kill comes, and most do not.
		plan := talk.Plan{Lines: p.calls, Shortest: 3 * time.Second, Longer: 27 * time.Second, Pause: time.Second}
		churning.Go(func() { floor.Churn(running, plan, func() {}, func(talk.Outcome) {}) })
		for range p.kills {
			if err := b.kill(ctx, floor, p, t); err != nil {
				return fmt.Errorf("kill %d: %w", t.kills+1, err)
			}
		}
		return talkAgain(ctx, floor, p)
	}()
	stop()
	churning.Wait()
	return errors.Join(err, <-ended)
}

// talkAgain waits until most of the calls go on, which without anybody's doing they do after a kill.
func talkAgain(ctx context.Context, floor *talk.Floor, p killPlan) error {
	ctx, cancel := context.WithTimeoutCause(ctx, backIn, fmt.Errorf("not within %v", backIn))
	defer cancel()
	return floor.Talking(ctx, int(mostTalk*float64(p.calls)))
}

// kill is one: what it did to the recordings that went on goes into the tally.
func (b *bench) kill(ctx context.Context, floor *talk.Floor, p killPlan, t *killTally) error {
	if err := talkAgain(ctx, floor, p); err != nil {
		return err
	}
	if err := sleep(ctx, p.shortest+rand.N(p.longer)); err != nil {
		return err
	}
	pairs := floor.Pairs()
	at := time.Now()
	if err := b.service.cmd.Process.Kill(); err != nil {
		return err
	}
	_ = b.service.cmd.Wait() // its error is that it was killed
	files, err := filepath.Glob(filepath.Join(t.folder, "*", "*.hrec"))
	if err != nil {
		return err
	}
	if err := b.service.start(ctx, b.program, b.dir); err != nil {
		return err
	}
	all, err := b.recordings(ctx)
	if err != nil {
		return err
	}
	t.judge(at, pairs, files, all)
	return nil
}

// recordings are those that the service has entered.
func (b *bench) recordings(ctx context.Context) (all []model.Recording, err error) {
	out, err := b.tool(ctx, "list", "--json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("recordings list: %w", err)
	}
	return all, nil
}

// verify has the program look at every recording.
func (b *bench) verify(ctx context.Context, log io.Writer) error {
	out, err := b.tool(ctx, "verify")
	fmt.Fprintf(log, "headroom recordings verify: %s\n", strings.TrimSpace(string(out)))
	return err
}

// tool runs `headroom recordings`.
func (b *bench) tool(ctx context.Context, args ...string) ([]byte, error) {
	args = append([]string{"recordings"}, args...)
	cmd := exec.CommandContext(ctx, b.program, append(args, "--config", filepath.Join(b.dir, "headroom.yaml"))...)
	var trouble strings.Builder
	cmd.Stderr = &trouble
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("headroom %s: %w: %s", strings.Join(args, " "), err, trouble.String())
	}
	return out, err
}

// judge looks at what a kill at a time has left, when the service has been started again: pairs
// talked then and files lay there, and all is what the service says it has.
func (t *killTally) judge(at time.Time, pairs []*talk.Pair, files []string, all []model.Recording) {
	t.kills++
	fail := func(count *int, format string, args ...any) {
		*count++
		fmt.Fprintf(t.log, "kill %3d: %s\n", t.kills, fmt.Sprintf(format, args...))
	}
	entered, calls := make(map[string]bool), make(map[string]bool)
	var worst, hushed time.Duration
	going, orderly := 0, 0
	for _, r := range all {
		entered[string(r.ID)], calls[string(r.Call)] = true, true
		if t.known[r.ID] || r.StartedAt.After(at) {
			continue
		}
		t.known[r.ID] = true
		if r.State == model.RecordingComplete {
			orderly++
			continue
		}
		going++
		missing := at.Sub(r.StartedAt.Add(r.Length))
		t.missing = append(t.missing, missing)
		worst = max(worst, missing)
		if missing > mayMiss {
			fail(&t.late, "%s (%s) plays for %v and ends %v before the kill", r.ID, r.State, r.Length, missing)
		}
		if r.Length == 0 {
			t.young++
		}
		sounds, err := t.read(r)
		if err != nil {
			fail(&t.broken, "%s (%s): %v", r.ID, r.State, err)
			continue
		}
		hushed = max(hushed, r.Length-sounds)
	}
	for _, p := range pairs {
		if talked := at.Sub(p.Since); talked > mayMiss && !calls[p.Call] {
			fail(&t.not, "of call %s, which had talked for %v, there is no recording", p.Call, talked)
		}
	}
	for _, f := range files {
		if _, err := os.Stat(f); err == nil && !entered[strings.TrimSuffix(filepath.Base(f), ".hrec")] {
			fail(&t.not, "%s lies there and is not entered", f)
		}
	}
	fmt.Fprintf(t.log, "kill %3d: %d calls talked, %d recordings went on, %d had ended since the last; worst missing tail %.0f ms, longest silence before it %.0f ms\n",
		t.kills, len(pairs), going, orderly, ms(worst), ms(hushed))
}

// read reads a recording to its end, as a WAV file, and says when something was last heard in it.
func (t *killTally) read(r model.Recording) (sounds time.Duration, err error) {
	if r.State != model.RecordingRecovered {
		if r.State == model.RecordingFailed && r.Hash == "" {
			return 0, nil // killed before anything was written: its length is none
		}
		return 0, errors.New("the restart has not repaired it")
	}
	path := filepath.Join(t.folder, filepath.FromSlash(r.File))
	sum, err := seal.Hash(path)
	if err != nil {
		return 0, err
	}
	if sum != r.Hash {
		return 0, fmt.Errorf("its SHA-256 is %s, and %s was written down", sum, r.Hash)
	}
	p, err := record.Open(path, t.keys)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	if err := p.Verify(); err != nil || r.Length == 0 {
		return 0, err // a WAV file without a sample is nothing to read
	}
	in, err := wavfile.NewReader(p)
	if err != nil {
		return 0, err
	}
	samples, last := 0, 0
	for pcm := make([]float32, 8192); ; {
		n, err := in.Read(pcm)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		for i, x := range pcm[:n] {
			if x > unheardPCM || x < -unheardPCM {
				last = samples + i + 1
			}
		}
		samples += n
	}
	at := func(samples int) time.Duration {
		return time.Duration(samples/in.Channels) * time.Second / time.Duration(in.Rate)
	}
	if length := at(samples).Truncate(time.Microsecond); in.Missing() > 0 || length != r.Length.Truncate(time.Microsecond) {
		return 0, fmt.Errorf("it plays for %v, and %v was written down", length, r.Length)
	}
	return at(last), nil
}

// verdict sums up.
func (t *killTally) verdict() error {
	if len(t.missing) == 0 {
		return errors.New("no recording went on when the service was killed")
	}
	slices.Sort(t.missing)
	fmt.Fprintf(t.log, "%d kills, %d recordings that went on: %d had only begun; missing at the end %.0f ms in the middle, %.0f ms at worst; %d miss more than %v, %d cannot be read, %d calls or files without an entry\n",
		t.kills, len(t.missing), t.young, ms(t.missing[len(t.missing)/2]), ms(t.missing[len(t.missing)-1]), t.late, mayMiss, t.broken, t.not)
	if t.late+t.broken+t.not > 0 {
		return fmt.Errorf("of %d recordings %d miss more than %v, %d cannot be read; %d calls or files have no entry", len(t.missing), t.late, mayMiss, t.broken, t.not)
	}
	return nil
}
