// Package mask keeps callers' numbers and names out of logs, as a policy says.
//
// Whoever logs a number or a name says so by its type, [Number] or [Name]; [NewHandler] stands
// before the handler that writes, and looks at every line besides: for SIP and tel URIs, for
// names before an address, and for runs of digits that may be a number, in texts and errors.
// Without that handler the types print as Masked.
//
// A SIP Call-ID stays as it is: it is the other side's, and calls are found by it.
package mask

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
)

// Policy says how much of an identity a log shows.
type Policy string

// The policies. Masked leaves the last two digits of a number, by which a complaint can be
// told from another, and nothing of a name.
const (
	Full   Policy = "full"
	Masked Policy = "masked"
	None   Policy = "none"
)

// Number is a telephone number, or the user part of a SIP URI.
type Number string

// LogValue implements slog.LogValuer for a logger without our handler.
func (n Number) LogValue() slog.Value { return slog.StringValue(Masked.number(string(n))) }

// Name is what a person is called.
type Name string

// LogValue implements slog.LogValuer for a logger without our handler.
func (n Name) LogValue() slog.Value { return slog.StringValue(Masked.name(string(n))) }

const (
	hidden    = "***"
	numberLen = 6 // digits from which a run of them may be a number
	shown     = 2 // digits that Masked leaves
)

// number is how a number, or what stands for one, is shown.
func (p Policy) number(s string) string {
	switch {
	case p == Full || s == "":
		return s
	case p == None:
		return hidden
	case strings.HasPrefix(s, hidden) && len(s) <= len(hidden)+shown: // it has been here already
		return s
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, s)
	if len(digits) < numberLen || strings.ContainsFunc(s, func(r rune) bool { return r >= 'a' && r <= 'z' && r != 'b' || r > '~' }) {
		return hidden // of a short number two digits are much
	}
	return hidden + digits[len(digits)-shown:]
}

func (p Policy) name(s string) string {
	if p == Full || s == "" {
		return s
	}
	return hidden
}

var (
	// The user part of a SIP URI, with a password or not (RFC 3261 section 19.1.1). A URI whose
	// at sign is escaped or missing has its digits found below.
	sipUser = regexp.MustCompile(`(?i)\b(sips?:)([^@\s<>"]+)@`)
	telURI  = regexp.MustCompile(`(?i)\b(tel:)([^\s;,<>"]+)`)
	// The name before an address (RFC 3261 section 20.10), quoted or of tokens.
	quotedName = regexp.MustCompile(`\\?"((?:[^"\\]|\\[^"])*)\\?"(\s*<(?i:sips?|tel):)`)
	tokenName  = regexp.MustCompile(`([A-Za-z0-9.!%*_+'~-]+(?:[ \t]+[A-Za-z0-9.!%*_+'~-]+)*)([ \t]*<(?i:sips?|tel):)`)
	spaced     = regexp.MustCompile(`\+[0-9](?:[ ().-]?[0-9]){5,}`)
	digitRun   = regexp.MustCompile(`(?:\+|%2[bB])?[0-9]{6,}`)
)

// Text shows a text with the identities that are found in it as the policy says.
func (p Policy) Text(s string) string {
	if p == Full || len(s) < numberLen && !strings.Contains(s, ":") {
		return s
	}
	s = spaced.ReplaceAllStringFunc(s, p.number)
	if strings.Contains(s, ":") {
		s = quotedName.ReplaceAllString(s, `"`+hidden+`"$2`)
		s = tokenName.ReplaceAllStringFunc(s, func(m string) string {
			at := strings.LastIndexByte(m, '<')
			return hidden + " " + m[at:]
		})
		s = p.each(sipUser, s, "@")
		s = p.each(telURI, s, "")
	}
	return p.runs(s)
}

// each masks the second group of a pattern.
func (p Policy) each(pattern *regexp.Regexp, s, end string) string {
	return pattern.ReplaceAllStringFunc(s, func(m string) string {
		g := pattern.FindStringSubmatch(m)
		return g[1] + p.number(g[2]) + end
	})
}

// runs masks what is digits alone; within a word, or after one, it is another thing.
func (p Policy) runs(s string) string {
	var b strings.Builder
	last := 0
	for _, at := range digitRun.FindAllStringIndex(s, -1) {
		if afterWord(s[:at[0]]) || at[1] < len(s) && wordly(s[at[1]]) {
			continue
		}
		b.WriteString(s[last:at[0]])
		b.WriteString(p.number(s[at[0]:at[1]]))
		last = at[1]
	}
	return b.String() + s[last:]
}

// afterWord says that what follows goes on with a word: with its letters or digits, or joined
// to it by a dot, hyphen, star or underscore. Digits that are so joined are no word, for people
// write numbers like that.
func afterWord(s string) bool {
	if s == "" {
		return false
	}
	if wordly(s[len(s)-1]) {
		return true
	}
	for i := len(s) - 1; i >= 0 && (wordly(s[i]) || strings.IndexByte(".-*", s[i]) >= 0); i-- {
		if wordly(s[i]) && (s[i] < '0' || s[i] > '9') {
			return true
		}
	}
	return false
}

func wordly(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// handler masks on the way to another.
type handler struct {
	slog.Handler
	policy Policy
}

// NewHandler masks what is logged before h gets it.
func NewHandler(h slog.Handler, p Policy) slog.Handler { return handler{h, p} }

// Handle implements slog.Handler.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, h.policy.Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(h.policy.attr(a))
		return true
	})
	return h.Handler.Handle(ctx, out)
}

// WithAttrs implements slog.Handler.
func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	masked := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		masked[i] = h.policy.attr(a)
	}
	return handler{h.Handler.WithAttrs(masked), h.policy}
}

// WithGroup implements slog.Handler.
func (h handler) WithGroup(name string) slog.Handler {
	return handler{h.Handler.WithGroup(name), h.policy}
}

// names of things, by which lines are found that belong together.
var names = map[string]bool{"call_id": true, "sip_call_id": true, "request_id": true}

func (p Policy) attr(a slog.Attr) slog.Attr {
	if !names[a.Key] {
		a.Value = p.value(a.Value)
	}
	return a
}

func (p Policy) value(v slog.Value) slog.Value {
	switch n := v.Any().(type) {
	case Number:
		return slog.StringValue(p.number(string(n)))
	case Name:
		return slog.StringValue(p.name(string(n)))
	}
	if p == Full {
		return v
	}
	switch v = v.Resolve(); v.Kind() {
	case slog.KindString:
		return slog.StringValue(p.Text(v.String()))
	case slog.KindGroup:
		masked := make([]slog.Attr, 0, len(v.Group()))
		for _, a := range v.Group() {
			masked = append(masked, p.attr(a))
		}
		return slog.GroupValue(masked...)
	case slog.KindAny:
		text := fmt.Sprintf("%+v", v.Any())
		if b, ok := v.Any().([]byte); ok {
			text = string(b)
		}
		if masked := p.Text(text); masked != text {
			return slog.StringValue(masked)
		}
	}
	return v
}
