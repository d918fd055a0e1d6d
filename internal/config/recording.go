package config

import (
	"fmt"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// Recordings is where recordings of calls are kept and how. Whose calls are recorded is in the
// site file.
type Recordings struct {
	Folder  string          `yaml:"folder"`   // empty is "recordings" in the data folder
	Key     string          `yaml:"key"`      // file; empty is "recordings.key" in the data folder
	Format  RecordingFormat `yaml:"format"`   // wav or opus
	Rate    int             `yaml:"rate"`     // Hz: 8000 or 16000
	MinFree int             `yaml:"min_free"` // MiB of the disk that recordings leave to others
}

// RecordingFormat is how a recording is kept.
type RecordingFormat string

// The formats.
const (
	RecordWAV  RecordingFormat = "wav"
	RecordOpus RecordingFormat = "opus"
)

func (r Recordings) check(f *findings) {
	checkWord(f, "recordings.format", r.Format, RecordWAV, RecordOpus)
	switch {
	case r.Rate != 8000 && r.Rate != 16000:
		f.add("recordings.rate", "%d Hz is not recorded at; write 8000 or 16000", r.Rate)
	case r.Format == RecordOpus && r.Rate != 16000:
		f.add("recordings.rate", "Opus is recorded at 16000 Hz; write that, or format: wav")
	}
	checkRange(f, "recordings.min_free", r.MinFree, 0, 1<<20)
	if r.Folder != "" && r.Folder == r.Key {
		f.add("recordings.key", "%q is the folder of the recordings; the key is a file, better on another disk", r.Key)
	}
}

const (
	longestKeep = 100 * 365 // days
	shortBeep   = 5 * time.Second
	longBeep    = 5 * time.Minute
)

// checkRecording checks how a queue's calls are recorded.
func checkRecording(f *findings, queue string, r model.QueueRecording) {
	key := queue + ".recording"
	checkOptional(f, key+".policy", string(r.Policy), string(model.RecordOff), string(model.RecordAlways), string(model.RecordOnDemand), string(model.RecordConsent))
	checkRange(f, key+".keep_days", r.KeepDays, 0, longestKeep)
	if k := r.ConsentKey; k != "" && (len(k) != 1 || k[0] != '*' && k[0] != '#' && (k[0] < '0' || k[0] > '9')) {
		f.add(key+".consent_key", "%q is not a key of a telephone; write one digit, * or #", k)
	} else if k != "" && r.Policy != model.RecordConsent {
		f.add(key+".consent_key", "means nothing with the policy %q; write policy: consent", fmt.Sprint(r.Policy))
	}
	if r.Beep != 0 {
		checkDuration(f, key+".beep", r.Beep, shortBeep, longBeep)
	}
}
