package toll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/internal/toll"
)

// clock is a time that tests set.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// desk is a service over a real store.
type desk struct {
	*toll.Service
	store *store.Store
	clock *clock
	log   *bytes.Buffer
	site  model.Site
	calls int
}

func openDesk(t *testing.T, change func(*model.Site)) *desk {
	t.Helper()
	d := &desk{clock: &clock{now: noon}, log: &bytes.Buffer{}}
	d.site = model.Site{
		Users: []model.User{{ID: "zoe", Roles: []model.Role{model.RoleAgent}}, {ID: "anna", Roles: []model.Role{model.RoleAgent}}},
		Dialling: model.DialRules{Numbers: britain, LongestCall: time.Hour, Limits: model.DialLimits{User: model.DialLimit{Calls: 20, Talk: 3 * time.Hour, AtOnce: 2}},
			Roles: []model.DialRole{{Name: model.RoleAgent, Classes: []string{toll.National, toll.Mobile}}}},
	}
	if change != nil {
		change(&d.site)
	}
	d.start(t, filepath.Join(t.TempDir(), "headroom.db"))
	return d
}

// start opens the store, as a start of the service does.
func (d *desk) start(t *testing.T, path string) {
	t.Helper()
	s, err := store.Open(t.Context(), path, store.WithClock(d.clock.Now))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.CloseDeadCalls(t.Context(), model.CauseServiceLost); err != nil {
		t.Fatal(err)
	}
	d.store = s
	d.Service = toll.NewService(s, d.site, d.clock.Now, slog.New(slog.NewTextHandler(d.log, nil)))
}

// call asks for a number and gives the code of a refusal, or "".
func (d *desk) call(t *testing.T, user model.AgentID, number string) (model.CallID, string) {
	t.Helper()
	d.calls++
	id := model.CallID(fmt.Sprintf("c%d", d.calls))
	_, err := d.Permit(t.Context(), model.DialRequest{Call: id, User: user, Number: number, At: d.clock.Now()})
	return id, code(t, err)
}

func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var why *model.DialRefusal
	if !errors.As(err, &why) || why.Text == "" {
		t.Fatalf("%v is no refusal", err)
	}
	return why.Code
}

func (d *desk) end(t *testing.T, call model.CallID, talk time.Duration) {
	t.Helper()
	if err := d.Ended(t.Context(), call, "+442079460101", talk); err != nil {
		t.Fatal(err)
	}
}

const (
	someone = "020 7946 0101"
	pricey  = "0909 879 0000"
)

func TestAStolenAccountThatCallsPremiumNumbersInALoopReachesNone(t *testing.T) {
	d := openDesk(t, nil)
	for i := range 200 {
		number := []string{pricey, "+449098790000", "0044 909 879 0000", "tel:+44909-879-0000", "+44 (0)909 879 0000", "９０９", "+44 ٩٠٩ ٨٧٩ ٠٠٠٠",
			"tel:8790000;phone-context=+44909", "+979 123 456 789", "+882 16 1234567", "+4409098790000", "0909 879 0000,1", "*31#09098790000", "+33 899 123456"}[i%14]
		if _, got := d.call(t, "zoe", number); got == "" {
			t.Fatalf("%q got through", number)
		}
	}
	stats := d.Stats()
	if len(stats.Permits) != 0 || stats.Refusals[toll.CodeClassClosed] < 100 {
		t.Errorf("%+v", stats)
	}
	if lines := strings.Count(d.log.String(), "call out refused"); lines != 200 {
		t.Errorf("%d lines in the log, wanted one for each", lines)
	}
	if log := d.log.String(); strings.Contains(log, "8790000") || !strings.Contains(log, "user=zoe reason=class_closed class=premium number=***") || strings.Contains(log, "+4490") {
		t.Error(log[:min(len(log), 600)])
	}
}

func TestManyShortCallsEndAtTheDaysLimitAndARestartGivesNoNewDay(t *testing.T) {
	d := openDesk(t, nil)
	path := filepath.Join(t.TempDir(), "headroom.db")
	d.start(t, path)
	for i := range 25 {
		id, got := d.call(t, "zoe", someone)
		if want := map[bool]string{true: "", false: "limit_user_calls"}[i < 20]; got != want {
			t.Fatalf("call %d: %q, wanted %q", i, got, want)
		}
		d.end(t, id, time.Second)
		d.clock.add(time.Minute)
	}
	if err := d.store.Close(); err != nil {
		t.Fatal(err)
	}
	d.start(t, path)
	if _, got := d.call(t, "zoe", someone); got != "limit_user_calls" {
		t.Errorf("after a restart: %q", got)
	}
	if _, got := d.call(t, "anna", someone); got != "" {
		t.Errorf("another user: %q", got)
	}
	if _, got := d.call(t, "zoe", "112"); got != "" {
		t.Errorf("an emergency: %q", got)
	}
	d.clock.add(24 * time.Hour)
	if _, got := d.call(t, "zoe", someone); got != "" {
		t.Errorf("a day later: %q", got)
	}
	if n := d.Stats().Permits; n[toll.Emergency] != 1 || n[toll.National] != 2 {
		t.Errorf("counted %v since the restart", n)
	}
}

func TestCallsInProgressCountThroughACrash(t *testing.T) {
	d := openDesk(t, nil)
	path := filepath.Join(t.TempDir(), "headroom.db")
	d.start(t, path)
	for i, want := range []string{"", "", "limit_user_at_once"} {
		id, got := d.call(t, "zoe", someone)
		if got != want {
			t.Fatalf("call %d: %q, wanted %q", i, got, want)
		}
		if err := d.store.CallStarted(t.Context(), model.Call{ID: id, StartedAt: d.clock.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := d.store.AddEvent(t.Context(), model.CallEvent{Call: id, At: d.clock.Now().Add(40 * time.Minute), Kind: "connected"}); err != nil {
			t.Fatal(err)
		}
	}
	d.clock.add(time.Hour)
	_ = d.store.Close()
	d.start(t, path) // which closes the calls that died
	// 80 minutes of three hours are gone: an hour is left for one call, and 40 minutes for a second.
	for i, want := range []time.Duration{time.Hour, 40 * time.Minute} {
		p, err := d.Permit(t.Context(), model.DialRequest{Call: model.CallID(fmt.Sprintf("after%d", i)), User: "zoe", Number: someone})
		if err != nil || p.LongestFor != want {
			t.Errorf("call %d: %+v, %v", i, p, err)
		}
	}
}

func TestOfManyAtOnceNobodyGetsMoreThanThereIs(t *testing.T) {
	d := openDesk(t, func(s *model.Site) {
		s.Dialling.Limits = model.DialLimits{User: model.DialLimit{AtOnce: 4}, Site: model.DialLimit{Calls: 5}}
	})
	var group sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for i := range 60 {
		user := []model.AgentID{"zoe", "anna"}[i%2]
		group.Go(func() {
			_, err := d.Permit(t.Context(), model.DialRequest{Call: model.CallID(fmt.Sprintf("at-once-%d", i)), User: user, Number: someone})
			mu.Lock()
			defer mu.Unlock()
			got[string(user)+code(t, err)]++
		})
	}
	group.Wait()
	if got["zoe"]+got["anna"] != 5 || got["zoe"] > 4 || got["anna"] > 4 {
		t.Errorf("%v", got)
	}
}

func TestARuleThatIsClosedHoldsForTheNextCall(t *testing.T) {
	d := openDesk(t, nil)
	if _, got := d.call(t, "zoe", someone); got != "" {
		t.Fatal(got)
	}
	d.site.Dialling.Roles = nil
	d.SiteChanged(d.site)
	if _, got := d.call(t, "zoe", someone); got != toll.CodeClassClosed {
		t.Errorf("%q", got)
	}
}

func TestWithoutAStoreNothingIsPermittedButEmergencies(t *testing.T) {
	d := openDesk(t, nil)
	_ = d.store.Close()
	_, err := d.Permit(t.Context(), model.DialRequest{Call: "c", User: "zoe", Number: someone})
	if got := code(t, err); got != toll.CodeUnavailable || !errors.Is(err, store.ErrClosed) {
		t.Errorf("%v", err)
	}
	if p, err := d.Permit(t.Context(), model.DialRequest{Call: "c", User: "zoe", Number: "999"}); err != nil || !p.Emergency {
		t.Errorf("%+v, %v", p, err)
	}
}

// memory is a ledger that forgets at the end of a test.
type memory struct {
	mu    sync.Mutex
	dials []memoryDial
}

type memoryDial struct {
	model.Dialled
	talk  time.Duration
	ended bool
}

func (m *memory) ReserveDial(_ context.Context, d model.Dialled, _ bool, decide func(model.DialUsage) (time.Duration, bool)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var u model.DialUsage
	for _, x := range m.dials {
		if x.ended && d.At.Sub(x.At) >= 24*time.Hour {
			continue
		}
		use := model.DialUse{Talk: x.talk}
		if d.At.Sub(x.At) < 24*time.Hour {
			use.Calls = 1
		}
		if !x.ended {
			use.AtOnce, use.Talk = 1, x.Longest
		}
		if u.Site = u.Site.Plus(use); x.User == d.User {
			u.User = u.User.Plus(use)
		}
		if x.Class == d.Class {
			if u.ClassSite = u.ClassSite.Plus(use); x.User == d.User {
				u.ClassUser = u.ClassUser.Plus(use)
			}
		}
	}
	longest, ok := decide(u)
	if ok {
		d.Longest = longest
		m.dials = append(m.dials, memoryDial{Dialled: d})
	}
	return nil
}

func (m *memory) DialEnded(_ context.Context, call model.CallID, number string, _ time.Time, talk time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.dials {
		if m.dials[i].Call == call && m.dials[i].Number == number && !m.dials[i].ended {
			m.dials[i].talk, m.dials[i].ended = talk, true
		}
	}
	return nil
}

func (m *memory) DialUnused(_ context.Context, call model.CallID, number string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dials = slices.DeleteFunc(m.dials, func(d memoryDial) bool { return d.Call == call && d.Number == number && !d.ended })
	return nil
}

// Whatever is asked in whatever order, nobody has more calls at once, more calls in a day or
// more talk in a day than the limits say, as long as calls end when their permits do.
func TestNoOrderOfCallsGetsPastALimit(t *testing.T) {
	type live struct {
		id      model.CallID
		number  string
		user    model.AgentID
		class   string
		at      time.Time
		longest time.Duration
		talk    time.Duration
		over    bool
	}
	rapid.Check(t, func(t *rapid.T) {
		limits := rapid.Custom(func(t *rapid.T) model.DialLimits {
			one := func(name string) model.DialLimit {
				return model.DialLimit{Calls: rapid.IntRange(1, 8).Draw(t, name+" calls"), Talk: time.Duration(rapid.IntRange(1, 120).Draw(t, name+" talk")) * time.Minute, AtOnce: rapid.IntRange(1, 3).Draw(t, name+" at once")}
			}
			return model.DialLimits{User: one("user"), Site: one("site")}
		})
		site := model.Site{Users: []model.User{{ID: "zoe", Roles: []model.Role{model.RoleAgent}}, {ID: "anna", Roles: []model.Role{model.RoleAgent}}}}
		site.Dialling = model.DialRules{Numbers: britain, LongestCall: 20 * time.Minute, Limits: limits.Draw(t, "limits"),
			Classes: []model.DialClass{{Name: toll.Mobile, Limits: limits.Draw(t, "of mobile")}},
			Roles:   []model.DialRole{{Name: model.RoleAgent, Classes: []string{toll.National, toll.Mobile}}}}
		time0 := &clock{now: noon}
		ledger := &memory{}
		s := toll.NewService(ledger, site, time0.Now, slog.New(slog.DiscardHandler))
		var calls []live
		end := func(i int) {
			c := &calls[i]
			c.talk, c.over = min(time0.now.Sub(c.at), c.longest), true
			if err := s.Ended(context.Background(), c.id, c.number, c.talk); err != nil {
				t.Fatal(err)
			}
		}
		for i := range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0, 1:
				c := live{id: model.CallID(fmt.Sprint(i)), user: rapid.SampledFrom([]model.AgentID{"zoe", "anna"}).Draw(t, "user"), at: time0.now}
				p, err := s.Permit(context.Background(), model.DialRequest{Call: c.id, User: c.user, Number: rapid.SampledFrom([]string{someone, "07400 123456", pricey}).Draw(t, "number")})
				if err == nil {
					c.number, c.class, c.longest = p.Number, p.Class, p.LongestFor
					calls = append(calls, c)
				}
			case 2:
				if len(calls) > 0 {
					if j := rapid.IntRange(0, len(calls)-1).Draw(t, "which"); !calls[j].over {
						end(j)
					}
				}
			case 3:
				time0.add(time.Duration(rapid.IntRange(1, 600).Draw(t, "minutes")) * time.Minute)
				for j := range calls { // the switchboard ends what has lasted long enough
					if !calls[j].over && time0.now.Sub(calls[j].at) >= calls[j].longest {
						end(j)
					}
				}
			}
			check := func(name string, l model.DialLimit, of func(live) bool) {
				var u model.DialUse
				for _, c := range calls {
					switch {
					case !of(c):
					case !c.over:
						u = u.Plus(model.DialUse{Calls: 1, AtOnce: 1, Talk: min(time0.now.Sub(c.at), c.longest)})
					case time0.now.Sub(c.at) < 24*time.Hour:
						u = u.Plus(model.DialUse{Calls: 1, Talk: c.talk})
					}
				}
				if u.Calls > l.Calls || u.AtOnce > l.AtOnce || u.Talk > l.Talk {
					t.Fatalf("%s: %+v is past %+v", name, u, l)
				}
			}
			d := site.Dialling
			check("the site", d.Limits.Site, func(live) bool { return true })
			check("mobile", d.Classes[0].Limits.Site, func(c live) bool { return c.class == toll.Mobile })
			for _, user := range []model.AgentID{"zoe", "anna"} {
				check(string(user), d.Limits.User, func(c live) bool { return c.user == user })
				check(string(user)+" to mobile", d.Classes[0].Limits.User, func(c live) bool { return c.user == user && c.class == toll.Mobile })
			}
		}
	})
}

func TestANumberThatCallsForHelpIsKnownHoweverItIsTyped(t *testing.T) {
	d := openDesk(t, nil)
	for number, want := range map[string]bool{"112": true, "9-9-9": true, "*112": false, "020 7946 0101": false, "": false} {
		if d.Emergency(number) != want {
			t.Errorf("%q: %v", number, !want)
		}
	}
}
