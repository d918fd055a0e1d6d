package toll

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/mask"
)

// reserveFor is how long a permit may wait for the store. Somebody waits at a telephone.
const reserveFor = 5 * time.Second

// Ledger keeps what was used, so that a restart gives nobody a new day. internal/store is one.
type Ledger interface {
	// ReserveDial asks decide with the usage and keeps a permit, in one step that no other
	// comes between.
	ReserveDial(ctx context.Context, d model.Dialled, site bool, decide func(model.DialUsage) (longest time.Duration, ok bool)) error
	DialEnded(ctx context.Context, call model.CallID, number string, at time.Time, talk time.Duration) error
	// DialUnused forgets a call that was permitted and not placed.
	DialUnused(ctx context.Context, call model.CallID, number string) error
}

// Service permits calls out, by the rules of the site that is in force.
type Service struct {
	rules  atomic.Pointer[Rules]
	ledger Ledger
	now    func() time.Time
	log    *slog.Logger

	mu    sync.Mutex
	stats Stats
}

// Stats counts what became of requests.
type Stats struct {
	Permits  map[string]uint64 // by class
	Refusals map[string]uint64 // by the code of the refusal
}

// NewService permits by a site's rules.
func NewService(ledger Ledger, site model.Site, now func() time.Time, log *slog.Logger) *Service {
	s := &Service{ledger: ledger, now: now, log: log, stats: Stats{Permits: map[string]uint64{}, Refusals: map[string]uint64{}}}
	s.SiteChanged(site)
	return s
}

// SiteChanged puts other rules into force, for requests from now on.
func (s *Service) SiteChanged(site model.Site) { s.rules.Store(Compile(site)) }

// Emergency says that a number, however it was typed, calls for help.
func (s *Service) Emergency(number string) bool {
	d, _ := s.rules.Load().Sort(number)
	return d.Emergency
}

// Permit decides on a request and, where it may be carried out, counts it as used: a request
// that was permitted is not made again for the same call. The error is, or wraps, a
// *model.DialRefusal. An emergency call waits for nothing and is not counted.
func (s *Service) Permit(ctx context.Context, request model.DialRequest) (model.DialPermit, error) {
	rules, now := s.rules.Load(), s.now()
	// Most refusals are for what nobody has to look up; and so are emergencies.
	permit, why := Decide(rules, request, model.DialUsage{}, now)
	if why != nil {
		return s.refused(rules, request, why, why)
	}
	if !permit.Emergency {
		var err error
		if permit, why, err = s.reserve(ctx, rules, request, permit, now); err != nil {
			why = refuse(CodeUnavailable, "what you may call cannot be looked up now; try again in a moment")
			return s.refused(rules, request, why, errors.Join(why, err))
		}
		if why != nil {
			return s.refused(rules, request, why, why)
		}
	}
	s.count(func(t *Stats) { t.Permits[permit.Class]++ })
	s.log.Info("call out permitted", "call_id", request.Call, "user", request.User, "class", permit.Class, "number", mask.Number(permit.Number), "emergency", permit.Emergency)
	return permit, nil
}

// reserve decides in the ledger's own moment, with the usage as it is then.
func (s *Service) reserve(ctx context.Context, rules *Rules, request model.DialRequest, hoped model.DialPermit, now time.Time) (permit model.DialPermit, why *model.DialRefusal, err error) {
	ctx, cancel := context.WithTimeout(ctx, reserveFor)
	defer cancel()
	type answer struct {
		permit model.DialPermit
		why    *model.DialRefusal
	}
	var last atomic.Pointer[answer] // the ledger may ask when nobody waits for it any more
	err = s.ledger.ReserveDial(ctx, model.Dialled{Call: request.Call, User: request.User, Number: hoped.Number, Class: hoped.Class, At: now}, rules.countsSite(hoped.Class),
		func(usage model.DialUsage) (time.Duration, bool) {
			var a answer
			a.permit, a.why = Decide(rules, request, usage, now)
			last.Store(&a)
			return a.permit.LongestFor, a.why == nil
		})
	if err != nil {
		return permit, nil, err
	}
	a := last.Load()
	if a == nil {
		return permit, nil, errors.New("toll: the ledger asked nothing")
	}
	return a.permit, a.why, nil
}

// refused counts and tells.
func (s *Service) refused(rules *Rules, request model.DialRequest, why *model.DialRefusal, err error) (model.DialPermit, error) {
	s.count(func(t *Stats) { t.Refusals[why.Code]++ })
	d, _ := rules.Sort(request.Number)
	attrs := []any{"call_id", request.Call, "user", request.User, "reason", why.Code, "class", d.Class, "number", mask.Number(d.Number)}
	if why.Code == CodeUnavailable {
		attrs = append(attrs, "error", err)
	}
	s.log.Warn("call out refused", attrs...)
	return model.DialPermit{}, err
}

// Ended says that the call to a number, as it was permitted, is over within a call, and how
// long it lasted after it was answered: 0 if it was not. Until then, or until the call has
// ended in the record, it counts as in progress.
func (s *Service) Ended(ctx context.Context, call model.CallID, number string, talk time.Duration) error {
	return s.ledger.DialEnded(ctx, call, number, s.now(), talk)
}

// Unused gives a permit back of which no call came: it counts as if it had not been asked for.
func (s *Service) Unused(ctx context.Context, call model.CallID, p model.DialPermit) error {
	if p.Emergency { // is counted nowhere
		return nil
	}
	return s.ledger.DialUnused(ctx, call, p.Number)
}

// Stats is a copy of the counters.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Permits: maps.Clone(s.stats.Permits), Refusals: maps.Clone(s.stats.Refusals)}
}

func (s *Service) count(one func(*Stats)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one(&s.stats)
}
