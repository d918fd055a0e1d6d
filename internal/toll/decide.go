package toll

import (
	"fmt"
	"slices"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// The codes of refusals.
const (
	CodeNotANumber   = "not_a_number"
	CodeNoCountry    = "no_country"    // a number of nobody knows which country
	CodeExtension    = "extension"     // digits to be sent after the answer
	CodeServiceCode  = "service_code"  // * and #
	CodeUnknownClass = "unknown_class" // nobody knows what kind of number it is
	CodeBlocked      = "blocked"       // by the site, for everybody
	CodeUnknownUser  = "unknown_user"  // who is no longer in the site
	CodeClassClosed  = "class_closed"  // to all roles of the user
	CodeUnknownQueue = "unknown_queue" // on whose behalf it was to be
	CodeForeignQueue = "foreign_queue" // whose calls the user does not take
	CodeOutsideHours = "outside_hours"
	CodeNoTrunk      = "no_trunk"    // none carries the class
	CodeUnavailable  = "unavailable" // the usage cannot be known, or kept, now
	codeLimit        = "limit_"      // and whose, and what: limit_class_user_talk
)

// leastTalk is what must be left of a limit for a call to be worth while.
const leastTalk = 10 * time.Second

const whoOpens = "who may change the site file can open it (docs/dialling.md)"

func refuse(code, format string, args ...any) *model.DialRefusal {
	return &model.DialRefusal{Code: code, Text: fmt.Sprintf(format, args...)}
}

// Destination is what rules know of a number without knowing who calls.
type Destination struct {
	Number    string // +E.164, a short number, or an emergency number
	Class     string // "" where it is not known
	Emergency bool
}

// Sort finds the class of what was typed. The refusal is of what is no number, of what nobody
// may call, and of what is of no class.
func (r *Rules) Sort(typed string) (Destination, *model.DialRefusal) {
	n := read(typed, r.plan)
	if n.digits != "" && r.isEmergency(n.digits) {
		return Destination{Number: n.digits, Class: Emergency, Emergency: true}, nil
	}
	if n.why != nil {
		return Destination{}, n.why
	}
	d := Destination{Number: n.normal}
	if prefix, ok := r.blocks(n.normal); ok {
		return d, refuse(CodeBlocked, "numbers that begin with %s are blocked for everybody", prefix)
	}
	class, hint := r.sort(n.normal)
	switch {
	case hint != "":
		return d, refuse(CodeUnknownClass, "there is no number %s; perhaps %s is meant", n.normal, hint)
	case class == unknown:
		return d, refuse(CodeUnknownClass, "%s is no number of any numbering plan that is known here; check it, or %s", n.normal, whoOpens)
	}
	d.Class = class
	return d, nil
}

// Decide says whether and how a request may be carried out, given what the user and the site
// have used of the destination's class, and in all, in the 24 hours before now. Exactly one of
// the results is meant: the permit where the refusal is nil.
func Decide(r *Rules, request model.DialRequest, usage model.DialUsage, now time.Time) (model.DialPermit, *model.DialRefusal) {
	d, why := r.Sort(request.Number)
	if why != nil {
		return model.DialPermit{}, why
	}
	if d.Emergency {
		who := r.shown(request.Queue)
		// By every trunk there is, named, so that one without prefixes takes it, too.
		return model.DialPermit{Number: d.Number, Class: Emergency, Trunks: slices.Clone(r.carriers), Emergency: true, From: who.Number, FromName: who.Name}, nil
	}
	if why := r.mayCall(request, d.Class); why != nil {
		return model.DialPermit{}, why
	}
	settings := r.settings(d.Class)
	open := settings.hours
	if len(open) == 0 {
		open = r.hours
	}
	if local := now.In(r.zone); !within(open, local) {
		return model.DialPermit{}, refuse(CodeOutsideHours, "numbers of the class %s cannot be called at this time (it is %s)", d.Class, local.Format("Mon 15:04"))
	}
	trunks, ok := r.lead(d.Class)
	if !ok {
		return model.DialPermit{}, refuse(CodeNoTrunk, "no trunk carries numbers of the class %s; %s", d.Class, whoOpens)
	}
	longest, why := r.keep(settings, usage)
	if why != nil {
		return model.DialPermit{}, why
	}
	who := r.shown(request.Queue)
	return model.DialPermit{Number: d.Number, Class: d.Class, Trunks: trunks, From: who.Number, FromName: who.Name, LongestFor: longest}, nil
}

// mayCall looks at who calls.
func (r *Rules) mayCall(request model.DialRequest, class string) *model.DialRefusal {
	user, ok := r.users[request.User]
	if !ok {
		return refuse(CodeUnknownUser, "nobody of that name may call")
	}
	if !r.open(user, class) {
		return refuse(CodeClassClosed, "numbers of the class %s are not open to you; %s", class, whoOpens)
	}
	if request.Queue == "" {
		return nil
	}
	if _, ok := r.queues[request.Queue]; !ok {
		return refuse(CodeUnknownQueue, "there is no queue %q to call for", request.Queue)
	}
	if !request.Transfer && !slices.Contains(user.Queues, request.Queue) && !user.Has(model.RoleSupervisor) {
		return refuse(CodeForeignQueue, "you take no calls of the queue %q, and cannot call for it", request.Queue)
	}
	return nil
}

// shown is the caller that a callee sees.
func (r *Rules) shown(queue model.QueueID) model.CallerID {
	if q, ok := r.queues[queue]; ok && q.CallerID.Number != "" {
		return q.CallerID
	}
	return r.callerID
}

// bound is a limit and what was used of it.
type bound struct {
	name  string // of the refusal's code
	whose string // in words, before "have" or "has"
	of    string // which calls, in words
	limit model.DialLimit
	used  model.DialUse
}

// bounds are all limits that a call of a class has to keep.
func (r *Rules) bounds(c class, u model.DialUsage) []bound {
	of := " of the class " + c.name
	return []bound{
		{"user", "you have", "", r.limits.User, u.User},
		{"site", "everybody together has", "", r.limits.Site, u.Site},
		{"class_user", "you have", of, c.limits.User, u.ClassUser},
		{"class_site", "everybody together has", of, c.limits.Site, u.ClassSite},
	}
}

// keep sees that no limit is passed, and gives how long the call may last: the class's longest,
// or less where less is left.
func (r *Rules) keep(c class, u model.DialUsage) (time.Duration, *model.DialRefusal) {
	longest := r.longest
	if c.longest > 0 {
		longest = c.longest
	}
	for _, b := range r.bounds(c, u) {
		if b.limit.AtOnce > 0 && b.used.AtOnce >= b.limit.AtOnce {
			return 0, refuse(codeLimit+b.name+"_at_once", "%s %s%s in progress, and no more are allowed at once; end one first", b.whose, calls(b.used.AtOnce), b.of)
		}
		if b.limit.Calls > 0 && b.used.Calls >= b.limit.Calls {
			return 0, refuse(codeLimit+b.name+"_calls", "%s placed %s%s in the last 24 hours, and no more are allowed; try later, or ask a supervisor", b.whose, calls(b.used.Calls), b.of)
		}
		if b.limit.Talk <= 0 {
			continue
		}
		left := b.limit.Talk - b.used.Talk
		if left < leastTalk {
			return 0, refuse(codeLimit+b.name+"_talk", "%s used %s of %s of calls%s in the last 24 hours, calls in progress counted with the longest they may last; try later, or ask a supervisor",
				b.whose, min(b.used.Talk, b.limit.Talk).Round(time.Second), b.limit.Talk, b.of)
		}
		if longest == 0 || left < longest {
			longest = left
		}
	}
	return longest, nil
}

func calls(n int) string {
	if n == 1 {
		return "1 call"
	}
	return fmt.Sprintf("%d calls", n)
}

// countsSite reports whether a limit for all users together bears on a class; without one their
// usage need not be known.
func (r *Rules) countsSite(class string) bool {
	none := model.DialLimit{}
	return r.limits.Site != none || r.settings(class).limits.Site != none
}
