package mask

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestWhatIsShownOfIdentities(t *testing.T) {
	for _, test := range []struct{ text, masked, none string }{
		{"to sip:+442079460958@carrier.example;user=phone", "to sip:***58@carrier.example;user=phone", "to sip:***@carrier.example;user=phone"},
		{"<sips:alice@a.example>", "<sips:***@a.example>", "<sips:***@a.example>"},
		{"sip:1000@127.0.0.1:5060", "sip:***@127.0.0.1:5060", "sip:***@127.0.0.1:5060"},
		{"sip:%2b442079460958:secret@a", "sip:***@a", "sip:***@a"},
		{"SIP:alice;phone-context=x@a b tel:+44-20-7946-0958;ext=1", "SIP:***@a b tel:***58;ext=1", "SIP:***@a b tel:***;ext=1"},
		{`"Alice Smith" <sip:alice@a>`, `"***" <sip:***@a>`, `"***" <sip:***@a>`},
		{`\"Alice \' Smith\" <sip:alice@a>`, `"***" <sip:***@a>`, `"***" <sip:***@a>`},
		{"From: Alice Smith <sip:alice@a>", "From: *** <sip:***@a>", "From: *** <sip:***@a>"},
		{`"+442079460958" is no address`, `"***58" is no address`, `"***" is no address`},
		{"GET /calls?from=%2b442079460958", "GET /calls?from=***58", "GET /calls?from=***"},
		{"+44 20 7946 0958 called", "***58 called", "*** called"},
		{"from 192.0.2.100:50600 at 2026-01-02T12:00:00Z in 1.234567s", "", ""},
		{"z9hG4bK123456789 and call-123456789 and 00c0ffee1234567", "", ""},
		{"12345 bytes", "", ""},
		{"*5550101 and *67*5550101", "****01 and *67****01", "**** and *67****"},
		{"12-555010199 or 020.794601010", "12-***99 or 020.***10", "12-*** or 020.***"},
		{"550e8400-e29b-41d4-446655440000, trace.1-123456 and n_123456", "", ""},
	} {
		for policy, want := range map[Policy]string{Full: test.text, Masked: test.masked, None: test.none} {
			if want == "" {
				want = test.text
			}
			if got := policy.Text(test.text); got != want {
				t.Errorf("%s of %q: %q, want %q", policy, test.text, got, want)
			}
		}
	}
}

type caller struct{ Number, Name string }

func TestNothingOfAnIdentityGetsIntoALog(t *testing.T) {
	const number, name = "+442079460958", "Alice Smith"
	for policy, want := range map[Policy]string{Full: number, Masked: "***58", None: "***"} {
		for _, inner := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var out bytes.Buffer
			log := slog.New(NewHandler(inner(&out), policy)).With("to", Number(number), "name", Name(name)).WithGroup("g")
			log.Info("call in", "caller", Number(number), "count", 1234567)
			log.Info("failed "+number, "error", fmt.Errorf("dial: %w", errors.New("<sip:"+number+"@a> is gone")), "any", caller{number, name},
				slog.Group("inner", "to", Number(number), "text", `"`+name+`" <sip:alice@a>`), "bytes", []byte("To: "+number), "call_id", "1234567")
			text := out.String()
			if strings.Contains(text, "442079460958") != (policy == Full) || policy != Full && strings.Contains(text, "alice@") {
				t.Errorf("%s:\n%s", policy, text)
			}
			if !strings.Contains(text, want) || !strings.Contains(text, "1234567") {
				t.Errorf("%s, without what it should have:\n%s", policy, text)
			}
		}
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("call", "to", Number(number), "name", Name(name))
	if strings.Contains(out.String(), "4420") || strings.Contains(out.String(), "Alice") {
		t.Errorf("without the handler: %s", out.String())
	}
}

// FuzzText holds that a number is left neither in a URI nor alone, whatever stands before it.
func FuzzText(f *testing.F) {
	f.Add(`"Alice" <sip:+442079460958@a>;tag=1`, "442079460958")
	f.Add("x tel:+1-201-555-0123", "5550123")
	f.Fuzz(func(t *testing.T, text, number string) {
		if len(number) < numberLen || strings.Trim(number, "0123456789") != "" {
			number = "442079460958"
		}
		for _, policy := range []Policy{Masked, None} {
			got := policy.Text(text + " " + number + " <sip:" + number + "@host> tel:" + number)
			if i := strings.LastIndex(got, "tel:"); strings.Contains(got[i:], number) {
				t.Fatalf("%q", got)
			}
			if tail := got[strings.LastIndex(got, "sip:"):]; strings.Contains(tail, number) {
				t.Fatalf("%q", got)
			}
			if got := policy.Text(got); strings.Contains(got[strings.LastIndex(got, "sip:"):], number) {
				t.Fatalf("%q, masked again", got)
			}
		}
	})
}
