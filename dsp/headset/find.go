package headset

import (
	"fmt"
	"math"

	"github.com/headroom-voice/headroom/dsp"
)

// findings lists the faults of a report whose metrics are complete, the worst kind of
// evidence first. One judge a kind, each in find_<kind>.go.
func (a *Analyzer) findings(r *Report) []Finding {
	found := []Finding{}
	for _, judge := range []func(*Report) (Finding, bool){
		a.dead,
		a.echoing,
		a.level,
		a.clipping,
		a.dropping,
		a.crackling,
		a.noisy,
		a.muffled,
		a.offset,
		a.humming,
		a.buzzing,
		a.pumping,
	} {
		if f, ok := judge(r); ok {
			found = append(found, f)
		}
	}
	return found
}

// over grades a value of which more is worse.
func (l Limit) over(v dsp.Value) (Severity, float64, bool) {
	switch {
	case float64(v) > l.Bad:
		return Bad, l.Bad, true
	case float64(v) > l.Watch:
		return Watch, l.Watch, true
	}
	return "", 0, false // and where v is None
}

// under grades a value of which less is worse.
func (l Limit) under(v dsp.Value) (Severity, float64, bool) {
	s, limit, ok := Limit{Watch: -l.Watch, Bad: -l.Bad}.over(-v)
	return s, -limit, ok
}

// of gives the limit of a severity.
func (l Limit) of(s Severity) float64 {
	if s == Bad {
		return l.Bad
	}
	return l.Watch
}

// span writes seconds as a person says them: 7 s, 119 s, 3:21 min, 1:02:03 h.
func span(seconds float64) string {
	s := int(math.Round(seconds))
	switch {
	case s < 120:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d:%02d min", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d h", s/3600, s/60%60, s%60)
}
