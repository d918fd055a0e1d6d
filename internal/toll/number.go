package toll

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip/e164"
)

// Bounds on what is typed.
const (
	maxTyped  = 128 // bytes; a tel URI with its parameters fits
	maxDigits = 15  // ITU-T E.164 section 6
)

// number is what was typed, as far as it could be understood.
type number struct {
	digits string // in their order, without plus and prefix
	normal string // +E.164, or a short number; "" where why says what is missing
	why    *model.DialRefusal
}

// read understands what was typed: digits of any script, what people put between them, a plus
// of the world's numbers, and tel URIs (RFC 3966). Nothing but digits is left in the result, so
// that no spelling of a number is of another class than the number.
func read(typed string, plan e164.Plan) number {
	if len(typed) > maxTyped {
		return number{why: refuse(CodeNotANumber, "that is too long for a telephone number")}
	}
	if !utf8.ValidString(typed) {
		return number{why: refuse(CodeNotANumber, "that is not a telephone number")}
	}
	text, context, why := fromTel(strings.TrimSpace(typed))
	if why != nil {
		return number{why: why}
	}
	digits, plus, why := digitsOf(text)
	if why != nil {
		return number{why: why}
	}
	n := number{digits: digits}
	if context != "" && !plus {
		before, world, why := digitsOf(context)
		if world && why == nil { // RFC 3966 section 5.1.5; a domain says nothing here
			digits, plus = before+digits, true
		}
	}
	n.normal, n.why = inTheWorld(digits, plus, plan)
	return n
}

// inTheWorld finds the country of digits.
func inTheWorld(digits string, plus bool, plan e164.Plan) (string, *model.DialRefusal) {
	switch {
	case plus && digits[0] == '0':
		return "", refuse(CodeNotANumber, "no country code begins with 0; write + and the country code, like +44")
	case plus && len(digits) > maxDigits:
		return "", refuse(CodeNotANumber, "that has more digits than any telephone number")
	case plus:
		return "+" + digits, nil
	case len(digits) <= short(plan):
		return digits, nil
	case plan.Country == "":
		return "", refuse(CodeNoCountry, "nobody knows of which country that number is; write + and the country code, like +44")
	}
	normal := plan.Normal(digits)
	if !strings.HasPrefix(normal, "+") {
		if len(digits) > maxDigits+len(plan.International) {
			return "", refuse(CodeNotANumber, "that has more digits than any telephone number")
		}
		return "", refuse(CodeNoCountry, "nobody knows of which country that number is; write it with its area code%s, or with + and the country code", firstDial(plan))
	}
	return normal, nil
}

func firstDial(plan e164.Plan) string {
	if plan.National == "" {
		return ""
	}
	return " and the " + plan.National + " before that"
}

// short is up to how many digits a number is a short one.
func short(plan e164.Plan) int {
	if plan.Short <= 0 {
		return 6 // as e164.Plan has it
	}
	return plan.Short
}

// fromTel takes the number and its context out of a tel URI. What is not one is the number.
func fromTel(s string) (number, context string, why *model.DialRefusal) {
	scheme, rest, ok := strings.Cut(s, ":")
	if !ok {
		return s, "", nil
	}
	if !strings.EqualFold(strings.TrimSpace(scheme), "tel") {
		return "", "", refuse(CodeNotANumber, "that is an address; only telephone numbers can be called")
	}
	number, params, _ := strings.Cut(rest, ";")
	for param := range strings.SplitSeq(params, ";") {
		switch name, value, _ := strings.Cut(param, "="); strings.ToLower(strings.TrimSpace(name)) {
		case "phone-context":
			if context != "" { // RFC 3966 section 3 has each parameter once
				return "", "", refuse(CodeNotANumber, "that has two phone-contexts")
			}
			context = value
		case "ext", "postd", "isub":
			return "", "", extension()
		}
	}
	return number, context, nil
}

func extension() *model.DialRefusal {
	return refuse(CodeExtension, "an extension cannot be dialled along; call the number and then press the keys")
}

// digitsOf leaves the digits of a number, and says whether a plus was before them.
func digitsOf(s string) (digits string, plus bool, why *model.DialRefusal) {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "+") || strings.HasPrefix(s, "00") {
		s = strings.Replace(s, "(0)", "", 1) // +44 (0)20: that 0 is for who calls within the country
	}
	var b strings.Builder
	for at, r := range s {
		d, isDigit := digit(r)
		switch {
		case isDigit:
			b.WriteByte(d)
		case (r == '+' || r == '＋') && b.Len() == 0 && !plus:
			plus = true
		case r == ',' || r == ';' || (unicode.IsLetter(r) && b.Len() > 0 && looksLikeExtension(s[at:])):
			return "", false, extension()
		case r == '*' || r == '#':
			return "", false, refuse(CodeServiceCode, "codes with * and # cannot be called; leave them out")
		case unicode.IsLetter(r):
			return "", false, refuse(CodeNotANumber, "letters cannot be called; write the number in digits")
		case separator(r):
		default:
			return "", false, refuse(CodeNotANumber, "%q has no place in a telephone number", r)
		}
	}
	if b.Len() == 0 {
		return "", false, refuse(CodeNotANumber, "there is no digit in it; type the number to call")
	}
	return b.String(), plus, nil
}

// looksLikeExtension tells "x12" and "ext. 12" behind a number.
func looksLikeExtension(s string) bool {
	s = strings.ToLower(s)
	for _, word := range []string{"ext", "x", "p", "w"} { // p and w are pauses of telephones
		if rest, ok := strings.CutPrefix(s, word); ok && strings.Trim(rest, "ensio. :0123456789") == "" {
			return true
		}
	}
	return false
}

// separator tells what people, and the programs they copy from, put between digits: RFC 3966's
// visual separators, spaces and dashes of any kind, and marks that nobody sees.
func separator(r rune) bool {
	return strings.ContainsRune("-.()/\t", r) || unicode.In(r, unicode.Zs, unicode.Pd, unicode.Cf)
}

// digit gives a decimal digit of any script (Unicode's Nd) as one of ours. In each script they
// stand in order, ten by ten.
func digit(r rune) (byte, bool) {
	if r < utf8.RuneSelf {
		return byte(r), r >= '0' && r <= '9'
	}
	for _, x := range unicode.Nd.R16 {
		if lo, hi := rune(x.Lo), rune(x.Hi); r >= lo && r <= hi {
			return byte('0' + (r-lo)%10), true
		}
	}
	for _, x := range unicode.Nd.R32 {
		if lo, hi := rune(x.Lo), rune(x.Hi); r >= lo && r <= hi {
			return byte('0' + (r-lo)%10), true
		}
	}
	return 0, false
}
