package recordings

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/record"
	"github.com/headroom-voice/headroom/media/record/seal"
)

// sweepEvery is how often it is looked for what has expired or was left unfinished.
const sweepEvery = time.Minute

// Record is what is written of recordings (internal/store).
type Record interface {
	RecordingStarted(ctx context.Context, r model.Recording) error
	RecordingEnded(ctx context.Context, r model.Recording) error
	Recording(ctx context.Context, id model.RecordingID) (model.Recording, error)
	CallRecordings(ctx context.Context, call model.CallID) ([]model.Recording, error)
	AddEvent(ctx context.Context, e model.CallEvent) error
	Keeping
}

// Keeping is what is written of their time.
type Keeping interface {
	RecordingsAfter(ctx context.Context, id model.RecordingID) ([]model.Recording, error)
	UnfinishedRecordings(ctx context.Context) ([]model.Recording, error)
	ExpiredRecordings(ctx context.Context, by time.Time) ([]model.Recording, error)
	HoldRecording(ctx context.Context, id model.RecordingID, hold *model.RecordingHold) error
	DeletingRecording(ctx context.Context, id model.RecordingID, by string) error
	RecordingDeleted(ctx context.Context, id model.RecordingID, at time.Time) error
	RekeyedRecording(ctx context.Context, id model.RecordingID, key string) error
}

// Config says where recordings are and how they are made.
type Config struct {
	Folder  string
	KeyFile string
	Keys    *seal.Keyring // nil: those of KeyFile, which is made where there is none
	Format  record.Format
	Rate    int    // Hz
	MinFree uint64 // bytes
}

// Service keeps recordings. New makes one, Run does its work.
type Service struct {
	cfg      Config
	store    Record
	keys     *seal.Keyring
	recorder *record.Recorder
	log      *slog.Logger
	now      func() time.Time

	mu    sync.Mutex
	live  map[model.RecordingID]*recording // whose end has not been written to the store
	heard map[hearing]time.Time            // when it was written down
}

// New reads the key, or makes one where there is none, and the folder.
func New(cfg Config, store Record, log *slog.Logger) (*Service, error) {
	keys := cfg.Keys
	if keys == nil {
		var err error
		if keys, err = seal.LoadOrMakeKeys(cfg.KeyFile); err != nil {
			return nil, fmt.Errorf("recordings: %w", err)
		}
	}
	if err := os.MkdirAll(cfg.Folder, 0o700); err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	s := &Service{cfg: cfg, store: store, keys: keys, log: log, now: time.Now, live: map[model.RecordingID]*recording{}, heard: map[hearing]time.Time{}}
	var err error
	s.recorder, err = record.New(record.Config{
		Folder: cfg.Folder, Keys: keys, Format: cfg.Format, Rate: cfg.Rate, MinFree: cfg.MinFree, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("recordings: %w", err)
	}
	return s, nil
}

// Run writes, and looks for what has expired, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.recorder.Run(ctx) })
	g.Go(func() error {
		tick := time.NewTicker(sweepEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
				s.log.Warn("recordings could not all be looked after; it is tried again in a minute", "err", err)
			}
		}
	})
	return g.Wait()
}

// Stats counts what was recorded.
func (s *Service) Stats() record.Stats { return s.recorder.Stats() }

// Problem says why recording suffers now; empty where it does not.
func (s *Service) Problem() string { return s.recorder.Problem() }

// Begin is part of call.Recorder.
func (s *Service) Begin(r model.Recording, keep time.Duration) (call.Recording, model.Recording, error) {
	one := &recording{ended: make(chan model.Recording, 1)}
	info := record.Info{ID: string(r.ID), Call: string(r.Call), Queue: string(r.Queue), Agent: string(r.Agent), Keep: keep}
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if one.Recording, err = s.recorder.Start(info, func(res record.Result) { one.ended <- s.result(r, res, keep) }); err != nil {
		return nil, r, fmt.Errorf("recordings: %w", err)
	}
	s.live[r.ID] = one
	info = one.Info()
	r.StartedAt, r.Format, r.Rate = info.Started, string(info.Format), info.Rate
	r.File, r.Key, r.State = s.relative(r), string(s.keys.Current()), model.RecordingLive
	expire(&r, info.Started, keep) // should nobody come to write its end
	return one, r, nil
}

// recording is one that goes on.
type recording struct {
	*record.Recording
	ended chan model.Recording
}

// Ended is part of call.Recording.
func (r *recording) Ended() <-chan model.Recording { return r.ended }

// relative is where a recording's file lies under the folder.
func (s *Service) relative(r model.Recording) string {
	return filepath.ToSlash(record.Path("", string(r.ID), r.StartedAt))
}

// path is where it lies. What the store says is not believed to stay within the folder.
func (s *Service) path(r model.Recording) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(r.File)) {
		return "", fmt.Errorf("recordings: %s lies at %q, which is not in the folder of the recordings", r.ID, r.File)
	}
	return filepath.Join(s.cfg.Folder, filepath.FromSlash(r.File)), nil
}

// result is what is kept of a recording that ended.
func (s *Service) result(r model.Recording, res record.Result, keep time.Duration) model.Recording {
	ended := res.Ended
	r.StartedAt, r.Format, r.Rate = res.Started, string(res.Format), res.Rate
	r.EndedAt, r.Length = &ended, ended.Sub(res.Started)
	r.File, r.Key, r.Size, r.Hash, r.Lost = s.relative(r), string(res.Key), res.Size, res.Hash, res.Shed
	r.State = model.RecordingComplete
	if res.Err != nil {
		r.State = model.RecordingFailed
		r.Length = 0
		if p, err := record.Open(res.Path, s.keys); err == nil {
			r.Length = p.Duration()
			_ = p.Close()
		}
	}
	expire(&r, ended, keep)
	return r
}

// expire says when a recording is to go.
func expire(r *model.Recording, from time.Time, keep time.Duration) {
	if keep > 0 {
		at := from.Add(keep)
		r.ExpiresAt = &at
	}
}

// Started is part of call.Recorder.
func (s *Service) Started(ctx context.Context, r model.Recording) error {
	return s.store.RecordingStarted(ctx, r)
}

// Ended is part of call.Recorder.
func (s *Service) Ended(ctx context.Context, r model.Recording) error {
	if err := s.store.RecordingEnded(ctx, r); err != nil {
		return err
	}
	s.forget(r.ID)
	return nil
}

func (s *Service) forget(id model.RecordingID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, id)
}

func (s *Service) isLive(id model.RecordingID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[id] != nil
}

// Sweep finishes what was left unfinished and deletes what has expired.
func (s *Service) Sweep(ctx context.Context) error {
	return errors.Join(s.finish(ctx), s.expire(ctx))
}

func (s *Service) expire(ctx context.Context) error {
	due, err := s.store.ExpiredRecordings(ctx, s.now())
	if err != nil {
		return err
	}
	var failed error
	for _, r := range due {
		failed = errors.Join(failed, s.delete(ctx, r, "retention", "its time was over"))
	}
	return failed
}
