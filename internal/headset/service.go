package headset

import (
	"context"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// Judge says what the history of one headset amounts to. The history is newest first.
func Judge(history []model.ReportRecord, rules model.HeadsetRules, now time.Time) model.Verdict {
	return model.Verdict{At: now, State: model.VerdictUnknown, Findings: []model.VerdictFinding{}}
}

// Store is what a Service needs of the store.
type Store interface {
	AddReport(ctx context.Context, rec model.ReportRecord) error
	Reports(ctx context.Context, id model.HeadsetID, limit int) ([]model.ReportRecord, error) // newest first
	SaveVerdict(ctx context.Context, v model.Verdict) error
	Verdict(ctx context.Context, id model.HeadsetID) (model.Verdict, error)
}

// Listener is told of every new verdict and the agent who wore the headset in the
// report that led to it. It must not block.
type Listener func(v model.Verdict, agent model.AgentID)

// Service makes reports durable and keeps the verdicts. It is safe for concurrent use.
type Service struct{}

// NewService returns a service over a store. now is the clock, time.Now outside tests.
func NewService(store Store, rules model.HeadsetRules, now func() time.Time) *Service {
	return &Service{}
}

// OnVerdict adds a listener.
func (s *Service) OnVerdict(l Listener) {}

// SetRules changes the rules for the verdicts to come.
func (s *Service) SetRules(rules model.HeadsetRules) {}

// Reported stores a report, judges the headset it came from, stores the verdict and
// tells the listeners.
func (s *Service) Reported(ctx context.Context, rec model.ReportRecord) (model.Verdict, error) {
	return model.Verdict{}, nil
}

// Verdict is the newest stored verdict, or an unknown one for a headset never judged.
func (s *Service) Verdict(ctx context.Context, id model.HeadsetID) (model.Verdict, error) {
	return model.Verdict{}, nil
}
