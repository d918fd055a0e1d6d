package config

import (
	"reflect"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// LoadLimits reads a file of limits: what counts as a fault of a headset. Keys are those
// of headset.Limits; one that is not there keeps what headset.DefaultLimits has. Mistakes
// in the file are Errors.
func LoadLimits(name string) (headset.Limits, error) {
	data, err := readFile(name)
	if err != nil {
		return headset.Limits{}, err
	}
	return ParseLimits(name, data)
}

// ParseLimits is LoadLimits for what is already read; name is for messages.
func ParseLimits(name string, data []byte) (headset.Limits, error) {
	f := &findings{file: name}
	limits := headset.DefaultLimits()
	if decode(data, &limits, f) {
		checkLimits(limits, f)
	}
	if err := f.err(); err != nil {
		return headset.Limits{}, err
	}
	return limits, nil
}

// checkLimits sees that bad is still worse than watch, and durations and shares are not
// below nothing.
func checkLimits(limits headset.Limits, f *findings) {
	given, shipped := reflect.ValueOf(limits), reflect.ValueOf(headset.DefaultLimits())
	for i := range given.NumField() {
		key := given.Type().Field(i).Tag.Get("yaml")
		switch v := given.Field(i).Interface().(type) {
		case headset.Limit:
			d, _ := shipped.Field(i).Interface().(headset.Limit)
			switch {
			case d.Bad < d.Watch && v.Bad > v.Watch:
				f.add(key, "bad is %g and watch is %g, but less is worse here: bad must not be above watch", v.Bad, v.Watch)
			case d.Bad > d.Watch && v.Bad < v.Watch:
				f.add(key, "bad is %g and watch is %g, but more is worse here: bad must not be below watch", v.Bad, v.Watch)
			}
		case float64:
			if v < 0 && shipped.Field(i).Float() >= 0 {
				f.add(key, "%g is below 0", v)
			}
		}
	}
}
