package analyze

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/dsp/headset"
)

// Widths of the report in letters: it fits a terminal of 100.
const (
	findingWidth = 78
	kindWidth    = 10
	titleWidth   = 14
	labelWidth   = 28
	valueWidth   = 9
	unitWidth    = 5
	goodWidth    = 12
	fileWidth    = 40
	maxTimes     = 6 // of a fault, that are listed
)

// printReport writes one file's report for a person.
func (r *run) printReport(res Result) error {
	var b strings.Builder
	r.head(&b, res)
	for _, f := range worstFirst(res.Findings) {
		r.finding(&b, res, f)
	}
	if len(res.Findings) > 0 {
		b.WriteString("\n")
	}
	r.table(&b, res)
	if res.Conversation != nil {
		r.conversation(&b, res.Conversation)
	}
	b.WriteString("\n")
	_, err := io.WriteString(r.stdout, b.String())
	return err
}

// head is the verdict and what was listened to.
func (r *run) head(b *strings.Builder, res Result) {
	fmt.Fprintf(b, "%s: %s\n", r.paint.in(bold, name(res.File)), r.paint.verdict(res.Verdict, verdictLine(res)))
	fmt.Fprintf(b, "  %s\n\n", r.paint.in(faint, heard(res)))
}

// heard says what was listened to.
func heard(res Result) string {
	s := fmt.Sprintf("%s long, %s of it speech; %g kHz, tap %s", clock(res.Duration, 1), clock(res.ActiveSpeech, 1), float64(res.SampleRate)/1000, res.Tap)
	if res.Codec != "" {
		s += ", " + string(res.Codec)
	}
	if res.Channels > 1 {
		s += fmt.Sprintf(", channel %d of %d", res.Channel, res.Channels)
	}
	if res.Far != "" {
		s += ", far end " + name(res.Far)
	}
	return s
}

// verdictLine says in a few words how the file stands.
func verdictLine(res Result) string {
	switch res.Verdict {
	case Good:
		return "GOOD, no faults found"
	case Unjudged:
		return fmt.Sprintf("TOO LITTLE SPEECH to judge, %.1f s of the %g s that are needed", res.ActiveSpeech, res.limits.MinActive)
	}
	return strings.ToUpper(string(res.Verdict)) + ", " + kinds(res.Findings)
}

// kinds lists what was found, the bad first.
func kinds(findings []headset.Finding) string {
	var names []string
	for _, f := range worstFirst(findings) {
		names = append(names, string(f.Kind))
	}
	return strings.Join(names, ", ")
}

// worstFirst gives the findings, the bad before the others.
func worstFirst(findings []headset.Finding) []headset.Finding {
	return slices.SortedStableFunc(slices.Values(findings), func(a, b headset.Finding) int {
		return rank(a.Severity) - rank(b.Severity)
	})
}

func rank(s headset.Severity) int {
	if s == headset.Bad {
		return 0
	}
	return 1
}

// finding writes one fault: how bad, which, what to do, and when it showed.
func (r *run) finding(b *strings.Builder, res Result, f headset.Finding) {
	severity := Verdict(f.Severity)
	lines := wrap(f.Text, findingWidth)
	if when := times(res, f.Kind); when != "" {
		lines = append(lines, wrap(when, findingWidth)...)
	}
	for i, line := range lines {
		word, kind := "", ""
		if i == 0 {
			word, kind = strings.ToUpper(string(f.Severity)), string(f.Kind)
		}
		fmt.Fprintf(b, "  %s %s %s\n", r.paint.verdict(severity, pad(word, 5)), r.paint.in(bold, pad(kind, kindWidth)), line)
	}
}

// times lists when a fault showed.
func times(res Result, kind headset.Kind) string {
	var at []string
	for _, e := range res.Events {
		if e.Kind == kind && len(at) < maxTimes {
			at = append(at, clock(e.At, 0))
		}
	}
	shownTimes := len(at)
	if at = slices.Compact(at); len(at) == 0 {
		return ""
	}
	s := "Heard at " + strings.Join(at, ", ")
	if more := res.counts[kind] - shownTimes; more > 0 {
		s += fmt.Sprintf(" and %d times more", more)
	}
	return s + "."
}

// table writes the metrics that were measured.
func (r *run) table(b *strings.Builder, res Result) {
	for _, p := range parts {
		title := p.title
		for _, row := range p.rows {
			v := row.value(&res.Metrics)
			if !v.Valid() {
				continue
			}
			good, bad := row.bounds(res.limits)
			line := "  " + r.paint.in(faint, pad(title, titleWidth)) + pad(row.label, labelWidth) + padLeft(row.show(v), valueWidth) + " " + pad(row.unit, unitWidth)
			if mark := row.mark(res); mark != "" || good != "" {
				line += " " + r.paint.verdict(mark, pad(string(mark), 6)) + r.paint.in(faint, "good "+pad(good, goodWidth)+" bad "+bad)
			}
			b.WriteString(strings.TrimRight(line, " ") + "\n")
			title = ""
		}
	}
	for _, note := range notes {
		if words := note(&res.Metrics); words != "" {
			b.WriteString("  " + r.paint.in(faint, words) + "\n")
		}
	}
}

// conversation writes how the two parties talked with each other; none of it is a fault.
func (r *run) conversation(b *strings.Builder, c *headset.Conversation) {
	seconds := row{unit: "s", decimals: 1}.show
	share := row{unit: "%"}.show
	line := func(title, label, near, far, unit string) {
		words := "  " + r.paint.in(faint, pad(title, titleWidth)) + pad(label, labelWidth) + padLeft(near, valueWidth) + padLeft(far, valueWidth) + " " + unit
		b.WriteString(strings.TrimRight(words, " ") + "\n")
	}
	line("conversation", "", "this end", "far end", "")
	line("", "talked", clock(c.Near.Talk, 0), clock(c.Far.Talk, 0), "(h:)mm:ss")
	line("", "share of all talk", share(value(c.Near.Share)), share(value(c.Far.Share)), "%")
	line("", "longest monologue", clock(c.Near.Monologue, 0), clock(c.Far.Monologue, 0), "(h:)mm:ss")
	line("", "interrupted the other", fmt.Sprint(c.Near.Interruptions), fmt.Sprint(c.Far.Interruptions), "times")
	line("", "answered after, at median", seconds(c.Near.GapMedian), seconds(c.Far.GapMedian), "s")
	line("", "nine of ten answers within", seconds(c.Near.GapP90), seconds(c.Far.GapP90), "s")
	line("", "both talked at once", seconds(value(c.Overtalk)), "", "s")
	line("", "longest silence of both", seconds(value(c.SilenceLongest)), "", "s")
}

// printSummary writes a line a file and how many stand how.
func (r *run) printSummary(all []Result) error {
	var b strings.Builder
	width := len("file")
	for _, res := range all {
		width = max(width, min(fileWidth, len([]rune(name(res.File)))))
	}
	b.WriteString(r.paint.in(bold, pad("file", width)+"   length   speech   level   noise  verdict") + "\n")
	count := map[Verdict]int{}
	failed := 0
	for _, res := range all {
		file := []rune(name(res.File))
		if len(file) > width {
			file = append([]rune("…"), file[len(file)-width+1:]...)
		}
		b.WriteString(pad(string(file), width))
		if res.Report == nil {
			failed++
			fmt.Fprintf(&b, "  %s\n", r.paint.in(red, "not measured"))
			continue
		}
		count[res.Verdict]++
		word := strings.ToUpper(strings.ReplaceAll(string(res.Verdict), "_", " "))
		if found := kinds(res.Findings); found != "" {
			word = r.paint.verdict(res.Verdict, pad(word, 5)) + " " + found
		} else {
			word = r.paint.verdict(res.Verdict, word)
		}
		fmt.Fprintf(&b, " %8s %8s %7s %7s  %s\n", clock(res.Duration, 0), clock(res.ActiveSpeech, 0),
			level(res.Metrics.ActiveLevelHP), level(res.Metrics.NoiseFloor), word)
	}
	files := "files"
	if len(all) == 1 {
		files = "file"
	}
	fmt.Fprintf(&b, "%d %s: %d bad, %d watch, %d good", len(all), files, count[Bad], count[Watch], count[Good])
	if count[Unjudged] > 0 {
		fmt.Fprintf(&b, ", %d with too little speech", count[Unjudged])
	}
	if failed > 0 {
		fmt.Fprintf(&b, ", %d not measured", failed)
	}
	b.WriteString("; lengths in h:mm:ss, levels in dBov\n")
	_, err := io.WriteString(r.stdout, b.String())
	return err
}

func level(v value) string { return row{decimals: 1}.show(v) }
