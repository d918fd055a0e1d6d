package record

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/media/record/seal"
)

const (
	writeEvery  = 250 * time.Millisecond // what a kill costs, with hold
	roomEvery   = 2 * time.Second
	slowAfter   = 2 * time.Second // with one recording: the rings are full then
	defaultEnd  = 5 * time.Second
	defaultCrew = 4
	syncEvery   = time.Second
	maxLive     = 4096 // recordings at once
	suffix      = ".hrec"
)

// ErrNoRoom is why nothing is written while less than Config.MinFree is left.
var ErrNoRoom = errors.New("record: the disk has less room than is kept free")

// Config sets up a Recorder. Folder and Keys are needed.
type Config struct {
	Folder  string
	Keys    *seal.Keyring
	Format  Format        // WAV by default
	Rate    int           // Hz, 8000 or 16000 (default); Opus takes 16000
	Writers int           // files written to at once; 4 by default
	End     time.Duration // what Run gives the last writes; 5 s by default
	MinFree uint64        // bytes of the disk that are left to others
	// Alarm is told when recording suffers, and with "" when it does no more. It must not wait.
	Alarm func(problem string)
	Log   *slog.Logger

	// What tests replace.
	Create func(path string) (seal.File, error)
	Remove func(path string) error
	Free   func(folder string) (uint64, error)
}

// Recorder writes every recording that goes on.
type Recorder struct {
	cfg     Config
	jobs    chan *Recording
	closing chan closing // deep enough that a writer waits only behind a disk that hangs
	awake   chan struct{}

	mu      sync.Mutex
	live    map[*Recording]struct{}
	running bool
	ended   bool // nothing begins any more
	problem string

	written atomic.Uint64
	errors  atomic.Uint64
	shed    atomic.Int64 // of those that are over, ns
	whole   atomic.Uint64
	broken  atomic.Uint64
	noRoom  atomic.Bool
}

// Stats counts what was recorded.
type Stats struct {
	Live, Failing int           // recordings that go on, and those that cannot be written to now
	Whole, Broken uint64        // that have ended
	Bytes, Errors uint64        // written, and writes that failed
	Shed          time.Duration // of what was said and could not be written
}

// New checks the configuration; it starts and opens nothing.
func New(cfg Config) (*Recorder, error) {
	if cfg.Folder == "" || cfg.Keys == nil || cfg.Log == nil {
		return nil, errors.New("record: a folder, keys and a log are needed")
	}
	if cfg.Format == "" {
		cfg.Format = WAV
	}
	if cfg.Rate == 0 {
		cfg.Rate = 16000
	}
	if cfg.Rate != 8000 && cfg.Rate != 16000 {
		return nil, fmt.Errorf("record: %d Hz; recordings are made at 8000 or 16000", cfg.Rate)
	}
	if _, err := newEncoder(cfg.Format, cfg.Rate, ""); err != nil {
		return nil, err
	}
	if cfg.Writers <= 0 {
		cfg.Writers = defaultCrew
	}
	if cfg.End <= 0 {
		cfg.End = defaultEnd
	}
	if cfg.Alarm == nil {
		cfg.Alarm = func(string) {}
	}
	if cfg.Create == nil {
		cfg.Create = func(path string) (seal.File, error) { return seal.Create(path) }
	}
	if cfg.Remove == nil {
		cfg.Remove = os.Remove
	}
	if cfg.Free == nil {
		cfg.Free = freeSpace
	}
	return &Recorder{
		cfg: cfg, jobs: make(chan *Recording, maxLive), closing: make(chan closing, maxLive), awake: make(chan struct{}, 1), live: map[*Recording]struct{}{},
	}, nil
}

// Path is where a recording's file lies: in a folder for each day.
func Path(folder string, id string, started time.Time) string {
	return filepath.Join(folder, started.UTC().Format(time.DateOnly), id+suffix)
}

// ValidID tells what can be the name of a file.
func ValidID(id string) bool {
	return id != "" && len(id) <= 128 && id[0] != '.' &&
		strings.Trim(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == ""
}

// Start begins a recording. Format and Rate are the recorder's, Started is now. done, which may
// be nil, is called once the file is complete, on a writer. The error is for an id that cannot
// name a file, and for a recorder that has ended; that of the disk comes later.
func (r *Recorder) Start(info Info, done func(Result)) (*Recording, error) {
	if !ValidID(info.ID) {
		return nil, fmt.Errorf("record: %q cannot be the name of a recording", info.ID)
	}
	now := time.Now()
	info.Started, info.Format, info.Rate = now.UTC().Truncate(time.Microsecond), r.cfg.Format, r.cfg.Rate
	enc, err := newEncoder(info.Format, info.Rate, info.ID)
	if err != nil {
		return nil, err
	}
	one := &Recording{
		rec: r, info: info, path: Path(r.cfg.Folder, info.ID, info.Started), began: now, enc: enc,
		left: newTrack(info.Rate), right: newTrack(info.Rate), done: done,
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.ended:
		return nil, errors.New("record: the recorder has ended")
	case len(r.live) >= maxLive:
		return nil, fmt.Errorf("record: %d calls are recorded already", maxLive)
	}
	r.live[one] = struct{}{}
	return one, nil
}

// Run writes until ctx ends; then it stops what still goes on and returns when that is written,
// or could not be within Config.End. A disk that hangs is not waited for.
func (r *Recorder) Run(ctx context.Context) error {
	r.mu.Lock()
	if r.running {
		r.mu.Unlock()
		return errors.New("record: Run called twice")
	}
	r.running = true
	r.mu.Unlock()
	quit := make(chan struct{})
	var crew sync.WaitGroup
	for range r.cfg.Writers {
		crew.Go(func() { r.work(quit) })
	}
	crew.Go(func() { r.close(quit) })
	crew.Go(func() { r.sync(quit) })
	crew.Go(func() { r.watchRoom(quit) })
	r.keepTime(ctx)
	r.mu.Lock()
	r.ended = true
	for one := range r.live {
		one.Stop()
	}
	r.mu.Unlock()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.cfg.End)
	defer cancel()
	r.drain(last)
	close(quit)
	left := r.Stats().Live
	if left > 0 {
		return fmt.Errorf("record: %d recordings could not be written to their end; the next start repairs them", left)
	}
	crew.Wait()
	return nil
}

// keepTime hands recordings to the writers when they are due.
func (r *Recorder) keepTime(ctx context.Context) {
	tick := time.NewTicker(writeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			r.dispatch(false)
			r.judge()
		case <-r.awake:
			r.dispatch(true)
		}
	}
}

// drain has the writers end what was stopped.
func (r *Recorder) drain(ctx context.Context) {
	tick := time.NewTicker(writeEvery / 5)
	defer tick.Stop()
	for r.Stats().Live > 0 {
		r.dispatch(true)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// nudge says that a recording was stopped.
func (r *Recorder) nudge() {
	select {
	case r.awake <- struct{}{}:
	default:
	}
}

func (r *Recorder) dispatch(stopped bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for one := range r.live {
		if stopped && one.stopped.Load() == 0 || !one.busy.CompareAndSwap(false, true) {
			continue
		}
		one.since.Store(time.Now().UnixNano())
		select {
		case r.jobs <- one:
		default: // the next tick
			one.busy.Store(false)
		}
	}
}

func (r *Recorder) work(quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case one := <-r.jobs:
			one.flush(time.Now())
			one.busy.Store(false)
		}
	}
}

// close closes files, away from the writers: each waits for the disk.
func (r *Recorder) close(quit <-chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case c := <-r.closing:
			c.finish()
		}
	}
}

// sync makes what was written durable, about each second and beside the writers: a kill costs
// nothing that was written, and only a power cut what was not synced.
func (r *Recorder) sync(quit <-chan struct{}) {
	tick := time.NewTicker(syncEvery)
	defer tick.Stop()
	var batch []*Recording
	for {
		select {
		case <-quit:
			return
		case <-tick.C:
		}
		batch = r.dirty(batch[:0])
		for _, one := range batch {
			file := one.open.Load()
			if file == nil || !one.dirty.CompareAndSwap(true, false) {
				continue
			}
			if err := file.Sync(); err != nil && !errors.Is(err, os.ErrClosed) {
				one.dirty.Store(true)
				r.wrote(one, fmt.Errorf("sync: %w", err))
			}
		}
		clear(batch)
	}
}

func (r *Recorder) dirty(batch []*Recording) []*Recording {
	r.mu.Lock()
	defer r.mu.Unlock()
	for one := range r.live {
		if one.dirty.Load() {
			batch = append(batch, one)
		}
	}
	return batch
}

// watchRoom looks after the disk by itself, since asking a dead one takes for ever.
func (r *Recorder) watchRoom(quit <-chan struct{}) {
	if r.cfg.MinFree == 0 {
		return
	}
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for {
		if free, err := r.cfg.Free(r.cfg.Folder); err == nil {
			r.noRoom.Store(free < r.cfg.MinFree)
		}
		select {
		case <-quit:
			return
		case <-tick.C:
		}
	}
}

// wrote takes what came of a write.
func (r *Recorder) wrote(one *Recording, err error) {
	if err == nil {
		if one.failing.CompareAndSwap(true, false) {
			r.cfg.Log.Info("recording is written again", "recording", one.info.ID, "call_id", one.info.Call)
		}
		return
	}
	r.errors.Add(1)
	if one.failing.CompareAndSwap(false, true) {
		r.cfg.Log.Error("recording cannot be written; the call goes on, and what is said meanwhile is not kept",
			"recording", one.info.ID, "call_id", one.info.Call, "err", err)
	}
}

// settle takes a recording out.
func (r *Recorder) settle(one *Recording, res Result) {
	r.mu.Lock()
	delete(r.live, one)
	r.mu.Unlock()
	r.shed.Add(int64(res.Shed))
	if res.Err != nil {
		r.broken.Add(1)
		r.cfg.Log.Error("recording ended incomplete", "recording", res.ID, "call_id", res.Call, "err", res.Err)
	} else {
		r.whole.Add(1)
	}
	if one.done != nil {
		one.done(res)
	}
}

// Stats gives the counters; cheap enough for every scrape.
func (r *Recorder) Stats() Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := Stats{
		Live: len(r.live), Whole: r.whole.Load(), Broken: r.broken.Load(),
		Bytes: r.written.Load(), Errors: r.errors.Load(), Shed: time.Duration(r.shed.Load()),
	}
	for one := range r.live {
		if one.failing.Load() || one.stuck() {
			s.Failing++
		}
		s.Shed += one.shed()
	}
	return s
}

// stuck says that a writer has been at it for too long, or that none comes to it.
func (r *Recording) stuck() bool {
	return r.busy.Load() && time.Since(time.Unix(0, r.since.Load())) > slowAfter
}

// judge raises and lifts the alarm.
func (r *Recorder) judge() {
	s, problem := r.Stats(), ""
	switch {
	case s.Failing > 0:
		problem = fmt.Sprintf("%d of %d recordings cannot be written: the disk is full, slow or gone", s.Failing, s.Live)
	case r.noRoom.Load():
		problem = "the disk of the recordings is nearly full; nothing is recorded"
	}
	r.mu.Lock()
	before := r.problem
	r.problem = problem
	r.mu.Unlock()
	switch {
	case before == "" && problem != "":
		r.cfg.Log.Error("recording suffers", "problem", problem)
		r.cfg.Alarm(problem)
	case before != "" && problem == "":
		r.cfg.Log.Info("recording is well again")
		r.cfg.Alarm("")
	}
}

// Problem says why recording suffers now; empty where it does not.
func (r *Recorder) Problem() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.problem
}
