package headset

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

// Store is what a Service needs of the store. Verdict gives store.ErrNotFound for a
// headset that was never judged.
type Store interface {
	AddReport(ctx context.Context, rec model.ReportRecord) error                              // durable when it returns nil
	Reports(ctx context.Context, id model.HeadsetID, limit int) ([]model.ReportRecord, error) // newest first
	SaveVerdict(ctx context.Context, v model.Verdict) error
	Verdict(ctx context.Context, id model.HeadsetID) (model.Verdict, error)
}

// Listener is told of every new verdict and of the agent who wore the headset in the
// report that led to it. For one headset it is told in the order of the verdicts. It must
// not block and must not call the Service.
type Listener func(v model.Verdict, agent model.AgentID)

// reportsRead is how far back a verdict looks, in reports: far beyond any window, since
// many calls are too short to count.
const reportsRead = 400

// Service makes reports durable and keeps the verdicts. It is safe for concurrent use.
type Service struct {
	store Store
	now   func() time.Time
	seed  maphash.Seed
	// judging one headset is one at a time, so that a verdict always knows of at least the
	// reports that the one before it knew of. Headsets share locks by chance.
	judging [64]sync.Mutex

	mu        sync.Mutex // guards what follows
	rules     model.HeadsetRules
	listeners []Listener
}

// NewService returns a service over a store. now is the clock: time.Now outside tests.
func NewService(store Store, rules model.HeadsetRules, now func() time.Time) *Service {
	return &Service{store: store, now: now, seed: maphash.MakeSeed(), rules: rules}
}

// OnVerdict adds a listener.
func (s *Service) OnVerdict(l Listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.listeners = append(s.listeners, l)
}

// SetRules changes the rules for the verdicts to come.
func (s *Service) SetRules(rules model.HeadsetRules) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = rules
}

// Reported makes a report durable, judges its headset, stores the verdict and tells the
// listeners. After an error the report may be durable all the same; reporting it again
// does no harm. A report without a headset's identity is stored and nobody is judged.
func (s *Service) Reported(ctx context.Context, rec model.ReportRecord) (model.Verdict, error) {
	if err := s.store.AddReport(ctx, rec); err != nil {
		return model.Verdict{}, fmt.Errorf("headset: report: %w", err)
	}
	if rec.Headset == "" {
		return unheard("", s.now()), nil
	}
	lock := &s.judging[maphash.String(s.seed, string(rec.Headset))%uint64(len(s.judging))]
	lock.Lock()
	defer lock.Unlock()
	history, err := s.store.Reports(ctx, rec.Headset, reportsRead)
	if err != nil {
		return model.Verdict{}, fmt.Errorf("headset: history of %s: %w", rec.Headset, err)
	}
	s.mu.Lock()
	rules, listeners := s.rules, s.listeners[:len(s.listeners):len(s.listeners)]
	s.mu.Unlock()
	v := Judge(history, rules, s.now())
	v.Headset = rec.Headset
	if err := s.store.SaveVerdict(ctx, v); err != nil {
		return model.Verdict{}, fmt.Errorf("headset: verdict on %s: %w", rec.Headset, err)
	}
	for _, tell := range listeners {
		tell(v, rec.Agent)
	}
	return v, nil
}

// Verdict is the newest stored verdict, or VerdictUnknown for a headset never judged.
func (s *Service) Verdict(ctx context.Context, id model.HeadsetID) (model.Verdict, error) {
	if id == "" {
		return unheard("", s.now()), nil
	}
	v, err := s.store.Verdict(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return unheard(id, s.now()), nil
	}
	if err != nil {
		return model.Verdict{}, fmt.Errorf("headset: verdict on %s: %w", id, err)
	}
	return v, nil
}

// unheard is the verdict on what nothing is known of.
func unheard(id model.HeadsetID, now time.Time) model.Verdict {
	v := Judge(nil, model.HeadsetRules{}, now)
	v.Headset = id
	return v
}
