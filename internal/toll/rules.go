package toll

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // a container may have none, and hours must not fail then

	"github.com/nyaruka/phonenumbers"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/e164"
)

// defaultEmergency are the numbers that mobile telephones everywhere take for emergencies
// (3GPP TS 22.101 section 10.1.1).
var defaultEmergency = []string{"112", "911"}

// Rules are a site's rules, ready to decide. They are not changed after Compile, and may be
// used by any number of goroutines.
type Rules struct {
	plan      e164.Plan
	region    string
	emergency map[string]bool
	blocked   []string
	zone      *time.Location
	hours     []hours
	longest   time.Duration
	limits    model.DialLimits
	classes   []class
	roles     map[model.Role][]string
	trunks    []model.DialTrunk
	carriers  []model.TrunkID // every trunk that calls go out by
	callerID  model.CallerID
	users     map[model.AgentID]model.User
	queues    map[model.QueueID]model.Queue
}

// class is one of the site's own, or what differs for one there is.
type class struct {
	name     string
	prefixes []string
	anyKind  bool
	hours    []hours
	longest  time.Duration
	limits   model.DialLimits
}

// Compile makes rules of a site that Check finds nothing wrong with. What it does find wrong
// opens nothing.
func Compile(site model.Site) *Rules {
	d := site.Dialling
	r := &Rules{
		plan: Plan(d.Numbers), region: region(d), emergency: map[string]bool{},
		longest: d.LongestCall, limits: d.Limits, roles: map[model.Role][]string{}, trunks: d.Trunks, callerID: d.CallerID,
		users: map[model.AgentID]model.User{}, queues: map[model.QueueID]model.Queue{},
	}
	numbers := d.Emergency
	if len(numbers) == 0 {
		numbers = defaultEmergency
	}
	for _, n := range numbers {
		r.emergency[n] = true
	}
	for _, p := range d.Blocked {
		if p != "" {
			r.blocked = append(r.blocked, p)
		}
	}
	var err error
	if r.zone, err = time.LoadLocation(d.Timezone); err != nil {
		r.zone = time.UTC
	}
	r.hours = parseAll(d.Hours)
	for _, c := range d.Classes {
		r.classes = append(r.classes, class{name: c.Name, prefixes: c.Prefixes, anyKind: c.AnyKind, hours: parseAll(c.Hours), longest: c.LongestCall, limits: c.Limits})
	}
	for _, role := range d.Roles {
		r.roles[role.Name] = append(r.roles[role.Name], role.Classes...)
	}
	for _, t := range site.Trunks {
		if len(t.Outbound.Targets) > 0 {
			r.carriers = append(r.carriers, t.ID)
		}
	}
	for _, u := range site.Users {
		r.users[u.ID] = u
	}
	for _, q := range site.Queues {
		r.queues[q.ID] = q
	}
	return r
}

// Plan is how numbers that people type are meant.
func Plan(n model.TrunkNumbers) e164.Plan {
	bare := map[string]e164.Bare{"e164": e164.BareE164, "national": e164.BareNational}[n.Bare]
	return e164.Plan{Country: n.Country, National: n.National, International: n.International, Bare: bare, Short: n.Short}
}

// region is where the site is: what the file says, or the main region of its country code.
func region(d model.DialRules) string {
	if d.Region != "" {
		return d.Region
	}
	main := ""
	if code, ok := countryCode(d.Numbers.Country); ok {
		main = phonenumbers.GetRegionCodeForCountryCode(code)
	}
	if len(main) != 2 || main == "ZZ" { // 001 is the world
		return ""
	}
	return main
}

func countryCode(s string) (int, bool) {
	code := 0
	for _, r := range s {
		if r < '0' || r > '9' || code > 999 {
			return 0, false
		}
		code = 10*code + int(r-'0')
	}
	return code, s != ""
}

// open reports whether a user may call a class at all.
func (r *Rules) open(u model.User, class string) bool {
	if class == unknown {
		return false
	}
	for role, classes := range r.roles {
		if u.Has(role) && slices.Contains(classes, class) {
			return true
		}
	}
	return false
}

// settings are a class's own, or none.
func (r *Rules) settings(name string) class {
	for _, c := range r.classes {
		if c.name == name {
			return c
		}
	}
	return class{name: name}
}

// lead gives the trunks that carry a class; nil is any, and ok is false where none does.
func (r *Rules) lead(class string) (trunks []model.TrunkID, ok bool) {
	if len(r.trunks) == 0 {
		return nil, true
	}
	for _, t := range r.trunks {
		if slices.Contains(t.Classes, class) {
			trunks = append(trunks, t.Name)
		}
	}
	return trunks, len(trunks) > 0
}

// blocks gives the prefix that closes a number for good.
func (r *Rules) blocks(normal string) (prefix string, ok bool) {
	for _, p := range r.blocked {
		if strings.HasPrefix(normal, p) {
			return p, true
		}
	}
	return "", false
}

// isEmergency reports whether digits, however they were typed, call for help.
func (r *Rules) isEmergency(digits string) bool {
	return r.emergency[digits] || emergencyAt(digits, r.region)
}
