package analyze

import (
	"encoding/json"
	"io"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// Result is what is told of one file: the meter's report on one channel, or why there is
// none.
type Result struct {
	File     string  `json:"file"`
	Error    string  `json:"error,omitempty"`    // then nothing else is there
	Warning  string  `json:"warning,omitempty"`  // it was measured, but is not whole
	Channels int     `json:"channels,omitempty"` // that the file holds
	Channel  int     `json:"channel,omitempty"`  // that was measured, from 1
	Far      string  `json:"far,omitempty"`      // where the other party was heard: a file, or channel and number
	Verdict  Verdict `json:"verdict,omitempty"`
	*headset.Report
	Events  []headset.Event `json:"events,omitempty"` // when faults showed, the first maxEvents of them
	LeftOff int             `json:"events_left_off,omitempty"`
	limits  headset.Limits
	counts  map[headset.Kind]int // of events, all
}

// maxEvents is how many events are kept of a file, so that a recording of a day that
// crackles all through stays readable and small.
const maxEvents = 1000

// Verdict is a report in a word.
type Verdict string

// The verdicts.
const (
	Good     Verdict = "good"
	Watch    Verdict = "watch"
	Bad      Verdict = "bad"
	Unjudged Verdict = "too_little_speech" // no fault found, but not enough heard to say there is none
)

// verdict takes the worst finding.
func verdict(r *headset.Report, l headset.Limits) Verdict {
	v := Good
	if r.ActiveSpeech < l.MinActive {
		v = Unjudged
	}
	for _, f := range r.Findings {
		if f.Severity == headset.Bad {
			return Bad
		}
		v = Watch
	}
	return v
}

// note counts an event and keeps it if there is room.
func (r *Result) note(e headset.Event) {
	if r.counts == nil {
		r.counts = map[headset.Kind]int{}
	}
	r.counts[e.Kind]++
	if len(r.Events) == maxEvents {
		r.LeftOff++
		return
	}
	r.Events = append(r.Events, e)
}

func printJSON(w io.Writer, value any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(value)
}
