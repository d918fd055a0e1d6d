package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// rules is the part of the page that does not depend on the run.
//
//go:embed rules.md
var rules string

// hidden says what a codec does to a fault, for the kinds that may be missed on the wire,
// and what of a miss is not the codec's doing.
var hidden = map[string]string{
	"clipping":  "physics: Opus rounds flat tops below full scale away (1.08 % clipped arrives as 0.003 %); only crowded peaks are left, and a share just over the limit leaves fewer of those than a voice's own spread, and a limiter, which is no fault, leaves as many: it is watch at most unless samples near full scale show that it was the converter",
	"dc_offset": "physics: the encoder's own high-pass takes it away before the first bit is sent",
	"dropout":   "mostly physics: a decoder's gain falls by 5.5 dB in 5 ms and 22 dB a packet at most and rises at once (RFC 6716, 4.2.7.4), so that a hole becomes what a stop consonant becomes; one in two to one in sixteen holes of 20 to 80 ms leaves a mark that clean speech does not (dsp/glitch), and four marks are asked for before one counts and six before it is bad",
	"crackle":   "in part physics: the codec spreads a click of a millisecond over its frame and codes it as noise, and rounds the edges of slips and repeats off",
	"muffled":   "a miss of ours: a capsule that cuts off steeply looks like a source with a narrow band",
	"hum":       "physics: the encoder's high-pass takes 50 Hz by 5 to 7 dB",
}

const main24 = "opus24" // the wire that the targets are stated for

// page is docs/accuracy.md.
func (s *score) page(o *options) string {
	var b strings.Builder
	b.WriteString("# How accurate the meter is\n\n")
	fmt.Fprintf(&b, "Written by `make accuracy`, or by `go run ./internal/accuracy -doc` with other flags; do not edit. %d cases, %.1f hours of audio measured, of which %.1f (mic) and %.1f (wire) innocent.\n\n",
		len(s.outcomes), s.hours(func(*outcome) bool { return true }),
		s.hours(func(o *outcome) bool { return o.scene.kind == falseAlarms && o.path.name == "mic" }),
		s.hours(func(o *outcome) bool { return o.scene.kind == falseAlarms && o.path.name != "mic" }))
	if o.quick {
		b.WriteString("**A quick run: a few voices, calls of a minute, two codecs.**\n\n")
	}
	if o.hours < 10 {
		b.WriteString("**A short run: the targets want ten hours.**\n\n")
	}
	s.targets(&b)
	b.WriteString(rules)
	s.voicesTable(&b)
	s.recallTable(&b)
	s.variantTable(&b)
	s.voiceTable(&b)
	s.alarmTable(&b)
	s.errorTable(&b)
	s.missList(&b)
	return b.String()
}

func (s *score) hours(take func(o *outcome) bool) float64 {
	sum := 0.0
	for _, o := range s.outcomes {
		if take(o) {
			sum += o.seconds / 3600
		}
	}
	return sum
}

// table writes a Markdown table.
func table(b *strings.Builder, head []string, rows [][]string) {
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(head, " | "), strings.Repeat("---|", len(head)))
	for _, r := range rows {
		fmt.Fprintf(b, "| %s |\n", strings.Join(r, " | "))
	}
	b.WriteString("\n")
}

func isMust(o *outcome, least grade) bool {
	_, t := o.subject()
	had, _ := o.scored()
	return had && t.least == least
}

// onPath gives recall by kind of the faults that had to be found as least, on one path.
func (s *score) onPath(name string, least grade) map[string]*tally {
	return s.recall(func(o *outcome) string {
		if o.path.name == name && isMust(o, least) {
			return o.scene.kind
		}
		return ""
	})
}

func (s *score) targets(b *strings.Builder) {
	b.WriteString("## Targets and what was reached\n\n")
	short := func(path string, target float64) string {
		bads := s.onPath(path, 2)
		var missed []string
		for _, k := range kindsOrdered(bads) {
			if t := at(bads, k); float64(t.right) < target*float64(t.tried) {
				missed = append(missed, fmt.Sprintf("%s %v", k, t))
			}
		}
		if len(missed) == 0 {
			return "**reached** by every kind"
		}
		return fmt.Sprintf("**missed** by %s; reached by the other %d kinds", strings.Join(missed, ", "), len(bads)-len(missed))
	}
	verdict := func(v, target float64, form string) string {
		word := "**reached**"
		if math.Abs(v) > target {
			word = "**missed**"
		}
		return fmt.Sprintf(form+", "+word, v)
	}
	micAlarms, micHours := s.alarms(func(o *outcome) bool { return o.path.name == "mic" })
	wireAlarms, wireHours := s.alarms(func(o *outcome) bool { return o.path.name != "mic" })
	e := s.errors(func(o *outcome) bool { return o.path.name == "mic" })
	w := s.errors(func(o *outcome) bool { return o.path.name == main24 })
	table(b, []string{"", "target, mic", "mic", "target, wire", "wire (Opus 24 kbit/s; false findings: all codecs)"}, [][]string{
		{"`bad` found, each kind", "≥ 98 %", short("mic", 0.98), "≥ 90 %", short(main24, 0.9)},
		{"false `bad`", "0 in 10 h", verdict(perHour(micAlarms, "bad", micHours)*micHours, 0, "%.0f") + fmt.Sprintf(" (%.1f h)", micHours), "0 in 10 h", verdict(perHour(wireAlarms, "bad", wireHours)*wireHours, 0, "%.0f") + fmt.Sprintf(" (%.1f h)", wireHours)},
		{"false `watch` an hour", "≤ 1", verdict(perHour(micAlarms, "watch", micHours), 1, "%.2f"), "≤ 2", verdict(perHour(wireAlarms, "watch", wireHours), 2, "%.2f")},
		{"active level, mean error ± spread, worst", "±0.1 dB", e.cell(0, 0.1), "±0.5 dB", w.cell(0, 0.5)},
		{"noise floor", "±1 dB", e.cell(1, 1), "±2 dB", w.cell(1, 2)},
		{"SNR, 10 to 35 dB", "±1 dB", e.cell(2, 1), "±2 dB", w.cell(2, 2)},
	})
	b.WriteString("A level counts as reached where the mean error and nine cases in ten lie within the target.\n\n")
	var why [][]string
	bads := s.onPath(main24, 2)
	for _, k := range slices.Sorted(maps.Keys(hidden)) {
		if t := at(bads, k); k == "dc_offset" || t.tried > 0 && float64(t.right) < 0.9*float64(t.tried) {
			why = append(why, []string{k, t.String(), hidden[k]})
		}
	}
	if len(why) > 0 {
		b.WriteString("What the wire hides:\n\n")
		table(b, []string{"kind", "`bad` found at " + main24, "why"}, why)
	}
}

// cell is one error for people, with its verdict: the target holds for bias, and for nine
// cases in ten.
func (e *errorsOf) cell(i int, target float64) string {
	if e.n == 0 {
		return "–"
	}
	word := "**reached**"
	if e.within(i, target) < 0.9 || math.Abs(e.bias(i)) > target {
		word = "**missed**"
	}
	return fmt.Sprintf("%+.2f ± %.2f dB, worst %+.2f; %.0f %% within, %s", e.bias(i), e.spread(i), e.worst[i], 100*e.within(i, target), word)
}

func (s *score) voicesTable(b *strings.Builder) {
	b.WriteString("## Voices\n\n")
	var rows [][]string
	for _, v := range s.bench.voices {
		if !slices.ContainsFunc(s.outcomes, func(o *outcome) bool { return o.scene.voice == v.name }) {
			continue // only in the babble
		}
		n := 0
		for _, c := range v.clips {
			n += len(c)
		}
		rows = append(rows, []string{v.name, v.source, fmt.Sprint(len(v.clips)), fmt.Sprintf("%.0f s", float64(n)/rate)})
	}
	table(b, []string{"voice", "from", "utterances", "speech"}, rows)
	for _, n := range s.notes {
		fmt.Fprintf(b, "- %s\n", n)
	}
	fmt.Fprintf(b, "Music: asterisk-moh-opsound-wav (CC-BY-SA), %d pieces.\n\n", len(s.bench.music))
}

func (s *score) recallTable(b *strings.Builder) {
	b.WriteString("## Found, by kind, severity and path\n\n`just` is a little over the limit of `bad`, `bad` well over. Right means: found at least as severe as it is; for `below`: not found at all.\n\n")
	paths := s.faultPaths()
	byCell := s.rightness(func(o *outcome) string { return o.scene.kind + " " + o.scene.severity + " " + o.path.name })
	var rows [][]string
	for _, kind := range allKinds() {
		for _, severity := range graded {
			row := []string{kind, severity}
			some := false
			for _, p := range paths {
				t := at(byCell, kind+" "+severity+" "+p)
				some = some || t.tried > 0
				row = append(row, t.String())
			}
			if some {
				rows = append(rows, row)
			}
		}
	}
	table(b, append([]string{"kind", "severity"}, paths...), rows)
}

// rightness counts the fault scenes that were judged right by a key.
func (s *score) rightness(key func(o *outcome) string) map[string]*tally {
	m := map[string]*tally{}
	for _, o := range s.outcomes {
		if o.scene.kind == falseAlarms || o.scene.kind == measures {
			continue
		}
		kind, t := o.subject()
		had, was := o.scored()
		g, _ := o.found(kind)
		if !had && t.most > 0 {
			continue // either is right
		}
		k := key(o)
		if m[k] == nil {
			m[k] = &tally{}
		}
		m[k].count(had && was || !had && g == 0)
	}
	return m
}

func allKinds() []string {
	var list []string
	for _, f := range faults() {
		if !slices.Contains(list, f.kind) {
			list = append(list, f.kind)
		}
	}
	return list
}

// faultPaths lists the paths that fault scenes were heard on.
func (s *score) faultPaths() []string {
	return slices.DeleteFunc(s.pathNames(), func(name string) bool {
		return !slices.ContainsFunc(s.outcomes, func(o *outcome) bool { return o.path.name == name && o.scene.kind != falseAlarms })
	})
}

func (s *score) variantTable(b *strings.Builder) {
	b.WriteString("## `bad` found, by the sort of fault\n\n")
	byCell := s.recall(func(o *outcome) string {
		if !isMust(o, 2) {
			return ""
		}
		return o.scene.kind + "/" + o.scene.variant + " " + o.path.name
	})
	var rows [][]string
	for _, f := range faults() {
		for _, v := range f.variants {
			row := []string{f.kind + "/" + v.name}
			for _, p := range s.faultPaths() {
				row = append(row, at(byCell, f.kind+"/"+v.name+" "+p).String())
			}
			rows = append(rows, row)
		}
	}
	table(b, append([]string{"sort"}, s.faultPaths()...), rows)
}

func (s *score) voiceTable(b *strings.Builder) {
	b.WriteString("## `bad` found, by voice\n\n")
	for _, p := range []string{"mic", main24} {
		byCell := s.recall(func(o *outcome) string {
			if o.path.name != p || !isMust(o, 2) {
				return ""
			}
			return o.scene.kind + " " + o.scene.voice
		})
		head := []string{p}
		for _, v := range s.bench.voices {
			head = append(head, v.name)
		}
		var rows [][]string
		for _, kind := range allKinds() {
			row := []string{kind}
			for _, v := range s.bench.voices {
				t := at(byCell, kind+" "+v.name)
				cell := "–"
				if t.tried > 0 {
					cell = fmt.Sprintf("%d/%d", t.right, t.tried)
				}
				row = append(row, cell)
			}
			rows = append(rows, row)
		}
		table(b, head, rows)
	}
}

func (s *score) alarmTable(b *strings.Builder) {
	b.WriteString("## False findings on innocent material\n\n")
	var rows [][]string
	for _, i := range innocents() {
		for _, mic := range []bool{true, false} {
			alarms, hours := s.alarms(func(o *outcome) bool { return o.scene.variant == i.name && (o.path.name == "mic") == mic })
			if hours == 0 {
				continue
			}
			where := "wire"
			if mic {
				where = "mic"
			}
			var what []string
			for _, k := range slices.Sorted(maps.Keys(alarms)) {
				what = append(what, fmt.Sprintf("%s %d", k, alarms[k]))
			}
			rows = append(rows, []string{
				i.name, where, fmt.Sprintf("%.2f", hours), fmt.Sprintf("%.2f", perHour(alarms, "bad", hours)),
				fmt.Sprintf("%.2f", perHour(alarms, "watch", hours)), strings.Join(what, ", "),
			})
		}
	}
	table(b, []string{"material", "tap", "hours", "`bad` an hour", "`watch` an hour", "which"}, rows)
	b.WriteString("Findings in the scenes of other faults that are not true of them (a fault taken for another), by what was found:\n\n")
	rows = nil
	for _, p := range s.faultPaths() {
		over := s.overInFaults(func(o *outcome) bool { return o.path.name == p })
		var what []string
		for _, k := range slices.Sorted(maps.Keys(over)) {
			what = append(what, fmt.Sprintf("%s %d", k, over[k]))
		}
		n := 0
		for _, o := range s.outcomes {
			if o.path.name == p && o.scene.kind != falseAlarms && o.scene.kind != measures {
				n++
			}
		}
		rows = append(rows, []string{p, fmt.Sprint(n), strings.Join(what, ", ")})
	}
	table(b, []string{"path", "scenes", "found and not true"}, rows)
}

func (s *score) errorTable(b *strings.Builder) {
	b.WriteString("## Level, noise floor and SNR against the known mix\n\nRead less true, mean ± standard deviation, dB. At the microphone the active level is compared with P.56 of what the microphone gave, as the standard has it; on the wire, where a codec has made another signal of it, with P.56 of the speech alone. Both only where the SNR is at least 20 dB: below 16 the standard's figure takes noise for speech.\n\n")
	var rows [][]string
	for _, p := range s.faultPaths() {
		for _, snr := range []string{"snr10", "snr15", "snr20", "snr25", "snr30", "snr35"} {
			e := s.errors(func(o *outcome) bool { return o.path.name == p && o.scene.variant == snr })
			if e.n == 0 {
				continue
			}
			row := []string{p, strings.TrimPrefix(snr, "snr") + " dB", fmt.Sprint(e.n)}
			for i := range 3 {
				if i == 0 && !e.levels() {
					row = append(row, "–")
					continue
				}
				row = append(row, fmt.Sprintf("%+.2f ± %.2f", e.bias(i), e.spread(i)))
			}
			rows = append(rows, row)
		}
	}
	table(b, []string{"path", "SNR", "cases", "active level", "noise floor", "SNR"}, rows)
	e := s.errors(func(*outcome) bool { return true })
	b.WriteString("The worst of each: ")
	for i, what := range []string{"level", "noise", "SNR"} {
		fmt.Fprintf(b, "%s %+.2f dB in `%s`; ", what, e.worst[i], e.cases[i])
	}
	b.WriteString("\n\n")
}

// worstMisses is how many the page lists for each kind and path.
const worstMisses = 4

func (s *score) missList(b *strings.Builder) {
	b.WriteString("## The worst misses and false findings\n\nTo hear and see one: `go run ./internal/accuracy -case CASE -wav out.wav`.\n\n")
	type miss struct {
		o    *outcome
		how  float64 // a bad fault by how far it lies over its limit
		text string
	}
	var misses []miss
	for _, o := range s.outcomes {
		kind, t := o.subject()
		if had, was := o.scored(); had && !was {
			g, _ := o.found(kind)
			l := limits[o.scene.kind]
			how := math.Abs(t.value-l.bad) / math.Max(1e-9, math.Abs(l.bad-l.watch))
			misses = append(misses, miss{o, float64(t.least-g)*10 + how, fmt.Sprintf("%s is %v (%.4g), found %v", kind, t.least, t.value, g)})
		}
		if o.scene.kind != falseAlarms {
			continue
		}
		for _, f := range o.wrong() {
			misses = append(misses, miss{o, 100 * float64(gradeOf(string(f.Severity))), fmt.Sprintf("%s/%s found at %.4g, true %.4g", f.Kind, f.Severity, float64(f.Value), o.truths.of(string(f.Kind)).value)})
		}
	}
	slices.SortStableFunc(misses, func(a, b miss) int { return cmp.Compare(b.how, a.how) })
	shown := map[string]int{}
	for _, m := range misses {
		group := m.o.scene.kind + m.o.path.name
		if shown[group]++; shown[group] <= worstMisses {
			fmt.Fprintf(b, "- `%s`: %s\n", m.o.id(), m.text)
		}
	}
	if len(misses) == 0 {
		b.WriteString("None.\n")
	} else {
		fmt.Fprintf(b, "\nAt most %d are listed of each kind and path; there were %d in all.\n", worstMisses, len(misses))
	}
}
