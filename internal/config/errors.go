package config

import (
	"fmt"
	"sort"
	"strings"
)

// Error is one mistake in a file.
type Error struct {
	File    string // as it was given
	Line    int    // from 1; 0 when the value did not come from a file
	Key     string // such as queues[1].wrap_up; empty for the file as a whole
	Problem string // what is wrong, and what was expected
}

// Error gives file:line: key: problem.
func (e Error) Error() string {
	var b strings.Builder
	if e.File != "" {
		b.WriteString(e.File + ":")
		if e.Line > 0 {
			fmt.Fprintf(&b, "%d:", e.Line)
		}
		b.WriteString(" ")
	}
	if e.Key != "" {
		b.WriteString(e.Key + ": ")
	}
	b.WriteString(e.Problem)
	return b.String()
}

// Errors are all mistakes of a file in order of line; there is at least one.
type Errors []Error

// Error gives one mistake a line.
func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// findings collects mistakes and knows where each key stood.
type findings struct {
	file   string
	lines  map[string]int
	wrong  map[string]bool // keys that could not be read: what a check says of them is idle
	errors Errors
}

// add notes a mistake at a key. Its line is the key's, or where the key is not in the
// file, that of the nearest one around it.
func (f *findings) add(key, format string, args ...any) {
	line := 0
	for at := key; ; at = at[:max(strings.LastIndexAny(at, ".["), 0)] {
		if f.wrong[at] {
			return
		}
		if line == 0 {
			line = f.lines[at]
		}
		if at == "" {
			break
		}
	}
	f.errors = append(f.errors, Error{File: f.file, Line: line, Key: key, Problem: fmt.Sprintf(format, args...)})
}

// err gives the mistakes in order, or nil.
func (f *findings) err() error {
	if len(f.errors) == 0 {
		return nil
	}
	sort.SliceStable(f.errors, func(i, j int) bool { return f.errors[i].Line < f.errors[j].Line })
	return f.errors
}
