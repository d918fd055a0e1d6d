package carrier

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/headroom-voice/headroom/media/sip"
)

// From is who calls, as this side means it.
type From struct {
	Number, Name string          // +E.164, or an extension
	Anonymous    bool            // the callee shall not know
	Diverted     []sip.Diversion // the latest first
}

// presented is a caller in the headers that a trunk wants.
type presented struct {
	user, name, domain string // of From
	headers            []sip.Header
}

// present puts a caller into headers. An anonymous one is told to the trunk, where that is
// wanted, and kept from the callee (RFC 3323, RFC 3325).
func (t *Trunk) present(who From, called, target string) presented {
	domain := t.domain(target)
	number := userPart(t.Numbers.Format(t.Numbers.Normal(who.Number), t.Style))
	name := plainText(who.Name)
	p := presented{user: cmp.Or(number, userPart(t.Login.Username)), name: name, domain: domain}
	if t.Caller.Account && t.Login.Username != "" {
		p.user = userPart(t.Login.Username)
	}
	add := func(header, format string, args ...any) {
		p.headers = append(p.headers, sip.Header{Name: header, Value: fmt.Sprintf(format, args...)})
	}
	address := address(name, cmp.Or(number, p.user), domain)
	switch t.Caller.Assert {
	case AssertAsserted:
		add("P-Asserted-Identity", "%s", address)
	case AssertPreferred:
		add("P-Preferred-Identity", "%s", address)
	case AssertRemote:
		privacy := "off"
		if who.Anonymous {
			privacy = "full"
		}
		add("Remote-Party-ID", "%s;party=calling;screen=no;privacy=%s", address, privacy)
	}
	if who.Anonymous {
		p.user, p.name, p.domain = "anonymous", "Anonymous", "anonymous.invalid"
		add("Privacy", "id")
	}
	if len(who.Diverted) > 0 {
		t.tellDiversions(who.Diverted, called, domain, add)
	}
	return p
}

// tellDiversions says over whom the call came.
func (t *Trunk) tellDiversions(list []sip.Diversion, called, domain string, add func(string, string, ...any)) {
	if !t.Caller.History {
		for _, d := range list {
			number := userPart(t.Numbers.Format(t.Numbers.Normal(d.Number), t.Style))
			add("Diversion", "<sip:%s@%s>;reason=%s", number, domain, token(d.Reason))
		}
		return
	}
	index, cause := "1", ""
	for i := len(list) - 1; i >= 0; i-- { // the first who was called first
		number := userPart(t.Numbers.Format(t.Numbers.Normal(list[i].Number), t.Style))
		add("History-Info", "<sip:%s@%s%s>;index=%s", number, domain, cause, index)
		index, cause = index+".1", causeOf(list[i].Reason)
	}
	add("History-Info", "<sip:%s@%s%s>;index=%s", called, domain, cause, index)
}

// causeOf is the reason for a diversion as a URI's cause (RFC 4458 section 2.1); "" for others.
func causeOf(reason string) string {
	n, ok := map[string]int{"unconditional": 302, "unknown": 404, "no-answer": 408, "deflection": 480, "user-busy": 486, "unavailable": 503}[reason]
	if !ok {
		return ""
	}
	return fmt.Sprintf(";cause=%d", n)
}

// address is a name-addr.
func address(name, user, domain string) string {
	uri := "<sip:" + user + "@" + domain + ">"
	if name == "" {
		return uri
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" ` + uri
}

// userPart writes text so that it can stand before the @ of a URI (RFC 3261 section 25.1), at
// most 64 characters of it.
func userPart(s string) string {
	var b strings.Builder
	for i := 0; i < len(s) && b.Len() < 64; i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', strings.IndexByte("-_.!~*'()&=+$/", c) >= 0:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// token is a word that can stand as a parameter's value; "unknown" for anything else.
func token(s string) string {
	if s == "" || len(s) > 32 || strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz-") != "" {
		return "unknown"
	}
	return s
}

// plainText keeps what can be shown of a name.
func plainText(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, s)
	if len(s) > 64 {
		s = strings.ToValidUTF8(s[:64], "")
	}
	return s
}
