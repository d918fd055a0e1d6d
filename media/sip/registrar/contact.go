package registrar

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/emiago/sipgo/sip"
)

// maxContact is the longest Contact that is read, in bytes.
const maxContact = 512

// malformedExpires is what an Expires counts as that is no number (RFC 3261 sections 20.10
// and 20.19).
const malformedExpires = time.Hour

var errContact = errors.New("registrar: not a contact")

// contact is one Contact of a REGISTER.
type contact struct {
	uri     string // without headers; nothing in it would break out of angle brackets
	key     string // the same for URIs that are equal, see keyOf
	q       int    // thousandths; 1000 where nothing is said
	expires *time.Duration

	instance string // which device, and which of its flows (RFC 5626 section 4.1); "" if not said
}

// parseContact reads one value of a Contact header: a name-addr or an addr-spec with
// parameters (RFC 3261 section 25.1). "*" is none.
func parseContact(value string) (contact, error) {
	value = strings.TrimSpace(value)
	if len(value) > maxContact || strings.IndexFunc(value, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) >= 0 {
		return contact{}, errContact
	}
	addr, params, ok := splitContact(value)
	if !ok {
		return contact{}, errContact
	}
	addr, _, _ = strings.Cut(addr, "?") // headers are for whoever clicks on it
	c := contact{uri: addr, q: 1000}
	if c.key, ok = keyOf(addr); !ok {
		return contact{}, errContact
	}
	var instance, flow string
	for param := range strings.SplitSeq(params, ";") {
		name, text, _ := strings.Cut(param, "=")
		text = strings.TrimSpace(text)
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "q":
			if c.q, ok = parseQ(text); !ok {
				return contact{}, errContact
			}
		case "expires":
			d := parseExpires(text)
			c.expires = &d
		case "+sip.instance":
			instance = strings.ToLower(strings.Trim(text, `"<> `))
		case "reg-id":
			flow = text
		}
	}
	if instance != "" {
		c.instance = instance + ";" + flow
	}
	return c, nil
}

// ContactURI is the URI of one value of a Contact header, as far as it is one that may register.
func ContactURI(value string) (uri sip.Uri, err error) {
	c, err := parseContact(value)
	if err != nil {
		return uri, err
	}
	return uri, sip.ParseUri(c.uri, &uri)
}

// splitContact parts the URI from the parameters that are the header's. Without angle
// brackets every parameter is the header's (section 20.10).
func splitContact(value string) (addr, params string, ok bool) {
	rest := value
	if strings.HasPrefix(rest, `"`) {
		end := quotedEnd(rest)
		if end < 0 {
			return "", "", false
		}
		if rest = strings.TrimSpace(rest[end:]); !strings.HasPrefix(rest, "<") {
			return "", "", false
		}
	}
	open := strings.IndexByte(rest, '<')
	if open < 0 {
		addr, params, _ = strings.Cut(rest, ";")
		return strings.TrimSpace(addr), params, true
	}
	addr, params, ok = strings.Cut(rest[open+1:], ">")
	return strings.TrimSpace(addr), params, ok
}

// quotedEnd is where a quoted string at the start of s is over, or -1.
func quotedEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// keyOf is a URI so that those that are the same (section 19.1.4, as far as phones differ in
// how they write their own) have the same.
func keyOf(text string) (string, bool) {
	var uri sip.Uri
	if strings.ContainsAny(text, "<>\"\\ \t,") || sip.ParseUri(text, &uri) != nil || uri.Host == "" || uri.Wildcard {
		return "", false
	}
	scheme := strings.ToLower(uri.Scheme)
	if scheme != "sip" && scheme != "sips" || uri.Port < 0 || uri.Port > math.MaxUint16 {
		return "", false
	}
	var params []string
	for _, p := range uri.UriParams {
		params = append(params, strings.ToLower(p.K+"="+p.V))
	}
	slices.SortFunc(params, cmp.Compare[string])
	return scheme + ":" + uri.User + "@" + strings.ToLower(uri.Host) + ":" + strconv.Itoa(uri.Port) + ";" + strings.Join(params, ";"), true
}

// parseQ reads a qvalue, 0 to 1 with up to three decimals, as thousandths.
func parseQ(s string) (int, bool) {
	whole, decimals, _ := strings.Cut(s, ".")
	if whole != "0" && whole != "1" || len(decimals) > 3 || strings.Trim(decimals, "0123456789") != "" {
		return 0, false
	}
	n, _ := strconv.Atoi(whole + decimals + "000"[len(decimals):])
	return n, n <= 1000
}

// parseExpires reads delta-seconds, 0 to 2^32-1; what is none counts as an hour.
func parseExpires(s string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 32)
	if err != nil {
		return malformedExpires
	}
	return time.Duration(n) * time.Second
}
