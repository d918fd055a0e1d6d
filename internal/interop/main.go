package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// outcome is one line of build/interop.json.
type outcome struct {
	Row    string `json:"row"`
	Peer   string `json:"peer"`
	Passed bool   `json:"passed"`
	Why    string `json:"why"`

	area string
}

// row is something that a peer does, and how to see that it went well.
type row struct {
	area string // of the page
	name string
	peer string
	try  func(ctx context.Context, s *system, dir string) error
}

func main() {
	headroom := flag.String("headroom", "build/bin/headroom", "the service")
	agent := flag.String("agent", "build/bin/headroom-agent", "the agent's client")
	caller := flag.String("load", "build/bin/headroom-load", "the caller")
	page := flag.String("doc", "", "write the page of results to this file")
	list := flag.String("json", "build/interop.json", "write the results to this file")
	only := flag.String("only", "", "rows that have this in their name or area")
	work := flag.String("work", "build/interop", "folder for scenarios and logs")
	flag.StringVar(&profileFile, "profile", "", "write a CPU profile of the service under load to this file")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	loadProgram, agentProgram = *caller, *agent
	outcomes, err := all(ctx, *headroom, *agent, *work, *only)
	if err == nil {
		err = write(outcomes, *list, *page)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
		os.Exit(1)
	}
	for _, o := range outcomes {
		if !o.Passed {
			os.Exit(1)
		}
	}
}

// all tries every row, one after the other.
func all(ctx context.Context, headroom, agent, work, only string) (outcomes []outcome, err error) {
	work, err = filepath.Abs(work)
	if err != nil {
		return nil, err
	}
	if err := os.RemoveAll(work); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(work, 0o700); err != nil {
		return nil, err
	}
	s, err := start(ctx, work, headroom, agent)
	if s != nil {
		defer func() {
			if e := s.stop(); err == nil && e != nil {
				outcomes = append(outcomes, outcome{Row: "everything ends when told to", Peer: "the system", Why: e.Error(), area: "the end"})
			}
		}()
	}
	if err != nil {
		return nil, fmt.Errorf("%w; see the logs in %s", err, work)
	}
	for _, r := range rows() {
		if !strings.Contains(r.area+"/"+r.name+"/"+r.peer, only) {
			continue
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		o := r.attempt(ctx, s, filepath.Join(work, "rows", slug(r.area+" "+r.name+" "+r.peer)))
		outcomes = append(outcomes, o)
		result := "ok  "
		if !o.Passed {
			result = "FAIL"
		}
		fmt.Printf("%s %s: %s (%s) %s\n", result, r.area, r.name, r.peer, strings.ReplaceAll(o.Why, "\n", "\n     "))
	}
	return outcomes, nil
}

// attempt tries one row, and then that the service has nothing left of it.
func (r row) attempt(ctx context.Context, s *system, dir string) outcome {
	o := outcome{Row: r.name, Peer: r.peer, area: r.area}
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
		defer cancel()
		err = r.try(ctx, s, dir)
	}
	if err == nil {
		err = s.settled(ctx)
	} else {
		for range 4 { // for the next row's sake: a call without media ends after a minute
			if s.settled(ctx) == nil {
				break
			}
		}
	}
	if err != nil {
		o.Why = err.Error()
		return o
	}
	o.Passed = true
	return o
}

// slug is a file's name for a row.
func slug(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		}
		return '-'
	}, s[:min(len(s), 120)])
}

func write(outcomes []outcome, list, page string) error {
	b, err := json.MarshalIndent(outcomes, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(list, append(b, '\n'), 0o600); err != nil {
		return err
	}
	if page == "" {
		return nil
	}
	return os.WriteFile(page, []byte(document(outcomes)), 0o600)
}

// document is docs/interop.md.
func document(outcomes []outcome) string {
	var b strings.Builder
	passed := 0
	for _, o := range outcomes {
		if o.Passed {
			passed++
		}
	}
	fmt.Fprintf(&b, "# What other people's SIP makes of it\n\nWritten by `make interop`; do not edit. %d of %d rows passed, each against the real\n", passed, len(outcomes))
	b.WriteString("service with three real agents. A row passes when the peer saw what it had to see and the service\nhad no call left afterwards. SIPp's scenarios are this project's own; they stand in\n`build/interop/rows` after a run, with what went over the wire.\n")
	area := ""
	for _, o := range outcomes {
		if o.area != area {
			area = o.area
			fmt.Fprintf(&b, "\n## %s\n\n| what the peer does | peer | |\n|---|---|---|\n", strings.ToUpper(area[:1])+area[1:])
		}
		result := "passed"
		if !o.Passed {
			result = "**failed**: " + strings.ReplaceAll(firstLine(o.Why), "|", "\\|")
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", o.Row, o.Peer, result)
	}
	return b.String()
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
