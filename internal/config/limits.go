package config

import "github.com/headroom-voice/headroom/dsp/headset"

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
		checkLimits(limits, "", f)
	}
	if f.wrong["headset"] || f.wrong["limits"] {
		f.add("", "the keys of a site's headset.limits stand at the beginning of the line in this file, not below another key")
	}
	if err := f.err(); err != nil {
		return headset.Limits{}, err
	}
	return limits, nil
}

// checkLimits sees that the numbers make sense; at is the key of the table.
func checkLimits(limits headset.Limits, at string, f *findings) {
	for _, wrong := range limits.Check() {
		f.add(join(at, wrong.Key), "%s", wrong.Problem)
	}
}
