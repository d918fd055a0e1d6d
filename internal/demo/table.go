package demo

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/dsp"
	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/model"
)

// Terminal sequences: home and clear, and the few colours that stand beside words.
const (
	clearScreen = "\x1b[H\x1b[2J"
	bold        = "\x1b[1m"
	red         = "\x1b[31m"
	green       = "\x1b[32m"
	dim         = "\x1b[2m"
	plain       = "\x1b[0m"
)

// Table returns a Show function that keeps one screen up to date on a terminal.
func Table(w io.Writer) func(Sight) {
	return func(s Sight) { fmt.Fprint(w, clearScreen+render(s)) }
}

// Lines returns a Show function for output that is no terminal: one line for each change.
func Lines(w io.Writer) func(Sight) {
	last := ""
	return func(s Sight) {
		var b strings.Builder
		fmt.Fprintf(&b, "%d calls", len(s.calls))
		for _, h := range s.Outcome.Headsets {
			fmt.Fprintf(&b, "; %s %s", h.Agent, h.Verdict)
		}
		if line := b.String(); line != last {
			last = line
			fmt.Fprintf(w, "%4.0f s  %s\n", s.at.Sub(s.Started).Seconds(), line)
		}
	}
}

func render(s Sight) string {
	var b strings.Builder
	phase := fmt.Sprintf("rush: %d callers at once, until every headset has its verdict", rushLines)
	if s.Quiet {
		phase = "quiet: one caller at a time; see who gets the calls"
	}
	fmt.Fprintf(&b, "%sHeadroom demo%s  %s  %s\n", bold, plain, s.at.Sub(s.Started).Round(time.Second), phase)
	fmt.Fprintf(&b, "pages: %s   sign in as %s, password %s   Ctrl-C ends everything\n\n", s.Web, admin, s.Password)
	fmt.Fprintf(&b, "%s%-10s %-9s %8s %8s %8s %8s  %-9s %6s  %s%s\n", bold,
		"agent", "state", "speech", "noise", "peak", "clipped", "verdict", "offers", "why", plain)
	fmt.Fprintf(&b, "%s%-10s %-9s %8s %8s %8s %8s  %-9s %6s%s\n", dim, "", "", "dBov", "dBov", "dBov", "%", "", "after*", plain)
	for _, line := range s.Outcome.Headsets {
		b.WriteString(renderLine(s, line))
	}
	fmt.Fprintf(&b, "%s* calls offered since the first headset was flagged, while another agent was free too%s\n\n", dim, plain)
	b.WriteString(renderCalls(s))
	if len(s.Outcome.Missing) == 0 {
		fmt.Fprintf(&b, "\n%sAll of it came true:%s both faulty headsets are flagged, the sound ones are not, and calls go elsewhere.\n", green, plain)
	} else {
		fmt.Fprintf(&b, "\n%sstill to come: %s%s\n", dim, s.Outcome.Missing[0], plain)
	}
	return b.String()
}

func renderLine(s Sight, line HeadsetLine) string {
	state, mic := model.Offline, api.Reading{Level: dsp.None(), ActiveLevel: dsp.None(), NoiseFloor: dsp.None(), Peak: dsp.None(), Clipped: dsp.None()}
	if i := slices.IndexFunc(s.agents, func(a api.Agent) bool { return a.ID == line.Agent }); i >= 0 {
		state = s.agents[i].State
		if s.agents[i].Mic != nil {
			mic = *s.agents[i].Mic
		}
	}
	colour := ""
	switch line.Verdict {
	case model.VerdictReplace:
		colour = red
	case model.VerdictGood:
		colour = green
	}
	return fmt.Sprintf("%-10s %-9s %8s %8s %8s %8s  %s%-9s%s %6d  %s\n", line.Agent, state,
		number1(mic.ActiveLevel), number1(mic.NoiseFloor), number1(mic.Peak), percent(mic.Clipped),
		colour, line.Verdict, plain, s.Outcome.OffersAfterFlag[line.ID], reasons(line.Findings))
}

// reasons names the faults by whom they are put down to, short enough for one line:
// "headset: clipping, dc offset; setting: loud".
func reasons(findings []api.VerdictFinding) string {
	var blamed []model.Blame
	kinds := map[model.Blame][]string{}
	for _, f := range findings {
		if kinds[f.Blame] == nil {
			blamed = append(blamed, f.Blame)
		}
		kinds[f.Blame] = append(kinds[f.Blame], strings.ReplaceAll(string(f.Kind), "_", " "))
	}
	words := make([]string, len(blamed))
	for i, b := range blamed {
		words[i] = fmt.Sprintf("%s: %s", b, strings.Join(kinds[b], ", "))
	}
	return strings.Join(words, "; ")
}

// renderCalls shows how many calls there were and the newest of them.
func renderCalls(s Sight) string {
	var b strings.Builder
	live := 0
	for _, c := range s.calls {
		if c.EndedAt == nil {
			live++
		}
	}
	fmt.Fprintf(&b, "calls: %d so far, %d of them now\n", len(s.calls), live)
	for _, c := range s.calls[:min(len(s.calls), 6)] {
		end, cause := s.at, "in progress"
		if c.EndedAt != nil {
			end, cause = *c.EndedAt, strings.ReplaceAll(string(c.Cause), "_", " ")
		}
		agent := string(c.Agent)
		if agent == "" {
			agent = "waiting"
		}
		fmt.Fprintf(&b, "  %s  %-14s %5.1f s  %-10s %s\n", c.StartedAt.Local().Format("15:04:05"), c.From, end.Sub(c.StartedAt).Seconds(), agent, cause)
	}
	return b.String()
}

func number1(v dsp.Value) string {
	if !v.Valid() {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(v))
}

func percent(v dsp.Value) string {
	if !v.Valid() {
		return "-"
	}
	return fmt.Sprintf("%.2f", 100*float64(v))
}
