package headset

import (
	"slices"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	meter "github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/dsp/noise"
	"github.com/headroom-voice/headroom/internal/model"
)

// The rules where a site leaves them open; [M] and [A] of the metrics table.
const (
	DefaultMinActiveSpeech = 30 * time.Second // [M] the level is then within 0.2 dB
	DefaultWindow          = 10               // calls [A]
	DefaultReplaceAfter    = 3                // calls [A]
)

// Complete fills in what the rules leave open. The window is never shorter than the calls
// that it takes to replace a headset.
func Complete(r model.HeadsetRules) model.HeadsetRules {
	if r.MinActiveSpeech <= 0 {
		r.MinActiveSpeech = DefaultMinActiveSpeech
	}
	if r.ReplaceAfter <= 0 {
		r.ReplaceAfter = DefaultReplaceAfter
	}
	if r.Window <= 0 {
		r.Window = DefaultWindow
	}
	r.Window = max(r.Window, r.ReplaceAfter)
	return r
}

// Judge says what the history of one headset, newest report first and both taps, amounts
// to at now.
//
//   - Only calls with enough active speech count, and of those the newest rules.Window. The
//     microphone's and the wire's report of one call are one call's evidence.
//   - replace: one fault that is the headset's was bad in rules.ReplaceAfter calls or more,
//     and in most of the newest rules.ReplaceAfter.
//   - watch: something less than that.
//   - good: no fault that is the headset's. What is the person's, a setting's or the network's
//     is told as a finding, but the verdict is on the headset.
//   - A fault that none of the newest rules.ReplaceAfter calls has is over.
//
// Whether the room or the model is to blame takes other headsets' reports. With one
// headset's history alone, noise that sounds like a room is the room's; a hiss, a hum and
// whatever cannot be told count as the headset's.
func Judge(history []model.ReportRecord, rules model.HeadsetRules, now time.Time) model.Verdict {
	rules = Complete(rules)
	calls := counted(history, rules)
	if len(calls) > rules.Window {
		calls = calls[:rules.Window]
	}
	v := model.Verdict{State: model.VerdictGood, Findings: []model.VerdictFinding{}, Reports: len(calls), At: now}
	if len(history) > 0 {
		v.Headset = history[0].Headset
	}
	if len(calls) == 0 {
		v.State, v.Text = model.VerdictUnknown, unknownText(len(history), rules)
		return v
	}
	trends := standing(calls, rules)
	for _, t := range trends {
		v.Findings = append(v.Findings, t.finding(len(calls)))
		if t.replace {
			v.State = model.VerdictReplace
		} else if v.State == model.VerdictGood && t.blame == model.BlameHeadset {
			v.State = model.VerdictWatch
		}
	}
	v.Text = verdictText(v.State, trends, len(calls), rules)
	return v
}

// fault is a finding in one call, with whose it is taken to be.
type fault struct {
	meter.Finding
	blame model.Blame
	tap   meter.Tap
}

// callEvidence is what one call says of the headset.
type callEvidence struct {
	call   model.CallID
	faults []fault // at most one of a kind
}

// counted gives the calls that count, in the order in which they first appear.
func counted(history []model.ReportRecord, rules model.HeadsetRules) []callEvidence {
	type taps struct{ mic, wire []meter.Report }
	var order []model.CallID
	byCall := map[model.CallID]*taps{}
	for _, rec := range history {
		if !counts(rec.Report, rules) {
			continue
		}
		t := byCall[rec.Call]
		if t == nil {
			t = &taps{}
			byCall[rec.Call] = t
			order = append(order, rec.Call)
		}
		if rec.Report.Tap == meter.TapMic {
			t.mic = append(t.mic, rec.Report)
		} else {
			t.wire = append(t.wire, rec.Report)
		}
	}
	calls := make([]callEvidence, 0, len(order))
	for _, id := range order {
		calls = append(calls, callEvidence{call: id, faults: faults(byCall[id].mic, byCall[id].wire)})
	}
	return calls
}

// counts reports whether there is enough in a report to go by: enough speech, or, where a
// dead microphone let none through, enough time for it.
func counts(r meter.Report, rules model.HeadsetRules) bool {
	if r.ActiveSpeech >= rules.MinActiveSpeech.Seconds() {
		return true
	}
	return r.Duration >= rules.MinActiveSpeech.Seconds() && slices.ContainsFunc(r.Findings, func(f meter.Finding) bool {
		return f.Kind == meter.Dead && f.Severity == meter.Bad
	})
}

// faults sorts out whose fault each finding of one call is. What the microphone heard
// is the headset's or the person's. What only the wire heard, while the microphone was
// clean, happened on the way; it counts when it is bad, since a codec alone moves a
// level or a noise floor by a little. Without the microphone's report, the wire speaks
// for it.
func faults(mic, wire []meter.Report) []fault {
	var out []fault
	add := func(r meter.Report, blame func(meter.Report, meter.Finding) model.Blame) {
		for _, f := range r.Findings {
			i := slices.IndexFunc(out, func(have fault) bool { return have.Kind == f.Kind })
			switch {
			case i < 0:
				out = append(out, fault{Finding: f, blame: blame(r, f), tap: r.Tap})
			case out[i].tap == r.Tap && out[i].Severity != meter.Bad && f.Severity == meter.Bad:
				out[i].Finding, out[i].blame = f, blame(r, f)
			}
		}
	}
	for _, r := range mic {
		add(r, ownBlame)
	}
	for _, r := range wire {
		if len(mic) == 0 {
			add(r, ownBlame)
			continue
		}
		bad := r
		bad.Findings = slices.DeleteFunc(slices.Clone(r.Findings), func(f meter.Finding) bool { return f.Severity != meter.Bad })
		add(bad, func(meter.Report, meter.Finding) model.Blame { return model.BlameNetwork })
	}
	return out
}

// ownBlame says whose fault a report's finding is when it was there before the network.
func ownBlame(r meter.Report, f meter.Finding) model.Blame {
	switch f.Kind {
	case meter.Quiet:
		return model.BlamePerson
	case meter.Loud, meter.Echo, meter.Pumping:
		return model.BlameSetting
	case meter.Clipping:
		// Speech that is cut off where the numbers end came too loud into a converter that
		// did its work: a gain to be lowered, and no other headset would change it.
		// Peaks that bend (their value is below 0) do so before the converter.
		if r.Metrics.ClipFullScale && f.Value > 0 {
			return model.BlameSetting
		}
		return model.BlameHeadset
	case meter.Noise:
		return noiseBlame(r.Metrics)
	default:
		return model.BlameHeadset
	}
}

// classSure is the confidence from which the kind of a noise counts as known.
const classSure = 0.6

// noiseBlame goes by what the noise sounds like: voices, music and machines are in the
// room, and no other headset would be without them.
func noiseBlame(m meter.Metrics) model.Blame {
	if m.NoiseConfidence < classSure {
		return model.BlameHeadset
	}
	switch m.NoiseClass {
	case noise.Babble, noise.Music, noise.Room:
		return model.BlameRoom
	default:
		return model.BlameHeadset
	}
}

// trend is one kind of fault with one suspect over the calls looked at.
type trend struct {
	kind     meter.Kind
	blame    model.Blame
	severity meter.Severity
	hits     []hit // of that severity, newest first
	replace  bool  // reason enough to replace the headset
	easing   bool  // would be, but the newest calls are mostly clean
}

type hit struct {
	call model.CallID
	fault
}

// standing gives the trends that stand, the gravest first.
func standing(calls []callEvidence, rules model.HeadsetRules) []trend {
	type suspect struct {
		kind  meter.Kind
		blame model.Blame
	}
	recent := min(rules.ReplaceAfter, len(calls))
	type tally struct {
		bad, all             []hit
		badRecent, allRecent int
	}
	tallies := map[suspect]*tally{}
	var order []suspect
	for i, c := range calls {
		for _, f := range c.faults {
			key := suspect{f.Kind, f.blame}
			t := tallies[key]
			if t == nil {
				t = &tally{}
				tallies[key] = t
				order = append(order, key)
			}
			t.all = append(t.all, hit{c.call, f})
			if i < recent {
				t.allRecent++
			}
			if f.Severity == meter.Bad {
				t.bad = append(t.bad, hit{c.call, f})
				if i < recent {
					t.badRecent++
				}
			}
		}
	}
	var out []trend
	for _, key := range order {
		t := tallies[key]
		if t.allRecent == 0 || len(t.bad) == 0 && len(t.all) < 2 {
			continue // over, or a single call that was a little off
		}
		tr := trend{kind: key.kind, blame: key.blame, severity: meter.Watch, hits: t.all}
		if len(t.bad) > 0 {
			tr.severity, tr.hits = meter.Bad, t.bad
		}
		enough := key.blame == model.BlameHeadset && len(t.bad) >= rules.ReplaceAfter
		tr.replace = enough && 2*t.badRecent > recent
		tr.easing = enough && !tr.replace
		out = append(out, tr)
	}
	slices.SortStableFunc(out, func(a, b trend) int {
		if d := b.weight() - a.weight(); d != 0 {
			return d
		}
		if d := len(b.hits) - len(a.hits); d != 0 {
			return d
		}
		return strings.Compare(string(a.kind)+string(a.blame), string(b.kind)+string(b.blame))
	})
	return out
}

func (t trend) weight() int {
	w := 0
	if t.replace {
		w += 4
	}
	if t.blame == model.BlameHeadset {
		w += 2
	}
	if t.severity == meter.Bad {
		w++
	}
	return w
}

// finding is the trend as it is stored and shown, over n calls.
func (t trend) finding(n int) model.VerdictFinding {
	calls := make([]model.CallID, 0, len(t.hits))
	for _, h := range t.hits {
		calls = append(calls, h.call)
	}
	value, limit := t.value()
	return model.VerdictFinding{
		Kind: t.kind, Severity: t.severity, Blame: t.blame, Value: value, Limit: limit, Calls: calls,
		Text: sentence(t.phrase(n) + t.advice()),
	}
}

// value is the median over the calls, and the limit it stands against. Hits that were
// measured against another limit than the newest (another metric can show the same
// fault) are left out of the median.
func (t trend) value() (value, limit dsp.Value) {
	limit = t.hits[0].Limit
	var values []float64
	for _, h := range t.hits {
		if h.Value.Valid() && (h.Limit == limit || !limit.Valid() && !h.Limit.Valid()) {
			values = append(values, float64(h.Value))
		}
	}
	if len(values) == 0 {
		return dsp.None(), limit
	}
	slices.Sort(values)
	mid := len(values) / 2
	if len(values)%2 == 0 {
		return dsp.Value((values[mid-1] + values[mid]) / 2), limit
	}
	return dsp.Value(values[mid]), limit
}
