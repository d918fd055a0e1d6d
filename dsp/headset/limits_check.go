package headset

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
)

// IsZero reports whether nothing differs from DefaultLimits: such a table need not be
// written down.
func (l Limits) IsZero() bool { return l == (Limits{}) || l == DefaultLimits() }

// UnmarshalJSON reads limits. What is not there keeps its default, so that a table
// written before a metric existed stays usable.
func (l *Limits) UnmarshalJSON(data []byte) error {
	type plain Limits
	p := plain(DefaultLimits())
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*l = Limits(p)
	return nil
}

// LimitError is one mistake in a table of limits.
type LimitError struct {
	Key     string // as in YAML: noise_dbov or noise_dbov.bad
	Problem string
}

// Check lists what cannot work in a table that somebody changed: what is not a number,
// and pairs in which bad comes before watch. The zero table, which stands for the
// defaults, is fine.
func (l Limits) Check() []LimitError {
	if l == (Limits{}) {
		return nil
	}
	var wrong []LimitError
	v, usual := reflect.ValueOf(l), reflect.ValueOf(DefaultLimits())
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		switch x := v.Field(i).Interface().(type) {
		case Limit:
			d, _ := usual.Field(i).Interface().(Limit)
			wrong = append(wrong, x.check(key, d)...)
		case float64:
			if !sensible(x) {
				wrong = append(wrong, LimitError{key, fmt.Sprintf("%g is out of range; expected 0 to 1e6", x)})
			} else if x < 0 {
				wrong = append(wrong, LimitError{key, fmt.Sprintf("%g is below 0", x)})
			}
		}
	}
	return wrong
}

func (l Limit) check(key string, usual Limit) []LimitError {
	switch {
	case !sensible(l.Watch):
		return []LimitError{{key + ".watch", fmt.Sprintf("%g is out of range; expected -1e6 to 1e6", l.Watch)}}
	case !sensible(l.Bad):
		return []LimitError{{key + ".bad", fmt.Sprintf("%g is out of range; expected -1e6 to 1e6", l.Bad)}}
	case usual.Bad > usual.Watch && l.Bad < l.Watch:
		return []LimitError{{key, fmt.Sprintf("bad is %g and watch is %g, but more is worse here: bad must not be below watch", l.Bad, l.Watch)}}
	case usual.Bad < usual.Watch && l.Bad > l.Watch:
		return []LimitError{{key, fmt.Sprintf("bad is %g and watch is %g, but less is worse here: bad must not be above watch", l.Bad, l.Watch)}}
	}
	return nil
}

func sensible(x float64) bool { return math.Abs(x) <= 1e6 } // and false for NaN
