package config_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/toll"
)

// drawDialling gives a site any valid rules.
func drawDialling(t *rapid.T, site *model.Site, title *rapid.Generator[string]) {
	word := func(words ...string) string { return rapid.SampledFrom(words).Draw(t, "word") }
	seconds := func(most int) time.Duration {
		return time.Duration(rapid.IntRange(10, most).Draw(t, "s")) * time.Second
	}
	limit := func() model.DialLimit {
		return model.DialLimit{Calls: rapid.IntRange(0, 1000).Draw(t, "calls"), Talk: rapid.SampledFrom([]time.Duration{0, seconds(1e6)}).Draw(t, "talk"), AtOnce: rapid.IntRange(0, 100).Draw(t, "at once")}
	}
	limits := func() model.DialLimits { return model.DialLimits{User: limit(), Site: limit()} }
	hours := func() []string {
		return rapid.SampledFrom([][]string{nil, {"mon-fri 08:00-20:00"}, {"sat 00:00-24:00", "sun 12:30-12:31"}}).Draw(t, "hours")
	}
	caller := func() model.CallerID {
		name := title.Draw(t, "name")
		if len(name) > 60 || regexp.MustCompile(`["\\]`).MatchString(name) {
			name = ""
		}
		return rapid.SampledFrom([]model.CallerID{{}, {Number: "+442079460101", Name: name}}).Draw(t, "caller")
	}
	for i := range site.Queues {
		site.Queues[i].CallerID = caller()
	}
	d := &site.Dialling
	d.Numbers = model.TrunkNumbers{Country: "44", National: word("", "0"), International: word("", "00"), Bare: word("", "keep", "national"), Short: rapid.IntRange(0, 15).Draw(t, "short")}
	d.Region = word("", "GB", "JE")
	d.Emergency = rapid.SliceOfNDistinct(rapid.StringMatching(`[0-9]{2,8}`), 1, 4, rapid.ID).Draw(t, "emergency")
	d.Blocked = rapid.SampledFrom([][]string{nil, {"+4470", "0"}}).Draw(t, "blocked")
	d.CallerID, d.Timezone, d.Hours = caller(), word("", "UTC", "Europe/London"), hours()
	d.LongestCall, d.Limits = seconds(24*3600), limits()
	classes := toll.Classes()
	for i := range rapid.IntRange(0, 3).Draw(t, "own") {
		own := fmt.Sprintf("own-%d", i)
		d.Classes = append(d.Classes, model.DialClass{Name: own, Prefixes: []string{fmt.Sprintf("+3%d", i)}, AnyKind: rapid.Bool().Draw(t, "any"), Hours: hours(), LongestCall: seconds(3600), Limits: limits()})
		classes = append(classes, own)
	}
	open := func() []string {
		return slices.Clone(rapid.Permutation(classes).Draw(t, "classes")[:rapid.IntRange(1, 4).Draw(t, "n")])
	}
	if rapid.Bool().Draw(t, "roles") {
		d.Roles = []model.DialRole{{Name: model.RoleAgent, Classes: open()}, {Name: model.RoleAdmin}}
	}
	for _, trunk := range site.Trunks {
		if len(trunk.Outbound.Targets) > 0 {
			d.Trunks = append(d.Trunks, model.DialTrunk{Name: trunk.ID, Classes: open()})
		}
	}
}

func TestAFileThatSaysNothingOfDiallingOpensNothing(t *testing.T) {
	site, err := config.ParseSite("site.yaml", []byte("users:\n  - name: boss\n    roles: [admin, agent, supervisor, it]\n"))
	if err != nil {
		t.Fatal(err)
	}
	r := toll.Compile(site)
	for _, number := range []string{"+442079460101", "+18005551234", "100", "+449098790000"} {
		if p, why := toll.Decide(r, model.DialRequest{User: "boss", Number: number}, model.DialUsage{}, time.Now()); why == nil {
			t.Errorf("%s may be called: %+v", number, p)
		}
	}
	for _, number := range []string{"112", "911"} {
		if _, why := toll.Decide(r, model.DialRequest{Number: number}, model.DialUsage{}, time.Now()); why != nil {
			t.Errorf("%s: %v", number, why)
		}
	}
}

func TestTheSampleNamesTheDefaultsOfDialling(t *testing.T) {
	text, err := os.ReadFile("../../deploy/site.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := config.DefaultSite().Dialling
	for key, want := range map[string]string{
		`  emergency:`:    fmt.Sprintf("[%s, %s]", d.Emergency[0], d.Emergency[1]),
		`  longest_call:`: "2h", `      talk:`: "8h", `      calls: 200`: fmt.Sprint(d.Limits.User.Calls), `      at_once:`: fmt.Sprint(d.Limits.User.AtOnce),
	} {
		comment := regexp.MustCompile(`Default: ([^\n]+)\.\n` + key).FindSubmatch(text)
		if comment == nil || string(comment[1]) != want {
			t.Errorf("%s: the comment says %q, the code %q", key, comment, want)
		}
	}
	if d.LongestCall != 2*time.Hour || d.Limits.User.Talk != 8*time.Hour || d.Limits.Site != (model.DialLimit{}) || d.Roles != nil {
		t.Errorf("%+v", d)
	}
}
