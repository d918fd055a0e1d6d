package toll

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// hours is a part of each of some days of the week.
type hours struct {
	days     [7]bool // by time.Weekday
	from, to int     // minutes since midnight; to is not in it
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} // as time.Weekday counts

var errHours = errors.New(`write it like "mon-fri 08:00-20:00" or "sat 09:00-13:00"; what goes past midnight is two lines`)

// parseHours reads "mon-fri 08:00-20:00".
func parseHours(s string) (h hours, err error) {
	days, times, ok := strings.Cut(s, " ")
	first, last, isRange := strings.Cut(days, "-")
	if !isRange {
		last = first
	}
	a, b := slices.Index(weekdays, first), slices.Index(weekdays, last)
	from, to, both := strings.Cut(times, "-")
	if !ok || !both || a < 0 || b < 0 {
		return h, errHours
	}
	for d := a; ; d = (d + 1) % 7 {
		h.days[d] = true
		if d == b {
			break
		}
	}
	if h.from, err = parseClock(from); err != nil {
		return h, err
	}
	if h.to, err = parseClock(to); err != nil {
		return h, err
	}
	if h.from >= h.to {
		return h, errHours
	}
	return h, nil
}

// parseClock reads 08:00, and 24:00, in minutes.
func parseClock(s string) (int, error) {
	var hour, minute int
	if len(s) != len("08:00") {
		return 0, errHours
	}
	if _, err := fmt.Sscanf(s, "%2d:%2d", &hour, &minute); err != nil || hour < 0 || minute < 0 || minute > 59 || hour*60+minute > 24*60 {
		return 0, errHours
	}
	return hour*60 + minute, nil
}

// parseAll reads a list. What cannot be read is never, and not always: rules that somebody
// wrote and nobody understands do not open the night.
func parseAll(list []string) []hours {
	out := make([]hours, 0, len(list))
	for _, s := range list {
		h, err := parseHours(s)
		if err != nil {
			h = hours{}
		}
		out = append(out, h)
	}
	return out
}

// within reports whether a moment is in one of the hours; an empty list is always.
func within(list []hours, t time.Time) bool {
	if len(list) == 0 {
		return true
	}
	minute := t.Hour()*60 + t.Minute()
	return slices.ContainsFunc(list, func(h hours) bool { return h.days[t.Weekday()] && minute >= h.from && minute < h.to })
}
