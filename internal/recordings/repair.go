package recordings

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media/record"
	"github.com/headroom-voice/headroom/media/record/seal"
)

// Repair finishes what a died service left: recordings whose end nobody wrote, deletions that
// were interrupted, and files that the store knows nothing of. It is called before Run, and by
// Sweep for what is left of it.
func (s *Service) Repair(ctx context.Context) (repaired int, err error) {
	before, err := s.store.UnfinishedRecordings(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.finish(ctx); err != nil {
		s.log.Error("recordings of the last run could not all be repaired; it is tried again", "err", err)
	}
	found, err := s.adopt(ctx)
	return len(before) + found, err
}

// finish ends what nobody else will.
func (s *Service) finish(ctx context.Context) error {
	open, err := s.store.UnfinishedRecordings(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, r := range open {
		switch {
		case r.State == model.RecordingDeleting:
			failed = errors.Join(failed, s.delete(ctx, r, r.DeletedBy, "a deletion that was interrupted"))
		case !s.isLive(r.ID):
			failed = errors.Join(failed, s.recover(ctx, r))
		}
	}
	return failed
}

// recover cuts off what is torn of a recording and writes down what is left.
func (s *Service) recover(ctx context.Context, r model.Recording) error {
	path, err := s.path(r)
	if err != nil {
		return err
	}
	state, err := seal.Repair(path, s.keys)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, seal.ErrNotSealed):
		r.State = model.RecordingFailed // nothing was written yet
		ended := r.StartedAt
		r.EndedAt = &ended
	case err != nil:
		return err
	default:
		length, err := s.length(path)
		if err != nil {
			return err
		}
		ended := r.StartedAt.Add(length)
		r.State, r.EndedAt, r.Length = model.RecordingRecovered, &ended, length
		r.Size, r.Hash, r.Key = state.Size, state.Hash, string(state.KeyID)
		if state.Ended {
			r.State = model.RecordingComplete
		}
	}
	s.log.Warn("recording of a call that died was repaired", "recording", r.ID, "call_id", r.Call, "length", r.Length, "state", r.State)
	return s.store.RecordingEnded(ctx, r)
}

func (s *Service) length(path string) (time.Duration, error) {
	p, err := record.Open(path, s.keys)
	if errors.Is(err, seal.ErrDamaged) {
		return 0, nil // cut off before it began
	}
	if err != nil {
		return 0, err
	}
	defer func() { _ = p.Close() }() // it was only read
	return p.Duration(), nil
}

// adopt enters files into the store that it does not know, because the service died before that
// was told. A file of an unknown call stays where it is.
func (s *Service) adopt(ctx context.Context) (adopted int, err error) {
	files, err := filepath.Glob(filepath.Join(s.cfg.Folder, "*", "*.hrec"))
	if err != nil {
		return 0, err
	}
	for _, path := range files {
		id := model.RecordingID(strings.TrimSuffix(filepath.Base(path), ".hrec"))
		if _, err := s.store.Recording(ctx, id); err == nil || s.isLive(id) {
			continue
		} else if !errors.Is(err, store.ErrNotFound) {
			return adopted, err
		}
		if err := s.adoptFile(ctx, path); err != nil {
			s.log.Warn("a file in the folder of the recordings is left alone", "file", path, "err", err)
			continue
		}
		adopted++
	}
	return adopted, nil
}

func (s *Service) adoptFile(ctx context.Context, path string) error {
	if _, err := seal.Repair(path, s.keys); errors.Is(err, seal.ErrNotSealed) {
		if info, failed := os.Stat(path); failed == nil && info.Size() < 1024 {
			return os.Remove(path) // it ends within its head: nothing was written yet
		}
		return err
	} else if err != nil {
		return err
	}
	p, err := record.Open(path, s.keys)
	if err != nil {
		return err
	}
	info := p.Info()
	_ = p.Close() // it was only read
	file, err := filepath.Rel(s.cfg.Folder, path)
	if err != nil {
		return err
	}
	r := model.Recording{
		ID: model.RecordingID(info.ID), Call: model.CallID(info.Call), Queue: model.QueueID(info.Queue), Agent: model.AgentID(info.Agent),
		StartedAt: info.Started, Format: string(info.Format), Rate: info.Rate, File: filepath.ToSlash(file), State: model.RecordingLive,
	}
	expire(&r, info.Started, info.Keep)
	return s.recover(ctx, r)
}
