package story

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/store"
)

const moment = "2006-01-02 15:04:05 UTC"

// Tell writes what is known of a call: who called, what happened, who took part, and what
// the meters heard. Times are UTC.
func Tell(w io.Writer, s store.CallStory) error {
	var b strings.Builder
	head(&b, s.Call)
	b.WriteString("\nWhat happened\n")
	if len(s.Events) == 0 {
		b.WriteString("  nothing is recorded\n")
	}
	for _, e := range s.Events {
		fmt.Fprintf(&b, "  %10s  %s\n", fmt.Sprintf("%.3f s", e.At.Sub(s.Call.StartedAt).Seconds()), happening(e))
	}
	if len(s.Legs) > 0 {
		b.WriteString("\nWho took part\n")
	}
	for _, l := range s.Legs {
		leg(&b, l, s.Call)
	}
	if len(s.Reports) > 0 {
		b.WriteString("\nWhat the meters heard\n")
	}
	for _, r := range s.Reports {
		report(&b, r)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func head(b *strings.Builder, c model.Call) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "  %-9s %s\n", name, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(b, "Call %s\n", clean(string(c.ID)))
	from := clean(c.From)
	switch {
	case from == "" && c.Direction == model.Outbound:
		from = "the trunk's own number"
	case from == "":
		from = "a withheld number"
	}
	if c.FromName != "" {
		from += " (" + clean(c.FromName) + ")"
	}
	if c.Direction == model.Outbound {
		from += ", called by " + clean(string(c.Agent))
	}
	if c.Trunk != "" {
		from += ", over " + clean(string(c.Trunk))
	}
	line("from", "%s", from)
	to := clean(c.To)
	if c.Queue != "" {
		to += ", queue " + clean(string(c.Queue))
	}
	line("dialled", "%s", to)
	line("began", "%s", c.StartedAt.UTC().Format(moment))
	if c.AnsweredAt != nil {
		who := "an agent"
		if c.Direction == model.Outbound {
			who = "the callee"
		}
		line("answered", "after %s by %s", after(c.StartedAt, *c.AnsweredAt), who)
	}
	if c.EndedAt == nil {
		line("ended", "not yet")
		return
	}
	line("ended", "after %s: %s", after(c.StartedAt, *c.EndedAt), word(causes, c.Cause))
}

func leg(b *strings.Builder, l model.Leg, of model.Call) {
	began := of.StartedAt
	who := party(l, of) + ", over " + clean(string(l.Trunk))
	if l.Kind == model.AgentLeg {
		who = clean(string(l.Agent))
		if l.Headset != "" {
			who += " with headset " + clean(string(l.Headset))
		}
	}
	fmt.Fprintf(b, "  %s, from %s", who, after(began, l.StartedAt))
	if l.EndedAt == nil {
		b.WriteString(", still there\n")
		return
	}
	fmt.Fprintf(b, " to %s: %s\n", after(began, *l.EndedAt), word(causes, l.Cause))
	if n := l.Stats; n.Codec != "" || n.PacketsIn > 0 || n.PacketsOut > 0 {
		codec := "" // until a packet has come
		if n.Codec != "" {
			codec = clean(n.Codec) + ": "
		}
		fmt.Fprintf(b, "    %s%d packets in, %d out, %d lost, jitter %.1f ms", codec, n.PacketsIn, n.PacketsOut, n.Lost, n.JitterMS)
		if n.RoundTrip > 0 {
			fmt.Fprintf(b, ", round trip %.0f ms", n.RoundTrip)
		}
		if n.MOS > 0 {
			fmt.Fprintf(b, ", MOS %.1f", n.MOS)
		}
		if n.Forged > 0 {
			fmt.Fprintf(b, ", %d not authentic", n.Forged)
		}
		b.WriteString("\n")
	}
}

// party says who is at the other end of a trunk: a leg's identity tells who was passed on to.
func party(l model.Leg, of model.Call) string {
	if strings.Contains(string(l.ID), ".trunk.t") {
		return "who the caller was passed on to"
	}
	if of.Direction == model.Outbound {
		return "the callee"
	}
	return "the caller"
}

func report(b *strings.Builder, r model.ReportRecord) {
	where := "on the wire"
	if r.Report.Tap == headset.TapMic {
		where = "at the microphone"
	}
	fmt.Fprintf(b, "  %s %s: %.0f s of speech", clean(string(r.Agent)), where, r.Report.ActiveSpeech)
	if len(r.Report.Findings) == 0 {
		b.WriteString(", no fault\n")
		return
	}
	b.WriteString("\n")
	for _, f := range r.Report.Findings {
		fmt.Fprintf(b, "    %s: %s\n", strings.ReplaceAll(string(f.Kind), "_", " "), clean(f.Text))
	}
}

func after(began, at time.Time) string { return fmt.Sprintf("%.1f s", at.Sub(began).Seconds()) }

// clean keeps what a caller or a client sent from moving a terminal's cursor.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, s)
}
