package trunktest

import (
	"fmt"
	"io"
	"strings"
)

// Line writes a check for people.
func Line(w io.Writer, c Check) {
	name := map[Step]string{StepDNS: "DNS", StepTLS: "TLS", StepOptions: "OPTIONS", StepRegister: "REGISTER", StepUnregister: "unregister", StepCall: "call"}[c.Step]
	mark := map[Outcome]string{OK: "ok", Warning: "warning", Failed: "FAILED"}[c.Outcome]
	what := c.Server
	switch c.Step {
	case StepDNS:
		what = c.Target
	case StepCall:
		what = "to " + c.Target
	}
	fmt.Fprintf(w, "%-8s %-10s %s: %s\n", mark, name, printable(what), printable(c.Words))
	for _, l := range c.Lookups {
		said := strings.Join(l.Records, "; ")
		switch {
		case l.Error != "":
			said = l.Error
		case said == "":
			said = "none"
		}
		fmt.Fprintf(w, "%20s%s %s: %s\n", "", l.Type, printable(l.Name), printable(said))
	}
	if t := c.Certificate; t != nil && c.Outcome != OK {
		fmt.Fprintf(w, "%20scertificate for %s, by %s, until %s\n", "", printable(strings.Join(t.Names, ", ")), printable(t.Issuer), t.NotAfter.Format("2006-01-02"))
	}
	if c.Advice != "" {
		fmt.Fprintf(w, "%20s-> %s\n", "", printable(c.Advice))
	}
}

// Summary writes the last line.
func Summary(w io.Writer, r Result) {
	bad := 0
	for _, c := range r.Checks {
		if c.Outcome != OK {
			bad++
		}
	}
	if bad == 0 {
		fmt.Fprintf(w, "trunk %s: all is well\n", r.Trunk)
		return
	}
	fmt.Fprintf(w, "trunk %s: %d of %d checks have found something wrong\n", r.Trunk, bad, len(r.Checks))
}

// printable keeps what other machines have said from steering a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' {
			return '?'
		}
		return r
	}, s)
}
