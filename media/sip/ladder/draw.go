package ladder

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// What a picture is drawn with, in characters.
const (
	clockWidth = 10
	laneWidth  = 40 // between two parties
	maxLanes   = 4  // parties but us; any more share the last lane
)

// Draw is the record as a picture: we on the left, everybody else in a lane to the right of
// us, a line for each message with the seconds since the first. With full, the messages
// follow, each under its number.
func (r Record) Draw(full bool) string {
	var b strings.Builder
	if len(r.Messages) == 0 {
		return "no messages\n"
	}
	lanes := r.lanes()
	title := pad("headroom", laneWidth)
	for _, lane := range lanes {
		title += pad(lane, laneWidth)
	}
	fmt.Fprintf(&b, "%*s  %s\n", clockWidth, "", strings.TrimRight(title, " "))
	for i, m := range r.Messages {
		if r.Missing > 0 && i == r.After {
			fmt.Fprintf(&b, "%*s  ... %d messages were not kept ...\n", clockWidth, "", r.Missing)
		}
		lane := slices.Index(lanes, m.Peer)
		if lane < 0 {
			lane = len(lanes) - 1
		}
		fmt.Fprintf(&b, "%*s  %s\n", clockWidth, clock(m.At.Sub(r.Messages[0].At)), strings.TrimRight(arrow(i+1, &m, lane, len(lanes)), " "))
	}
	if r.Missing > 0 && r.After == len(r.Messages) {
		fmt.Fprintf(&b, "%*s  ... %d messages were not kept ...\n", clockWidth, "", r.Missing)
	}
	if full {
		r.messages(&b)
	}
	return b.String()
}

// lanes are the parties in the order they appear.
func (r Record) lanes() []string {
	var lanes []string
	for _, m := range r.Messages {
		if len(lanes) < maxLanes && !slices.Contains(lanes, m.Peer) {
			lanes = append(lanes, m.Peer)
		}
	}
	return lanes
}

func clock(d time.Duration) string { return fmt.Sprintf("%.3f", d.Seconds()) }

// arrow draws message n from us to a lane or back, with its label in the first gap.
func arrow(n int, m *Message, lane, lanes int) string {
	label := clip(fmt.Sprintf(" %d %s ", n, label(m)), laneWidth-4)
	left := (laneWidth - 2 - utf8.RuneCountInString(label)) / 2
	right := laneWidth - 2 - left - utf8.RuneCountInString(label)
	var b strings.Builder
	b.WriteString("|")
	gap := strings.Repeat("-", left) + label + strings.Repeat("-", right)
	for l := range lanes {
		switch {
		case l > lane:
			b.WriteString(strings.Repeat(" ", laneWidth-1))
		case l > 0:
			gap = strings.Repeat("-", laneWidth-2)
			fallthrough
		default:
			if m.Out && l == lane {
				b.WriteString(gap + ">")
			} else if !m.Out && l == 0 {
				b.WriteString("<" + gap)
			} else {
				b.WriteString(gap + "-")
			}
		}
		b.WriteString("|")
	}
	if m.Repeated > 0 {
		fmt.Fprintf(&b, " and %d more", m.Repeated)
	}
	return b.String()
}

// label is what a message is, in few words.
func label(m *Message) string {
	what, rest, _ := strings.Cut(m.First, " ")
	if strings.HasPrefix(what, "SIP/") {
		_, method, _ := strings.Cut(m.CSeq, " ")
		what = rest + " (" + strings.TrimSpace(method) + ")"
	}
	if strings.HasPrefix(m.Body, "v=0") {
		what += " +SDP"
	}
	return what
}

func (r Record) messages(b *strings.Builder) {
	for i, m := range r.Messages {
		way := "from"
		if m.Out {
			way = "to"
		}
		fmt.Fprintf(b, "\n%d  %s  %s %s over %s\n", i+1, m.At.UTC().Format("2006-01-02 15:04:05.000 UTC"), way, m.Peer, m.Transport)
		text := m.First + "\n" + m.Headers
		if m.Body != "" {
			text += "\n\n" + m.Body
		}
		for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
			b.WriteString(strings.TrimRight("    "+line, " ") + "\n")
		}
		if m.Cut {
			b.WriteString("    ... cut here\n")
		}
	}
}

func pad(s string, width int) string {
	s = clip(s, width)
	return s + strings.Repeat(" ", width-utf8.RuneCountInString(s))
}

func clip(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:width-1]) + "~"
}
