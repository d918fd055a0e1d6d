// Package e164 turns telephone numbers as trunks write them into +E.164 (ITU-T), and back into
// what a trunk wants to read. It is arithmetic on text: no I/O, nothing is looked up.
package e164

import "strings"

// maxDigits is the length of the longest number (ITU-T E.164 section 6).
const maxDigits = 15

// defaultShort is up to how many digits a number is taken for a short one.
const defaultShort = 6

// Bare says how a trunk means a number that no prefix tells about.
type Bare string

// The meanings.
const (
	BareKept     Bare = ""         // nobody knows: it stays as it is
	BareE164     Bare = "e164"     // country code first, the + left out
	BareNational Bare = "national" // within the country, its prefix left out
)

// Style is how a trunk wants numbers.
type Style string

// The styles.
const (
	Plus     Style = ""         // +4930123456
	Digits   Style = "digits"   // 4930123456
	Dialled  Style = "dialled"  // as one dials in the plan's country: 030123456, 0044...
	Prefixed Style = "prefixed" // 004930123456
)

// Plan is how numbers are written at the other end of a trunk. The zero Plan leaves every
// number as it is.
type Plan struct {
	Country       string // its code, such as "49"; "" = no plan
	National      string // what is dialled before an area code, "0" in most of Europe; "" = nothing is
	International string // what is dialled before a country code; default "00"
	Bare          Bare
	// Short is up to how many digits a number is no telephone number of the world's but a
	// short one, an emergency number or an extension, and stays as it is; default 6.
	Short int
}

func (p Plan) short() int {
	if p.Short <= 0 {
		return defaultShort
	}
	return p.Short
}

func (p Plan) international() string {
	if p.International == "" {
		return "00"
	}
	return p.International
}

// Normal gives a number of the plan as +E.164. What is no number of the world's, because it
// is a name, short, of nobody knows which country, or too long, comes back as it was but for
// what people put between digits. tel and sip URIs are taken for the number in them (RFC 3966,
// RFC 3261 section 19.1.6), with the phone-context of a local one. Normal(Normal(n)) is
// Normal(n).
func (p Plan) Normal(number string) string {
	if p.Country == "" {
		return number
	}
	text, context := fromURI(number)
	digits, plus, ok := digitsOf(text)
	if !ok {
		return number
	}
	if !plus && strings.HasPrefix(context, "+") {
		if d, _, ok := digitsOf(context); ok {
			digits, plus = d+digits, true
		}
	}
	if plus {
		return world(digits, number)
	}
	if len(digits) <= p.short() {
		return digits
	}
	if rest, ok := strings.CutPrefix(digits, p.international()); ok && rest != "" && rest[0] != '0' {
		return world(rest, digits)
	}
	if rest, ok := strings.CutPrefix(digits, p.National); ok && p.National != "" && rest != "" && rest[0] != '0' {
		return world(p.Country+rest, digits)
	}
	switch p.Bare {
	case BareE164:
		return world(digits, digits)
	case BareNational:
		return world(p.Country+digits, digits)
	}
	return digits
}

// Format gives a number in a style. Only a +E.164 number has styles; any other stays as it is.
func (p Plan) Format(number string, style Style) string {
	digits, ok := strings.CutPrefix(number, "+")
	if !ok || digits == "" || strings.Trim(digits, "0123456789") != "" {
		return number
	}
	switch style {
	case Digits:
		return digits
	case Prefixed:
		return p.international() + digits
	case Dialled:
		if rest, own := strings.CutPrefix(digits, p.Country); own && p.Country != "" && rest != "" {
			return p.National + rest
		}
		return p.international() + digits
	}
	return number
}

// world is a number of the world's with its +, or other where it cannot be one.
func world(digits, other string) string {
	if len(digits) == 0 || len(digits) > maxDigits || digits[0] == '0' {
		return other
	}
	return "+" + digits
}

// fromURI takes the number, and what a local one is relative to, out of a URI.
func fromURI(s string) (number, context string) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return s, ""
	}
	switch strings.ToLower(scheme) {
	case "tel":
	case "sip", "sips":
		if rest, _, ok = strings.Cut(rest, "@"); !ok {
			return s, ""
		}
	default:
		return s, ""
	}
	number, params, _ := strings.Cut(rest, ";")
	for param := range strings.SplitSeq(params, ";") {
		if name, value, _ := strings.Cut(param, "="); strings.EqualFold(name, "phone-context") {
			context = value
		}
	}
	return number, context
}

// digitsOf strips what people put between digits (RFC 3966 section 5.1.1, and spaces); ok is
// false for what is not a number.
func digitsOf(s string) (digits string, plus, ok bool) {
	s = strings.TrimSpace(s)
	rest, plus := strings.CutPrefix(s, "+")
	var b strings.Builder
	for _, r := range rest {
		switch {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case strings.ContainsRune(" -.()/", r):
		default:
			return "", false, false
		}
	}
	return b.String(), plus, b.Len() > 0 && b.Len() <= 64
}
