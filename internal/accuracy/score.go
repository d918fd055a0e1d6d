package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// tally counts what was right of what was tried.
type tally struct{ right, tried int }

func (t *tally) count(right bool) {
	t.tried++
	if right {
		t.right++
	}
}

func (t tally) String() string {
	if t.tried == 0 {
		return "–"
	}
	return fmt.Sprintf("%.1f %% (%d/%d)", 100*float64(t.right)/float64(t.tried), t.right, t.tried)
}

// score gathers outcomes.
type score struct {
	bench    *bench
	notes    []string
	outcomes []*outcome
}

func newScore(b *bench, notes []string) *score { return &score{bench: b, notes: notes} }

func (s *score) add(o *outcome) { s.outcomes = append(s.outcomes, o) }

// sort brings the outcomes into an order that does not depend on the workers.
func (s *score) sort() {
	slices.SortFunc(s.outcomes, func(a, b *outcome) int { return cmp.Compare(a.id(), b.id()) })
}

// scored reports whether a fault of this outcome had to be found, and whether it was.
func (o *outcome) scored() (had, was bool) {
	if o.scene.kind == falseAlarms || o.scene.kind == measures {
		return false, false
	}
	kind, t := o.subject()
	g, _ := o.found(kind)
	return t.least > 0, g >= t.least
}

// recall counts by a key the faults that had to be found.
func (s *score) recall(key func(o *outcome) string) map[string]*tally {
	m := map[string]*tally{}
	for _, o := range s.outcomes {
		had, was := o.scored()
		k := key(o)
		if !had || k == "" {
			continue
		}
		if m[k] == nil {
			m[k] = &tally{}
		}
		m[k].count(was)
	}
	return m
}

// line is one case on one line.
func (o *outcome) line() string {
	var b strings.Builder
	kind, t := o.subject()
	g, value := o.found(kind)
	verdict := "ok  "
	switch had, was := o.scored(); {
	case had && !was:
		verdict = "MISS"
	case g > t.most:
		verdict = "OVER"
	case len(o.wrong()) > 0:
		verdict = "not "
	}
	fmt.Fprintf(&b, "%s %-44s", verdict, o.id())
	if o.scene.kind != falseAlarms && o.scene.kind != measures {
		fmt.Fprintf(&b, " true %.4g [%v..%v] found %v %.4g", t.value, t.least, t.most, g, value)
	}
	for _, f := range o.wrong() {
		if string(f.Kind) != kind {
			fmt.Fprintf(&b, " FALSE %s/%s %.4g (true %.4g)", f.Kind, f.Severity, float64(f.Value), o.truths.of(string(f.Kind)).value)
		}
	}
	for _, m := range o.metricsOf(o.scene.kind) {
		fmt.Fprintf(&b, " %s", m)
	}
	return b.String()
}

// metricsOf gives the report's metrics that bear on a kind, by their JSON names.
func (o *outcome) metricsOf(kind string) []string {
	words := map[string][]string{
		"clipping": {"clip", "peak_factor"}, "crackle": {"crackle", "click", "glitch", "slip", "repeat"},
		"dropout": {"dropout", "drop_out", "glitch"}, "muffled": {"band", "high_low", "ratio", "muffl"},
		"echo": {"echo"}, "dc_offset": {"dc"}, "pumping": {"pump"}, "noise": {"noise", "snr"},
		"quiet": {"active_level_hp"}, "loud": {"active_level_hp"}, "dead": {"dead", "frozen", "silen"},
		measures: {"noise_floor", "snr", "active_level"},
	}[kind]
	if words == nil {
		words = []string{kind}
	}
	raw, err := json.Marshal(o.report.Metrics)
	if err != nil {
		return nil
	}
	var all map[string]any
	if json.Unmarshal(raw, &all) != nil {
		return nil
	}
	var list []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) }) {
			if v, ok := all[name].(float64); ok {
				list = append(list, fmt.Sprintf("%s=%.4g", name, v))
			}
		}
	}
	return list
}

func printReport(out io.Writer, o *outcome) {
	fmt.Fprintf(out, "speech %.2f dBov, active %.2f, noise %.2f (%.2f to %.2f), pumping %.2f dB, DC %.5f\n",
		o.true.speech, o.true.active, o.true.noise, o.true.noiseLow, o.true.noiseHigh, o.true.pumping, o.true.dc)
	for _, k := range slices.Sorted(maps.Keys(o.truths)) {
		fmt.Fprintf(out, "  true %-18s %.5g, to be found: %v to %v\n", k, o.truths[k].value, o.truths[k].least, o.truths[k].most)
	}
	raw, err := json.MarshalIndent(o.report, "", "  ")
	if err == nil {
		fmt.Fprintf(out, "%s\n", raw)
	}
}

// printSummary tells the terminal.
func (s *score) printSummary(out io.Writer) {
	onPath := func(o *outcome) string { return o.path.name }
	for _, p := range s.pathNames() {
		bads := s.recall(func(o *outcome) string {
			if _, t := o.subject(); onPath(o) == p && t.least == 2 {
				return o.scene.kind
			}
			return ""
		})
		watches := s.recall(func(o *outcome) string {
			if _, t := o.subject(); onPath(o) == p && t.least == 1 {
				return o.scene.kind
			}
			return ""
		})
		alarms, hours := s.alarms(func(o *outcome) bool { return onPath(o) == p })
		fmt.Fprintf(out, "== %s: %.1f h innocent, false bad %.2f/h, false watch %.2f/h %v\n", p, hours,
			perHour(alarms, "bad", hours), perHour(alarms, "watch", hours), alarms)
		over := s.overInFaults(func(o *outcome) bool { return onPath(o) == p })
		for _, kind := range kindsOrdered(bads, watches) {
			fmt.Fprintf(out, "  %-10s bad %-20v watch %-20v false in other faults %d\n", kind, at(bads, kind), at(watches, kind), over[kind])
		}
		if e := s.errors(func(o *outcome) bool { return onPath(o) == p }); e.n > 0 {
			fmt.Fprintf(out, "  level %+.2f ± %.2f dB, noise %+.2f ± %.2f, SNR %+.2f ± %.2f (%d cases; worst %.2f, %.2f, %.2f)\n",
				e.bias(0), e.spread(0), e.bias(1), e.spread(1), e.bias(2), e.spread(2), e.n, e.worst[0], e.worst[1], e.worst[2])
		}
	}
}

func at(m map[string]*tally, k string) tally {
	if m[k] == nil {
		return tally{}
	}
	return *m[k]
}

func kindsOrdered(sets ...map[string]*tally) []string {
	var list []string
	for _, f := range faults() {
		for _, m := range sets {
			if m[f.kind] != nil && !slices.Contains(list, f.kind) {
				list = append(list, f.kind)
			}
		}
	}
	return list
}

func (s *score) pathNames() []string {
	var list []string
	for _, p := range allPaths() {
		if slices.ContainsFunc(s.outcomes, func(o *outcome) bool { return o.path.name == p.name }) {
			list = append(list, p.name)
		}
	}
	return list
}

// alarms counts the false findings on innocent material, by "kind/severity", and the hours.
func (s *score) alarms(take func(o *outcome) bool) (map[string]int, float64) {
	m, hours := map[string]int{}, 0.0
	for _, o := range s.outcomes {
		if o.scene.kind != falseAlarms || !take(o) {
			continue
		}
		hours += o.seconds / 3600
		for _, f := range o.wrong() {
			m[string(f.Kind)+"/"+string(f.Severity)]++
		}
	}
	return m, hours
}

func perHour(alarms map[string]int, severity string, hours float64) float64 {
	n := 0
	for k, c := range alarms {
		if strings.HasSuffix(k, "/"+severity) {
			n += c
		}
	}
	return float64(n) / max(hours, 1e-9)
}

// overInFaults counts, by the kind that was found, findings in the scenes of other faults
// that are not true of them.
func (s *score) overInFaults(take func(o *outcome) bool) map[string]int {
	m := map[string]int{}
	for _, o := range s.outcomes {
		if o.scene.kind == falseAlarms || o.scene.kind == measures || !take(o) {
			continue
		}
		for _, f := range o.wrong() {
			m[string(f.Kind)]++
		}
	}
	return m
}

// errorsOf are what the meter read less what is true, in dB: level, noise, SNR.
type errorsOf struct {
	n     int
	all   [3][]float64
	worst [3]float64
	cases [3]string
}

// validSNR is the SNR from which on the active level is compared.
const validSNR = 18

func (s *score) errors(take func(o *outcome) bool) errorsOf {
	var e errorsOf
	for _, o := range s.outcomes {
		if o.scene.kind != measures || !take(o) {
			continue
		}
		m := o.report.Metrics
		e.n++
		level := o.true.alone
		if o.path.tap == headset.TapMic {
			level = o.true.active
		}
		for i, d := range [3]float64{
			float64(m.ActiveLevel) - level, float64(m.NoiseFloor) - o.true.noise,
			float64(m.SNR) - (o.true.speech - o.true.noise),
		} {
			if i == 0 && o.true.speech-o.true.noise < validSNR {
				continue
			}
			if math.IsNaN(d) { // not measured, though it could be
				d = 99
			}
			e.all[i] = append(e.all[i], d)
			if math.Abs(d) > math.Abs(e.worst[i]) {
				e.worst[i], e.cases[i] = d, o.id()
			}
		}
	}
	return e
}

func (e *errorsOf) levels() bool { return len(e.all[0]) > 0 }

func (e *errorsOf) bias(i int) float64 {
	sum := 0.0
	for _, d := range e.all[i] {
		sum += d
	}
	return sum / float64(max(1, len(e.all[i])))
}

func (e *errorsOf) spread(i int) float64 {
	mean, sum := e.bias(i), 0.0
	for _, d := range e.all[i] {
		sum += (d - mean) * (d - mean)
	}
	return math.Sqrt(sum / float64(max(1, len(e.all[i]))))
}

// within is the share of the errors that are at most a target.
func (e *errorsOf) within(i int, target float64) float64 {
	n := 0
	for _, d := range e.all[i] {
		if math.Abs(d) <= target {
			n++
		}
	}
	return float64(n) / float64(max(1, len(e.all[i])))
}
