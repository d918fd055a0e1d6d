package toll

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/nyaruka/phonenumbers"

	"github.com/headroom-voice/headroom/internal/model"
)

// Bounds on rules.
const (
	maxList     = 500 // of anything
	maxCalls    = 1_000_000
	maxTalk     = 24 * 100_000 * time.Hour
	longestCall = 24 * time.Hour // the usage of a day is looked at, and no call is to outlive it
	maxName     = 40             // of a class
)

// Problem is something wrong with rules.
type Problem struct {
	Key  string // below the site, such as dialling.classes[1].prefixes[0]
	Text string // what is wrong, and what to write
}

// checker collects problems.
type checker struct {
	problems []Problem
	classes  map[string]bool // that can be opened
}

func (c *checker) add(key, format string, args ...any) {
	c.problems = append(c.problems, Problem{key, fmt.Sprintf(format, args...)})
}

// Check says everything that is wrong with a site's rules; how its numbers plan is written is
// left to the check of trunks' plans.
func Check(site model.Site) []Problem {
	c := &checker{classes: map[string]bool{}}
	d, at := site.Dialling, "dialling"
	for _, name := range Classes() {
		c.classes[name] = true
	}
	c.place(d, at)
	c.emergency(d.Emergency, at+".emergency")
	c.few(at+".blocked", len(d.Blocked))
	for i, p := range d.Blocked {
		c.prefix(fmt.Sprintf("%s.blocked[%d]", at, i), p)
	}
	c.callerID(at+".caller_id", d.CallerID)
	for i, q := range site.Queues {
		c.callerID(fmt.Sprintf("queues[%d].caller_id", i), q.CallerID)
	}
	c.hours(at+".hours", d.Hours)
	c.duration(at+".longest_call", d.LongestCall, longestCall)
	c.limits(at+".limits", d.Limits)
	c.ownClasses(d.Classes, at+".classes")
	c.roles(d.Roles, at+".roles", d.Numbers.Country != "")
	c.trunks(d.Trunks, site.Trunks, at+".trunks")
	return c.problems
}

// place checks country, region and time zone.
func (c *checker) place(d model.DialRules, at string) {
	code, known := countryCode(d.Numbers.Country)
	regions := phonenumbers.GetRegionCodesForCountryCode(code)
	if d.Numbers.Country != "" && (!known || len(regions) == 0 || len(regions[0]) != 2) {
		c.add(at+".numbers.country", "%q is no country's code; write it like 44", d.Numbers.Country)
	}
	switch {
	case d.Region == "":
	case d.Numbers.Country == "":
		c.add(at+".numbers.country", "a country code is needed with a region, like 44")
	case len(regions) > 0 && !slices.Contains(regions, d.Region):
		c.add(at+".region", "%q is no region with the country code %s; write one of %s", d.Region, d.Numbers.Country, strings.Join(regions, ", "))
	}
	if _, err := time.LoadLocation(d.Timezone); err != nil || d.Timezone == "Local" {
		c.add(at+".timezone", "%q is no time zone; write it like Europe/London", d.Timezone)
	}
}

func (c *checker) emergency(numbers []string, at string) {
	c.few(at, len(numbers))
	seen := map[string]bool{}
	for i, n := range numbers {
		key := fmt.Sprintf("%s[%d]", at, i)
		if len(n) < 2 || len(n) > 8 || !allDigits(n) {
			c.add(key, "%q is no emergency number; write 2 to 8 digits, like 112", n)
		}
		c.once(seen, key, n)
	}
}

// prefix checks the start of a number.
func (c *checker) prefix(key, p string) bool {
	digits := strings.TrimPrefix(p, "+")
	if digits == "" || len(digits) > maxDigits || !allDigits(digits) || digits != p && digits[0] == '0' {
		c.add(key, "%q is not the start of a number; write it like +4420, or 10 for short numbers", p)
		return false
	}
	return true
}

func (c *checker) callerID(key string, id model.CallerID) {
	digits, plus := strings.CutPrefix(id.Number, "+")
	if id.Number != "" && (!plus || len(digits) < 7 || len(digits) > maxDigits || !allDigits(digits) || digits[0] == '0') {
		c.add(key+".number", "%q is no number that can be called back; write it like +442079460101", id.Number)
	}
	if id.Number == "" && id.Name != "" {
		c.add(key+".number", "a number is needed with a name")
	}
	if !printable(id.Name) {
		c.add(key+".name", `%q is not a name; use up to 60 printable characters without " and \, no space at either end`, id.Name)
	}
}

func (c *checker) hours(key string, list []string) {
	c.few(key, len(list))
	for i, s := range list {
		if _, err := parseHours(s); err != nil {
			c.add(fmt.Sprintf("%s[%d]", key, i), "%q are no hours; %s", s, err)
		}
	}
}

func (c *checker) limits(key string, l model.DialLimits) {
	for _, one := range []struct {
		key   string
		limit model.DialLimit
	}{{key + ".user", l.User}, {key + ".site", l.Site}} {
		c.number(one.key+".calls", one.limit.Calls, maxCalls)
		c.number(one.key+".at_once", one.limit.AtOnce, maxCalls)
		c.duration(one.key+".talk", one.limit.Talk, maxTalk)
		if one.limit.Talk > 0 && one.limit.Talk < leastTalk {
			c.add(one.key+".talk", "%s is too little for any call; 0 is no limit, and a class is closed by opening it to nobody", one.limit.Talk)
		}
	}
}

// ownClasses learns the names, too.
func (c *checker) ownClasses(classes []model.DialClass, at string) {
	c.few(at, len(classes))
	names, prefixes := map[string]bool{}, map[string]bool{}
	for i, k := range classes {
		key := fmt.Sprintf("%s[%d]", at, i)
		builtIn := slices.Contains(Classes(), k.Name)
		switch {
		case !validClass(k.Name):
			c.add(key+".name", "%q is not the name of a class; use up to %d of a-z, 0-9 and -, a letter first", k.Name, maxName)
		case k.Name == Emergency:
			c.add(key+".name", "emergency numbers are open to everybody without limits; nothing can be set for them")
		case builtIn && (len(k.Prefixes) > 0 || k.AnyKind):
			c.add(key+".prefixes", "%s knows its numbers; prefixes and any_kind are for classes of your own, with other names", k.Name)
		case !builtIn && len(k.Prefixes) == 0:
			c.add(key+".prefixes", "a class of your own needs one at least, like +33; the classes there are already: %s", strings.Join(Classes(), ", "))
		}
		c.once(names, key+".name", k.Name)
		c.classes[k.Name] = c.classes[k.Name] || k.Name != Emergency
		c.few(key+".prefixes", len(k.Prefixes))
		for j, p := range k.Prefixes {
			at := fmt.Sprintf("%s.prefixes[%d]", key, j)
			if c.prefix(at, p) {
				c.once(prefixes, at, p)
			}
		}
		c.hours(key+".hours", k.Hours)
		c.duration(key+".longest_call", k.LongestCall, longestCall)
		c.limits(key+".limits", k.Limits)
	}
}

// roles checks what is opened; home says that it is known which country is the site's own.
func (c *checker) roles(roles []model.DialRole, at string, home bool) {
	known, seen := []model.Role{model.RoleAgent, model.RoleSupervisor, model.RoleIT, model.RoleAdmin}, map[string]bool{}
	for i, r := range roles {
		key := fmt.Sprintf("%s[%d]", at, i)
		if !slices.Contains(known, r.Name) {
			c.add(key+".name", "%q is no role; write agent, supervisor, it or admin", r.Name)
		}
		c.once(seen, key+".name", string(r.Name))
		c.known(key+".classes", r.Classes)
		for j, name := range r.Classes {
			if !home && slices.Contains([]string{National, Mobile, Special, Premium}, name) {
				c.add(fmt.Sprintf("%s.classes[%d]", key, j), "%s is of a country; say which is yours with dialling.numbers.country, like 44", name)
			}
		}
	}
}

func (c *checker) trunks(trunks []model.DialTrunk, there []model.Trunk, at string) {
	seen := map[string]bool{}
	for i, t := range trunks {
		key := fmt.Sprintf("%s[%d]", at, i)
		switch n := slices.IndexFunc(there, func(x model.Trunk) bool { return x.ID == t.Name }); {
		case n < 0:
			c.add(key+".name", "there is no trunk %q in this file", t.Name)
		case len(there[n].Outbound.Targets) == 0:
			c.add(key+".name", "no calls go out by the trunk %q; give it outbound with targets", t.Name)
		}
		c.once(seen, key+".name", string(t.Name))
		c.known(key+".classes", t.Classes)
	}
}

// known checks names of classes that are to be opened.
func (c *checker) known(key string, classes []string) {
	c.few(key, len(classes))
	seen := map[string]bool{}
	for i, name := range classes {
		at := fmt.Sprintf("%s[%d]", key, i)
		switch {
		case name == Emergency:
			c.add(at, "emergency numbers are open to everybody, by every trunk; leave it out")
		case !c.classes[name]:
			c.add(at, "there is no class %q; there are %s, and those of this file", name, strings.Join(Classes(), ", "))
		}
		c.once(seen, at, name)
	}
}

func (c *checker) few(key string, n int) {
	if n > maxList {
		c.add(key, "%d are too many; %d can be kept", n, maxList)
	}
}

func (c *checker) once(seen map[string]bool, key, word string) {
	if seen[word] {
		c.add(key, "%q is there twice", word)
	}
	seen[word] = true
}

func (c *checker) number(key string, n, most int) {
	if n < 0 || n > most {
		c.add(key, "%d is out of range; expected 0, which is no limit, to %d", n, most)
	}
}

func (c *checker) duration(key string, d, most time.Duration) {
	if d < 0 || d > most {
		c.add(key, "%s is out of range; expected 0s, which is no limit, to %s", d, most)
	}
}

func allDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

func validClass(s string) bool {
	return s != "" && len(s) <= maxName && s[0] >= 'a' && s[0] <= 'z' &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func printable(s string) bool {
	return len(s) <= 60 && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == '"' || r == '\\' || r == '\uFFFD' })
}
