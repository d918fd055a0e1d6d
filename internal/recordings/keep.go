package recordings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/media/record"
	"github.com/headroom-voice/headroom/media/record/seal"
)

// What a recording cannot be asked for.
var (
	ErrGone = errors.New("recordings: it was deleted")
	ErrHeld = store.ErrHeld
	ErrLive = errors.New("recordings: it goes on")
)

// The kinds of events in a call's story that tell who did what with a recording.
const (
	EventHeard   = "recording_heard"
	EventHeld    = "recording_held"
	EventLifted  = "recording_released"
	EventDeleted = "recording_deleted"
)

// Call gives the recordings of a call, deleted ones too.
func (s *Service) Call(ctx context.Context, id model.CallID) ([]model.Recording, error) {
	return s.store.CallRecordings(ctx, id)
}

// heardFor is how long somebody goes on with what they listen to: a player asks for a recording
// piece by piece.
const heardFor = 10 * time.Minute

// Listen opens a recording for somebody, which is written into its call's story first: what
// cannot be written cannot be heard.
func (s *Service) Listen(ctx context.Context, id model.RecordingID, by model.AgentID) (*record.Playback, model.Recording, error) {
	r, err := s.store.Recording(ctx, id)
	if err != nil {
		return nil, r, err
	}
	p, err := s.open(r)
	if err != nil {
		return nil, r, err
	}
	if !s.goesOn(id, by) {
		if err := s.tell(ctx, r, EventHeard, by, nil); err != nil {
			_ = p.Close() // it was only read
			return nil, r, err
		}
		s.noteHeard(id, by)
		s.log.Info("recording is listened to", "recording", r.ID, "call_id", r.Call, "by", by)
	}
	return p, r, nil
}

// hearing is who listens to what.
type hearing struct {
	id model.RecordingID
	by model.AgentID
}

func (s *Service) goesOn(id model.RecordingID, by model.AgentID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.heard[hearing{id, by}]
	return ok && s.now().Sub(at) < heardFor
}

func (s *Service) noteHeard(id model.RecordingID, by model.AgentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	maps.DeleteFunc(s.heard, func(_ hearing, at time.Time) bool { return now.Sub(at) >= heardFor })
	s.heard[hearing{id, by}] = now
}

func (s *Service) open(r model.Recording) (*record.Playback, error) {
	if !r.Playable() {
		return nil, ErrGone
	}
	path, err := s.path(r)
	if err != nil {
		return nil, err
	}
	p, err := record.Open(path, s.keys)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: its file is not there", ErrGone)
	}
	return p, err
}

// tell writes what somebody did with a recording into its call's story.
func (s *Service) tell(ctx context.Context, r model.Recording, kind string, by model.AgentID, detail map[string]string) error {
	all := map[string]string{"recording": string(r.ID)}
	for k, v := range detail {
		all[k] = v
	}
	return s.store.AddEvent(ctx, model.CallEvent{Call: r.Call, At: s.now(), Kind: kind, Agent: by, Detail: all})
}

// Hold keeps a recording beyond its time, for a reason, until it is lifted.
func (s *Service) Hold(ctx context.Context, id model.RecordingID, by model.AgentID, why string) (model.Recording, error) {
	r, err := s.store.Recording(ctx, id)
	if err != nil {
		return r, err
	}
	if r.State == model.RecordingDeleting || r.State == model.RecordingDeleted {
		return r, ErrGone
	}
	hold := &model.RecordingHold{By: by, At: s.now().UTC(), Why: why}
	if err := s.store.HoldRecording(ctx, id, hold); err != nil {
		return r, err
	}
	r.Hold = hold
	return r, s.tell(ctx, r, EventHeld, by, map[string]string{"why": why})
}

// Lift ends a hold.
func (s *Service) Lift(ctx context.Context, id model.RecordingID, by model.AgentID) (model.Recording, error) {
	r, err := s.store.Recording(ctx, id)
	if err != nil || r.Hold == nil {
		return r, err
	}
	if err := s.store.HoldRecording(ctx, id, nil); err != nil {
		return r, err
	}
	r.Hold = nil
	return r, s.tell(ctx, r, EventLifted, by, nil)
}

// Delete removes a recording's file, and its key before that. The error is ErrLive while it goes
// on, and ErrHeld while a hold keeps it.
func (s *Service) Delete(ctx context.Context, id model.RecordingID, by model.AgentID) error {
	r, err := s.store.Recording(ctx, id)
	switch {
	case err != nil:
		return err
	case r.State == model.RecordingDeleted:
		return nil
	case r.State == model.RecordingLive:
		return ErrLive
	}
	return s.delete(ctx, r, string(by), "")
}

// delete is announced in the store before it begins, so that one which is interrupted is finished.
func (s *Service) delete(ctx context.Context, r model.Recording, by, why string) error {
	path, err := s.path(r)
	if err != nil {
		return err
	}
	if err := s.store.DeletingRecording(ctx, r.ID, by); err != nil {
		return err
	}
	if err := seal.Erase(path); err != nil {
		return fmt.Errorf("recordings: delete %s: %w", r.ID, err)
	}
	if err := s.store.RecordingDeleted(ctx, r.ID, s.now()); err != nil {
		return err
	}
	detail := map[string]string{"by": by}
	if why != "" {
		detail["why"] = why
	}
	s.log.Info("recording deleted", "recording", r.ID, "call_id", r.Call, "by", by)
	agent := model.AgentID(by)
	if by == "retention" {
		agent = ""
	}
	return s.tell(ctx, r, EventDeleted, agent, detail)
}

// Finding is what is wrong with a recording.
type Finding struct {
	model.Recording
	Err error
}

// Verify compares every recording's file with the hash that was written down, and opens every
// chunk of it. each is told of all; Err is nil for one that is as it was written.
func (s *Service) Verify(ctx context.Context, each func(Finding)) error {
	return s.all(ctx, func(r model.Recording) error {
		if r.Hash != "" && r.State != model.RecordingDeleted && r.State != model.RecordingDeleting {
			each(Finding{r, s.verify(r)})
		}
		return nil
	})
}

func (s *Service) verify(r model.Recording) error {
	path, err := s.path(r)
	if err != nil {
		return err
	}
	sum, err := seal.Hash(path)
	if err != nil {
		return err
	}
	if sum != r.Hash {
		return fmt.Errorf("%w: its SHA-256 is %s, and %s was written down", seal.ErrDamaged, sum, r.Hash)
	}
	p, err := s.open(r)
	if err != nil {
		return err
	}
	return errors.Join(p.Verify(), p.Close())
}

// Rekey seals every recording for the current key; those that go on are left out.
func (s *Service) Rekey(ctx context.Context) (changed int, err error) {
	var failed error
	err = s.all(ctx, func(r model.Recording) error {
		if r.Hash == "" || !r.Playable() || r.State == model.RecordingLive {
			return nil
		}
		path, err := s.path(r)
		if err != nil {
			return err
		}
		did, err := seal.Rekey(path, s.keys)
		if err != nil {
			failed = errors.Join(failed, err)
			return nil
		}
		if did {
			changed++
		}
		if did || r.Key != string(s.keys.Current()) {
			return s.store.RekeyedRecording(ctx, r.ID, string(s.keys.Current()))
		}
		return nil
	})
	return changed, errors.Join(err, failed)
}

// List tells of every recording.
func (s *Service) List(ctx context.Context, each func(model.Recording)) error {
	return s.all(ctx, func(r model.Recording) error { each(r); return nil })
}

func (s *Service) all(ctx context.Context, each func(model.Recording) error) error {
	var last model.RecordingID
	for {
		page, err := s.store.RecordingsAfter(ctx, last)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			if err := each(r); err != nil {
				return err
			}
			last = r.ID
		}
	}
}

// Export opens a recording without telling anybody, for whoever has the key file at hand.
func (s *Service) Export(ctx context.Context, id model.RecordingID) (*record.Playback, error) {
	r, err := s.store.Recording(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.open(r)
}
