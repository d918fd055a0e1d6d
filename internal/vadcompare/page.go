package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"strings"
	"text/template"
)

// results are the scores: one for each condition and detector.
type results struct {
	names      []string
	cost       []float64 // nanoseconds for 20 ms
	alone      float64   // of our own without the spectrum
	conditions []string
	scores     map[string][]score
	hours      float64
	missing    []string
}

func (r *results) add(ctx context.Context, d detector, scenes []scene) error {
	files := make([]string, len(scenes))
	for i, s := range scenes {
		files[i] = s.file
	}
	said, cost, err := d.listen(ctx, files)
	if err != nil {
		return err
	}
	if r.scores == nil {
		r.scores = map[string][]score{}
	}
	at := len(r.names)
	r.names, r.cost = append(r.names, d.name), append(r.cost, cost)
	for i, s := range scenes {
		row := r.scores[s.condition]
		if row == nil {
			r.conditions = append(r.conditions, s.condition)
		}
		for len(row) <= at {
			row = append(row, score{})
		}
		row[at].add(said[i], s.what)
		r.scores[s.condition] = row
	}
	return nil
}

//go:embed page.md
var page string

func (r *results) write(path string) error {
	t, err := template.New("page").Parse(page)
	if err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := t.Execute(f, r); err != nil {
		return err
	}
	return f.Close()
}

// Hours of recordings, and who could Missing not be had, for the page.
func (r *results) Hours() string     { return fmt.Sprintf("%.1f", r.hours) }
func (r *results) Missing() []string { return r.missing }

// Balanced is the table of balanced accuracies.
func (r *results) Balanced() string {
	return r.table(true, func(s score) string { return fmt.Sprintf("%.1f", 100*s.balanced()) }, true)
}

// Errors is the table of miss and false-alarm rates.
func (r *results) Errors() string {
	return r.table(true, func(s score) string { return fmt.Sprintf("%.1f / %.1f", 100*s.miss(), 100*s.alarm()) }, false)
}

// Nobody is the table of false alarms where nobody speaks.
func (r *results) Nobody() string {
	return r.table(false, func(s score) string { return fmt.Sprintf("%.1f", 100*s.alarm()) }, false)
}

// Cost is the table of processor time.
func (r *results) Cost() string {
	var b strings.Builder
	b.WriteString("| detector | µs per 20 ms |\n|---|---|\n")
	fmt.Fprintf(&b, "| own, without the spectrum | %.1f |\n", r.alone/1000)
	for i, n := range r.names {
		fmt.Fprintf(&b, "| %s | %.1f |\n", n, r.cost[i]/1000)
	}
	return b.String()
}

// table shows the conditions with speech or those without, and the mean of the balanced
// accuracies when asked to.
func (r *results) table(withSpeech bool, cell func(score) string, mean bool) string {
	var b strings.Builder
	b.WriteString("| |")
	for _, n := range r.names {
		fmt.Fprintf(&b, " %s |", n)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(r.names)) + "\n")
	sums, rows := make([]float64, len(r.names)), 0
	for _, c := range r.conditions {
		row := r.scores[c]
		if (row[0].speech > 0) != withSpeech {
			continue
		}
		rows++
		fmt.Fprintf(&b, "| %s |", strings.TrimPrefix(c, "nobody: "))
		for i, s := range row {
			sums[i] += 100 * s.balanced()
			fmt.Fprintf(&b, " %s |", cell(s))
		}
		b.WriteString("\n")
	}
	if mean {
		b.WriteString("| **mean** |")
		for _, s := range sums {
			fmt.Fprintf(&b, " **%.1f** |", s/float64(max(1, rows)))
		}
		b.WriteString("\n")
	}
	return b.String()
}
