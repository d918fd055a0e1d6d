package toll_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/toll"
)

// A Wednesday.
var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

func decide(r *toll.Rules, user model.AgentID, typed string) (model.DialPermit, string) {
	return decideAt(r, model.DialRequest{User: user, Number: typed}, noon)
}

// decideAt gives the code of a refusal, or "".
func decideAt(r *toll.Rules, request model.DialRequest, now time.Time) (model.DialPermit, string) {
	permit, why := toll.Decide(r, request, model.DialUsage{}, now)
	if why != nil {
		return permit, why.Code
	}
	return permit, ""
}

func TestEveryRoleHasTheClassesThatAreOpenToIt(t *testing.T) {
	r := rules(britain, func(s *model.Site) {
		s.Users = []model.User{
			{ID: "agent", Roles: []model.Role{model.RoleAgent}}, {ID: "helpdesk", Roles: []model.Role{model.RoleIT}},
			{ID: "both", Roles: []model.Role{model.RoleAgent, model.RoleSupervisor}}, {ID: "admin", Roles: []model.Role{model.RoleAdmin}},
		}
		s.Dialling.Roles = []model.DialRole{{Name: model.RoleAgent, Classes: []string{toll.National}}, {Name: model.RoleSupervisor, Classes: []string{toll.Mobile}}}
	})
	const national, mobile, premium = "020 7946 0101", "07400 123456", "0909 879 0000"
	for _, c := range []struct {
		user         model.AgentID
		number, want string
	}{
		{"agent", national, ""}, {"agent", mobile, toll.CodeClassClosed}, {"agent", premium, toll.CodeClassClosed},
		{"both", national, ""}, {"both", mobile, ""}, {"both", premium, toll.CodeClassClosed},
		{"admin", mobile, ""}, {"admin", premium, toll.CodeClassClosed},
		{"helpdesk", national, toll.CodeClassClosed}, {"helpdesk", "999", ""},
		{"gone", national, toll.CodeUnknownUser}, {"gone", "999", ""}, {"", "112", ""},
	} {
		if _, got := decide(r, c.user, c.number); got != c.want {
			t.Errorf("%s calls %s: %q, wanted %q", c.user, c.number, got, c.want)
		}
	}
}

func TestASitesOwnClassTakesItsNumbersAndLeavesTheDearOnes(t *testing.T) {
	r := rules(britain, func(s *model.Site) {
		s.Dialling.Classes = []model.DialClass{
			{Name: "france", Prefixes: []string{"+33"}}, {Name: "far", Prefixes: []string{"+336"}},
			{Name: "extensions", Prefixes: []string{"20"}}, {Name: "nationwide", Prefixes: []string{"+443"}, AnyKind: true},
		}
		s.Dialling.Blocked = []string{"+33612"}
	})
	for typed, want := range map[string]string{
		"+33 1 70 18 00 00": "france", "+33 6 71 23 45 67": "far", "+33 899 123456": toll.InternationalPremium,
		"201": "extensions", "301": toll.Short, "0300 111 1111": "nationwide", "0300 1112": "nationwide", "+4420": "", "+33 6 12 34 56 78": "",
		"+440300 111 1111": "",
	} {
		d, _ := r.Sort(typed)
		if d.Class != want {
			t.Errorf("%s is of the class %q, wanted %q", typed, d.Class, want)
		}
	}
	if _, code := decide(r, "zoe", "+33 6 12 34 56 78"); code != toll.CodeBlocked {
		t.Errorf("a blocked number: %q", code)
	}
}

func TestCallsGoByTheTrunksOfTheirClass(t *testing.T) {
	out := model.TrunkOutbound{Targets: []model.TrunkTarget{{URI: "sip:x.example"}}}
	site := func(s *model.Site) {
		s.Trunks = []model.Trunk{{ID: "cheap", Outbound: out}, {ID: "in-only"}, {ID: "good", Outbound: out}}
		s.Dialling.Roles[0].Classes = []string{toll.National, toll.Mobile}
		s.Dialling.Trunks = []model.DialTrunk{{Name: "cheap", Classes: []string{toll.National}}, {Name: "good", Classes: []string{toll.National}}}
	}
	r := rules(britain, site)
	if p, _ := decide(r, "zoe", "020 7946 0101"); !reflect.DeepEqual(p.Trunks, []model.TrunkID{"cheap", "good"}) {
		t.Errorf("national: %+v", p)
	}
	if _, code := decide(r, "zoe", "07400 123456"); code != toll.CodeNoTrunk {
		t.Errorf("no trunk carries it: %q", code)
	}
	if p, _ := decide(r, "zoe", "999"); !reflect.DeepEqual(p.Trunks, []model.TrunkID{"cheap", "good"}) || !p.Emergency {
		t.Errorf("an emergency: %+v", p)
	}
	r = rules(britain, site, func(s *model.Site) { s.Dialling.Trunks = nil })
	if p, code := decide(r, "zoe", "07400 123456"); code != "" || p.Trunks != nil {
		t.Errorf("without a list: %+v, %q", p, code)
	}
}

func TestTheCalleeSeesTheQueueThatCalls(t *testing.T) {
	r := rules(britain, func(s *model.Site) {
		s.Queues[0].CallerID = model.CallerID{Number: "+442079460101", Name: "Sales"}
		s.Dialling.CallerID = model.CallerID{Number: "+442079460100"}
		s.Users = append(s.Users, model.User{ID: "floor", Roles: []model.Role{model.RoleAgent, model.RoleSupervisor}})
	})
	for _, c := range []struct {
		user             model.AgentID
		queue            model.QueueID
		transfer         bool
		number           string
		from, name, code string
	}{
		{"zoe", "sales", false, "020 7946 0102", "+442079460101", "Sales", ""},
		{"zoe", "", false, "020 7946 0102", "+442079460100", "", ""},
		{"zoe", "support", false, "020 7946 0102", "", "", toll.CodeForeignQueue},
		{"zoe", "support", true, "020 7946 0102", "+442079460100", "", ""}, // the caller came by that queue
		{"floor", "sales", false, "020 7946 0102", "+442079460101", "Sales", ""},
		{"zoe", "nowhere", false, "020 7946 0102", "", "", toll.CodeUnknownQueue},
		{"zoe", "sales", false, "112", "+442079460101", "Sales", ""},
		{"zoe", "nowhere", false, "112", "+442079460100", "", ""},
	} {
		p, code := decideAt(r, model.DialRequest{User: c.user, Queue: c.queue, Number: c.number, Transfer: c.transfer}, noon)
		if code != c.code || p.From != c.from || p.FromName != c.name {
			t.Errorf("%+v: %+v, %q", c, p, code)
		}
	}
}

func TestNightIsClosedWhereHoursAreSet(t *testing.T) {
	r := rules(britain, func(s *model.Site) {
		s.Dialling.Timezone, s.Dialling.Hours = "Europe/London", []string{"mon-fri 08:00-20:00", "sat 09:00-13:00"}
		s.Dialling.Classes = []model.DialClass{{Name: toll.Mobile, Hours: []string{"fri-mon 00:00-24:00"}}}
		s.Dialling.Roles[0].Classes = []string{toll.National, toll.Mobile}
	})
	for at, open := range map[string][2]bool{ // national, mobile
		"2026-03-04T12:00:00Z": {true, false}, "2026-03-04T07:59:59Z": {false, false}, "2026-03-04T08:00:00Z": {true, false},
		"2026-03-04T20:00:00Z": {false, false}, "2026-03-04T03:00:00Z": {false, false}, "2026-03-07T12:59:00Z": {true, true},
		"2026-03-08T12:00:00Z": {false, true}, "2026-07-01T07:30:00Z": {true, false}, // half past eight in summer
		"2026-07-01T19:30:00Z": {false, false},
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		for i, number := range []string{"020 7946 0101", "07400 123456"} {
			_, code := decideAt(r, model.DialRequest{User: "zoe", Number: number}, now)
			if want := map[bool]string{true: "", false: toll.CodeOutsideHours}[open[i]]; code != want {
				t.Errorf("%s at %s: %q, wanted %q", number, at, code, want)
			}
		}
		if p, code := decideAt(r, model.DialRequest{User: "zoe", Number: "999"}, now); code != "" || !p.Emergency {
			t.Errorf("an emergency at %s: %+v, %q", at, p, code)
		}
	}
}

func TestEveryLimitHoldsAndSaysWhichItWas(t *testing.T) {
	limit := model.DialLimit{Calls: 10, Talk: time.Hour, AtOnce: 2}
	scopes := map[string]func(*model.DialRules, *model.DialUsage) (*model.DialLimit, *model.DialUse){
		"user": func(d *model.DialRules, u *model.DialUsage) (*model.DialLimit, *model.DialUse) {
			return &d.Limits.User, &u.User
		},
		"site": func(d *model.DialRules, u *model.DialUsage) (*model.DialLimit, *model.DialUse) {
			return &d.Limits.Site, &u.Site
		},
		"class_user": func(d *model.DialRules, u *model.DialUsage) (*model.DialLimit, *model.DialUse) {
			return &d.Classes[0].Limits.User, &u.ClassUser
		},
		"class_site": func(d *model.DialRules, u *model.DialUsage) (*model.DialLimit, *model.DialUse) {
			return &d.Classes[0].Limits.Site, &u.ClassSite
		},
	}
	for scope, of := range scopes {
		for what, use := range map[string]model.DialUse{"calls": {Calls: 10}, "talk": {Talk: time.Hour - 9*time.Second}, "at_once": {AtOnce: 2}, "": {Calls: 9, Talk: 50 * time.Minute, AtOnce: 1}} {
			var usage model.DialUsage
			r := rules(britain, func(s *model.Site) {
				s.Dialling.LongestCall = 30 * time.Minute
				s.Dialling.Classes = []model.DialClass{{Name: toll.National}}
				l, u := of(&s.Dialling, &usage)
				*l, *u = limit, use
			})
			p, why := toll.Decide(r, model.DialRequest{User: "zoe", Number: "020 7946 0101"}, usage, noon)
			if what == "" {
				if why != nil || p.LongestFor != 10*time.Minute {
					t.Errorf("%s, with ten minutes left: %+v, %v", scope, p, why)
				}
			} else if why == nil || why.Code != "limit_"+scope+"_"+what || strings.Contains(why.Text, "%!") {
				t.Errorf("%s, %s: %+v", scope, what, why)
			}
			if p, why := toll.Decide(r, model.DialRequest{User: "zoe", Number: "112"}, usage, noon); why != nil || !p.Emergency || p.LongestFor != 0 {
				t.Errorf("%s, an emergency: %+v, %v", scope, p, why)
			}
		}
	}
}

func TestTheLongestCallIsTheClassesOwn(t *testing.T) {
	r := rules(britain, func(s *model.Site) {
		s.Dialling.LongestCall = time.Hour
		s.Dialling.Roles[0].Classes = []string{toll.National, toll.Mobile}
		s.Dialling.Classes = []model.DialClass{{Name: toll.Mobile, LongestCall: 2 * time.Hour}}
	})
	for number, want := range map[string]time.Duration{"020 7946 0101": time.Hour, "07400 123456": 2 * time.Hour} {
		if p, _ := decide(r, "zoe", number); p.LongestFor != want {
			t.Errorf("%s: %v, wanted %v", number, p.LongestFor, want)
		}
	}
}

// drawNumber gives something like what is typed.
func drawNumber(t *rapid.T) string {
	start := rapid.SampledFrom([]string{"", "0", "+44", "0044", "+1", "00", "+33", "09", "+979", "+882", "tel:", "0909 879 0000", "112", "11"}).Draw(t, "start")
	return start + rapid.OneOf(rapid.StringMatching(`[0-9 ()./-]{0,14}`), rapid.String()).Draw(t, "rest")
}

func drawUsage(t *rapid.T) model.DialUsage {
	use := rapid.Custom(func(t *rapid.T) model.DialUse {
		return model.DialUse{Calls: rapid.IntRange(0, 1000).Draw(t, "calls"), Talk: time.Duration(rapid.Int64Range(0, int64(1000*time.Hour)).Draw(t, "talk")), AtOnce: rapid.IntRange(0, 1000).Draw(t, "at once")}
	})
	return model.DialUsage{User: use.Draw(t, "user"), Site: use.Draw(t, "site"), ClassUser: use.Draw(t, "class, user"), ClassSite: use.Draw(t, "class, site")}
}

func drawTime(t *rapid.T) time.Time {
	return time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "now"), 0)
}

// drawOpenings opens some of everything, and closes some of it again.
func drawOpenings(t *rapid.T, s *model.Site) {
	limit := rapid.Custom(func(t *rapid.T) model.DialLimit {
		return model.DialLimit{Calls: rapid.IntRange(0, 5).Draw(t, "calls"), Talk: rapid.SampledFrom([]time.Duration{0, time.Minute, time.Hour}).Draw(t, "talk"), AtOnce: rapid.IntRange(0, 2).Draw(t, "at once")}
	})
	limits := func() model.DialLimits {
		return model.DialLimits{User: limit.Draw(t, "user"), Site: limit.Draw(t, "site")}
	}
	names := toll.Classes()
	for i, p := range rapid.SliceOfN(rapid.SampledFrom([]string{"+", "+4", "+44", "+449", "+4490", "+44909", "+33", "+338", "+97", "+979", "1", "11", "0"}), 0, 4).Draw(t, "prefixes") {
		name := fmt.Sprintf("own-%d", i)
		names = append(names, name)
		s.Dialling.Classes = append(s.Dialling.Classes, model.DialClass{Name: name, Prefixes: []string{p}, AnyKind: rapid.Bool().Draw(t, "any kind"), Limits: limits()})
	}
	s.Dialling.Roles = []model.DialRole{{Name: model.RoleAgent, Classes: rapid.SliceOf(rapid.SampledFrom(names)).Draw(t, "open")}}
	s.Dialling.Limits = limits()
	s.Dialling.Hours = rapid.SampledFrom([][]string{nil, {"mon-fri 08:00-18:00"}, {"nonsense"}}).Draw(t, "hours")
	s.Dialling.Blocked = rapid.SampledFrom([][]string{nil, {"+44"}, {"+44909"}, {"1"}}).Draw(t, "blocked")
	s.Dialling.LongestCall = rapid.SampledFrom([]time.Duration{0, time.Minute}).Draw(t, "longest")
}

func TestNothingIsOpenThatNobodyOpened(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		role := rapid.SampledFrom([]model.Role{model.RoleAgent, model.RoleSupervisor, model.RoleIT, model.RoleAdmin}).Draw(t, "role")
		r := rules(rapid.SampledFrom([]model.TrunkNumbers{{}, britain, america}).Draw(t, "plan"), func(s *model.Site) {
			drawOpenings(t, s)
			s.Dialling.Roles = nil
			s.Users[0].Roles = []model.Role{role}
		})
		number := drawNumber(t)
		p, why := toll.Decide(r, model.DialRequest{User: "zoe", Number: number}, model.DialUsage{}, drawTime(t))
		if why == nil && !p.Emergency {
			t.Fatalf("%q may be called: %+v", number, p)
		}
	})
}

func TestAnEmergencyIsNeverRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rules(rapid.SampledFrom([]model.TrunkNumbers{{}, britain, america}).Draw(t, "plan"), func(s *model.Site) { drawOpenings(t, s) })
		number := ""
		for _, digit := range rapid.SampledFrom([]string{"112", "999"}).Draw(t, "number") {
			number += string(digit) + rapid.SampledFrom([]string{"", " ", "-", ".", "\u00a0"}).Draw(t, "between")
		}
		request := model.DialRequest{User: model.AgentID(rapid.SampledFrom([]string{"zoe", "gone", ""}).Draw(t, "user")), Number: number,
			Queue: model.QueueID(rapid.SampledFrom([]string{"", "sales", "support", "gone"}).Draw(t, "queue")), Transfer: rapid.Bool().Draw(t, "transfer")}
		if p, why := toll.Decide(r, request, drawUsage(t), drawTime(t)); why != nil || !p.Emergency || p.LongestFor != 0 {
			t.Fatalf("%q: %+v, %v", number, p, why)
		}
	})
}

func TestALongerPrefixNeverOpensWhatARuleClosed(t *testing.T) {
	const dear = "+449098790000"
	rapid.Check(t, func(t *rapid.T) {
		blocked := rapid.IntRange(2, len(dear)).Draw(t, "blocked")
		for name, close := range map[string]func(*model.Site){
			// Whatever is blocked stays so, however much longer the prefix of a class is.
			toll.CodeBlocked: func(s *model.Site) { s.Dialling.Blocked = []string{dear[:blocked]} },
			// What is dear stays closed under a prefix that does not ask for it.
			toll.CodeClassClosed: func(s *model.Site) {
				for i := range s.Dialling.Classes {
					s.Dialling.Classes[i].AnyKind = false
				}
			},
		} {
			r := rules(britain, func(s *model.Site) {
				open := []string{toll.National, toll.Mobile, toll.TollFree, toll.International, toll.Special}
				for i, n := range rapid.SliceOfN(rapid.IntRange(2, len(dear)), 0, 5).Draw(t, "prefixes") {
					own := fmt.Sprintf("own-%d", i)
					s.Dialling.Classes = append(s.Dialling.Classes, model.DialClass{Name: own, Prefixes: []string{dear[:n]}, AnyKind: rapid.Bool().Draw(t, "any kind")})
					open = append(open, own)
				}
				s.Dialling.Roles[0].Classes = open
				close(s)
			})
			more := dear + rapid.StringMatching(`[0-9]{0,2}`).Draw(t, "more digits")
			if _, code := decide(r, "zoe", dear); code != name {
				t.Fatalf("%s: %q, wanted %s", dear, code, name)
			}
			if _, code := decide(r, "zoe", more); code == "" {
				t.Fatalf("%s may be called", more)
			}
		}
	})
}
