package toll

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// Explanation is what rules make of a request, for people.
type Explanation struct {
	Permit  model.DialPermit
	Refusal *model.DialRefusal
	OpenTo  []model.Role // roles that open the class
	Limits  []string     // that it has to keep, in words
	Route   []string     // the trunks it would go by, in order; not filled in by Explain
}

// Explain decides on a request as if nothing had been used yet, and says what it was decided by.
func Explain(r *Rules, request model.DialRequest, now time.Time) Explanation {
	var e Explanation
	d, _ := r.Sort(request.Number)
	e.Permit, e.Refusal = Decide(r, request, model.DialUsage{}, now)
	if e.Refusal != nil {
		e.Permit = model.DialPermit{Number: d.Number, Class: d.Class}
	}
	if d.Emergency || d.Class == unknown {
		return e
	}
	for role, classes := range r.roles {
		if slices.Contains(classes, d.Class) {
			e.OpenTo = append(e.OpenTo, role)
		}
	}
	slices.Sort(e.OpenTo)
	for _, b := range r.bounds(r.settings(d.Class), model.DialUsage{}) {
		if words := limitWords(b.limit); words != "" {
			e.Limits = append(e.Limits, map[bool]string{true: "everybody together", false: "a user"}[strings.HasSuffix(b.name, "site")]+strings.Replace(b.of, " of", ", of", 1)+": "+words)
		}
	}
	return e
}

// limitWords tells a limit, or "" where there is none.
func limitWords(l model.DialLimit) string {
	var words []string
	if l.Calls > 0 {
		words = append(words, fmt.Sprintf("%d calls in 24 hours", l.Calls))
	}
	if l.Talk > 0 {
		words = append(words, fmt.Sprintf("%s of talk in 24 hours", hoursAndMinutes(l.Talk)))
	}
	if l.AtOnce > 0 {
		words = append(words, fmt.Sprintf("%d at once", l.AtOnce))
	}
	return strings.Join(words, ", ")
}

// hoursAndMinutes is a duration without the zeros at its end.
func hoursAndMinutes(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Print writes an explanation for whoever tries a rule.
func (e Explanation) Print(out io.Writer, user model.AgentID) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(out, "%-8s  %s\n", name, fmt.Sprintf(format, args...))
	}
	if e.Permit.Number != "" {
		line("number", "%s", e.Permit.Number)
		line("class", "%s", cmp.Or(e.Permit.Class, "none that is known"))
	}
	if e.Refusal != nil {
		line("refused", "%s (%s)", e.Refusal.Text, e.Refusal.Code)
	} else {
		line("allowed", "%s may call it", user)
	}
	switch {
	case e.Permit.Emergency:
		line("open to", "everybody who is signed in, always, past every limit")
	case len(e.OpenTo) > 0:
		roles := make([]string, len(e.OpenTo))
		for i, r := range e.OpenTo {
			roles[i] = string(r)
		}
		line("open to", "%s", strings.Join(roles, ", "))
	case e.Permit.Class != unknown:
		line("open to", "nobody")
	}
	if e.Refusal == nil {
		if len(e.Route) > 0 {
			line("trunks", "%s", strings.Join(e.Route, ", then "))
		} else {
			line("trunks", "none leads there: see outbound.prefixes of the trunks")
		}
		shown := strings.TrimSpace(e.Permit.From + " " + e.Permit.FromName)
		line("shown as", "%s", cmp.Or(shown, "the trunk's own number"))
		if !e.Permit.Emergency {
			longest := "no limit"
			if e.Permit.LongestFor > 0 {
				longest = hoursAndMinutes(e.Permit.LongestFor)
			}
			line("longest", "%s", longest)
		}
	}
	for _, l := range e.Limits {
		line("limit", "%s", l)
	}
}
