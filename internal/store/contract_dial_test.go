package store

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// dial permits a call out, and gives what was used before it.
func dial(t *testing.T, s *Store, d model.Dialled) (usage model.DialUsage) {
	t.Helper()
	must(t, s.ReserveDial(t.Context(), d, true, func(u model.DialUsage) (time.Duration, bool) {
		usage = u
		return d.Longest, true
	}))
	return usage
}

// usedBy asks without placing a call.
func usedBy(t *testing.T, s *Store, user model.AgentID, class string, at time.Time) (usage model.DialUsage) {
	t.Helper()
	must(t, s.ReserveDial(t.Context(), model.Dialled{User: user, Class: class, At: at}, true, func(u model.DialUsage) (time.Duration, bool) {
		usage = u
		return 0, false
	}))
	return usage
}

func dialsCounted(t *testing.T, b backend) {
	dsn := b.dsn(t)
	s, ctx := openStore(t, dsn), t.Context()
	equal(t, "before anything", dial(t, s, model.Dialled{Call: "c1", User: "zoe", Number: "+441", Class: "mobile", At: noon(), Longest: time.Hour}), model.DialUsage{})
	dial(t, s, model.Dialled{Call: "c2", User: "zoe", Number: "+442", Class: "national", At: *after(time.Minute), Longest: time.Hour})
	dial(t, s, model.Dialled{Call: "c3", User: "anna", Number: "+443", Class: "mobile", At: *after(2 * time.Minute), Longest: 30 * time.Minute})
	for range 2 { // an answer was lost
		must(t, s.DialEnded(ctx, "c1", "+441", *after(3 * time.Minute), 2*time.Minute))
	}
	must(t, s.DialEnded(ctx, "c1", "+441", *after(9 * time.Minute), 9*time.Minute), s.DialEnded(ctx, "nobody's", "+441", noon(), time.Minute),
		s.DialEnded(ctx, "c2", "+449", noon(), time.Minute))

	// What was used survives a restart.
	must(t, s.Close())
	s = openStore(t, dsn)
	want := model.DialUsage{
		User: model.DialUse{Calls: 2, Talk: 2*time.Minute + time.Hour, AtOnce: 1}, ClassUser: model.DialUse{Calls: 1, Talk: 2 * time.Minute},
		Site: model.DialUse{Calls: 3, Talk: 92 * time.Minute, AtOnce: 2}, ClassSite: model.DialUse{Calls: 2, Talk: 32 * time.Minute, AtOnce: 1},
	}
	equal(t, "used", usedBy(t, s, "zoe", "mobile", *after(5 * time.Minute)), want)
	must(t, s.ReserveDial(ctx, model.Dialled{User: "zoe", Class: "mobile", At: *after(5 * time.Minute)}, false, func(u model.DialUsage) (time.Duration, bool) {
		equal(t, "without the others", u, model.DialUsage{User: want.User, ClassUser: want.ClassUser})
		return 0, false
	}))

	// A day goes on for 24 hours, and not to midnight.
	must(t, s.DialEnded(ctx, "c2", "+442", *after(time.Hour), time.Hour), s.DialEnded(ctx, "c3", "+443", *after(time.Hour), time.Minute))
	equal(t, "just before a day has gone", usedBy(t, s, "zoe", "mobile", *after(24*time.Hour - time.Second)).User.Calls, 2)
	equal(t, "a day after the first", usedBy(t, s, "zoe", "mobile", *after(24 * time.Hour)).User, model.DialUse{Calls: 1, Talk: time.Hour})
	dial(t, s, model.Dialled{Call: "c4", User: "zoe", Class: "mobile", At: *after(72 * time.Hour)})
	var rows int
	must(t, s.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM dials").Scan(&rows))
	if rows != 1 {
		t.Errorf("%d rows are kept, wanted the newest alone", rows)
	}
}

// Somebody calls a number, passes the callee on to another, and then to the first again.
func dialsOfOneCall(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	must(t, s.CallStarted(ctx, model.Call{ID: "c1", StartedAt: noon()}))
	used := func() model.DialUse { return usedBy(t, s, "zoe", "mobile", *after(time.Hour)).User }
	for i, number := range []string{"+441", "+442", "+441"} {
		dial(t, s, model.Dialled{Call: "c1", User: "zoe", Number: number, Class: "mobile", At: *after(time.Duration(i) * time.Minute), Longest: time.Hour})
	}
	must(t, s.DialEnded(ctx, "c1", "+442", *after(3 * time.Minute), time.Minute))
	equal(t, "the second is over", used(), model.DialUse{Calls: 3, AtOnce: 2, Talk: 2*time.Hour + time.Minute})
	must(t, s.DialEnded(ctx, "c1", "+441", *after(4 * time.Minute), 4*time.Minute))
	equal(t, "the first is over", used(), model.DialUse{Calls: 3, AtOnce: 1, Talk: time.Hour + 5*time.Minute})
	must(t, s.DialEnded(ctx, "c1", "+441", *after(5 * time.Minute), 0))
	equal(t, "all are over", used(), model.DialUse{Calls: 3, Talk: 5 * time.Minute})
	dial(t, s, model.Dialled{Call: "c1", User: "zoe", Number: "+443", Class: "mobile", At: *after(6 * time.Minute), Longest: time.Hour})
	must(t, s.DialUnused(ctx, "c1", "+443"), s.DialUnused(ctx, "c1", "+443"), s.DialUnused(ctx, "c1", "+441"))
	equal(t, "the last was given back", used(), model.DialUse{Calls: 3, Talk: 5 * time.Minute})
}

func dialsDerived(t *testing.T, b backend) {
	s, ctx := b.open(t), t.Context()
	for _, id := range []model.CallID{"goes-on", "ended", "long"} {
		must(t, s.CallStarted(ctx, model.Call{ID: id, StartedAt: noon()}))
		dial(t, s, model.Dialled{Call: id, User: "zoe", Class: "mobile", At: *after(10 * time.Second), Longest: time.Hour})
	}
	must(t, s.CallEnded(ctx, "ended", *after(70 * time.Second), model.CauseAgentHungUp), s.CallEnded(ctx, "long", *after(3 * time.Hour), model.CauseAgentHungUp))
	dial(t, s, model.Dialled{Call: "never-placed", User: "zoe", Class: "mobile", At: *after(20 * time.Second), Longest: time.Hour})
	equal(t, "while it may yet come", usedBy(t, s, "zoe", "mobile", *after(time.Minute)).User,
		model.DialUse{Calls: 4, Talk: time.Hour + time.Minute + time.Hour + time.Hour, AtOnce: 2})
	equal(t, "later", usedBy(t, s, "zoe", "mobile", *after(4 * time.Hour)).User, model.DialUse{Calls: 4, Talk: 2*time.Hour + time.Minute, AtOnce: 1})
	// After a crash the start closes what went on.
	_, err := s.CloseDeadCalls(ctx, model.CauseServiceLost)
	must(t, err)
	equal(t, "after a crash", usedBy(t, s, "zoe", "mobile", *after(4 * time.Hour)).User, model.DialUse{Calls: 4, Talk: time.Hour + time.Minute})
	// A call without a limit counts with what it has lasted, also when it is old.
	must(t, s.CallStarted(ctx, model.Call{ID: "endless", StartedAt: noon()}))
	dial(t, s, model.Dialled{Call: "endless", User: "anna", Class: "satellite", At: noon()})
	equal(t, "a call without end", usedBy(t, s, "anna", "satellite", *after(25 * time.Hour)).User, model.DialUse{Talk: 25 * time.Hour, AtOnce: 1})
}

func lastDial(t *testing.T, b backend) {
	dsn := b.dsn(t)
	const limit, asking = 7, 40
	stores := []*Store{openStore(t, dsn), openStore(t, dsn)} // as two nodes would be
	var group sync.WaitGroup
	var granted atomic.Int32
	for i := range asking {
		group.Go(func() {
			ok := false
			err := stores[i%2].ReserveDial(t.Context(), model.Dialled{Call: model.CallID(fmt.Sprint(i)), User: "zoe", Class: "mobile", At: noon()}, false,
				func(u model.DialUsage) (time.Duration, bool) {
					ok = u.User.AtOnce < limit
					return time.Minute, ok
				})
			if err != nil {
				t.Error(err)
			} else if ok {
				granted.Add(1)
			}
		})
	}
	group.Wait()
	if granted.Load() != limit {
		t.Errorf("%d of %d got one of %d places", granted.Load(), asking, limit)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := stores[0].ReserveDial(over, model.Dialled{User: "zoe", At: noon()}, true, func(model.DialUsage) (time.Duration, bool) { return 0, true }); !errors.Is(err, context.Canceled) {
		t.Errorf("asked by nobody: %v", err)
	}
}

func diallingRules(t *testing.T, b backend) {
	s := b.open(t)
	site := exampleSite()
	site.Queues[0].CallerID = model.CallerID{Number: "+4930123456", Name: "Käuferhilfe"}
	site.Dialling = model.DialRules{
		Numbers: model.TrunkNumbers{Country: "49", National: "0"}, Emergency: []string{"112", "110"}, Blocked: []string{"+49900"}, Timezone: "Europe/Berlin",
		Hours: []string{"mon-fri 08:00-18:00"}, LongestCall: time.Hour, Limits: model.DialLimits{User: model.DialLimit{Calls: 5, Talk: time.Hour, AtOnce: 1}},
		Classes: []model.DialClass{{Name: "neighbours", Prefixes: []string{"+43"}, AnyKind: true, Limits: model.DialLimits{Site: model.DialLimit{Calls: 3}}}},
		Roles:   []model.DialRole{{Name: model.RoleAgent, Classes: []string{"national"}}}, Trunks: []model.DialTrunk{{Name: "a-pbx", Classes: []string{"national"}}},
	}
	_, err := s.ApplySite(t.Context(), exampleSite())
	must(t, err)
	changes, err := s.ApplySite(t.Context(), site)
	must(t, err)
	equal(t, "changed", changes.Changed, []string{"queue support", "dialling rules"})
	got, err := s.Site(t.Context())
	must(t, err)
	if !reflect.DeepEqual(got, site) {
		t.Errorf("\n got  %+v\n want %+v", got, site)
	}
	again, err := s.ApplySite(t.Context(), site)
	must(t, err)
	if !again.Empty() {
		t.Errorf("the second time: %+v", again)
	}
}
