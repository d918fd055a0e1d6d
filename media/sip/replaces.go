package sip

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// maxReference bounds Refer-To and Replaces.
const maxReference = 1024

var (
	errReplaces = errors.New("sip: malformed Replaces")
	errReferTo  = errors.New("sip: malformed Refer-To")
	errScheme   = errors.New("sip: Refer-To is no telephone or SIP address")
	errMethod   = errors.New("sip: Refer-To asks for something other than a call")
)

// Replaces names a dialog to be taken over by a new call (RFC 3891), from the view of the
// party that gets the INVITE: ToTag is its own.
type Replaces struct {
	CallID, ToTag, FromTag string
	EarlyOnly              bool // only if it was not answered
}

// String is the header's value.
func (r Replaces) String() string {
	s := r.CallID + ";to-tag=" + r.ToTag + ";from-tag=" + r.FromTag
	if r.EarlyOnly {
		s += ";early-only"
	}
	return s
}

// ParseReplaces reads the value of a Replaces header (RFC 3891 section 6.1). Each tag must be
// there once; what else is said is passed over.
func ParseReplaces(value string) (Replaces, error) {
	var r Replaces
	if len(value) > maxReference {
		return r, fmt.Errorf("%w: %d bytes", errReplaces, len(value))
	}
	id, params, _ := strings.Cut(value, ";")
	if r.CallID = strings.TrimSpace(id); !isWord(r.CallID) {
		return Replaces{}, fmt.Errorf("%w: Call-ID", errReplaces)
	}
	seen := make(map[string]bool)
	for param := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(param, "=")
		k, v = strings.ToLower(strings.TrimSpace(k)), strings.TrimSpace(v)
		var tag *string
		switch k {
		case "to-tag":
			tag = &r.ToTag
		case "from-tag":
			tag = &r.FromTag
		case "early-only":
			r.EarlyOnly = true
			continue
		default:
			continue
		}
		if seen[k] || !isWord(v) {
			return Replaces{}, fmt.Errorf("%w: %s", errReplaces, k)
		}
		seen[k], *tag = true, v
	}
	if r.ToTag == "" || r.FromTag == "" {
		return Replaces{}, fmt.Errorf("%w: a tag is missing", errReplaces)
	}
	return r, nil
}

// isWord says that s may be a Call-ID or a tag: printable, and nothing that separates.
func isWord(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == ',' || c == ';' {
			return false
		}
	}
	return s != ""
}

// reference is what a Refer-To header asks for: a call.
type reference struct {
	target   string    // a sip, sips or tel URI without headers
	replaces *Replaces // the call is to take over this one
}

// String is the header's value.
func (r reference) String() string {
	if r.replaces == nil {
		return "<" + r.target + ">"
	}
	return "<" + r.target + "?Replaces=" + url.QueryEscape(r.replaces.String()) + ">"
}

// parseReferTo reads the value of a Refer-To header (RFC 3515 section 2.1). Headers that it
// would put into the INVITE are passed over, but for Replaces.
func parseReferTo(value string) (reference, error) {
	var out reference
	if len(value) > maxReference || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return out, errReferTo
	}
	text := value
	if i := strings.LastIndexByte(value, '<'); i >= 0 {
		end := strings.IndexByte(value[i:], '>')
		if end < 0 {
			return out, errReferTo
		}
		text = value[i+1 : i+end]
	}
	text, headers, _ := strings.Cut(strings.TrimSpace(text), "?")
	scheme, rest, ok := strings.Cut(text, ":")
	switch scheme = strings.ToLower(scheme); {
	case !ok || rest == "" || strings.ContainsAny(rest, " <>\"\\"):
		return out, errReferTo
	case scheme == "tel":
	case scheme != "sip" && scheme != "sips":
		return out, errScheme
	default:
		var uri sip.Uri
		if err := sip.ParseUri(scheme+":"+rest, &uri); err != nil || uri.Host == "" {
			return out, errReferTo
		}
		if method, ok := uri.UriParams.Get("method"); ok && !strings.EqualFold(method, string(sip.INVITE)) {
			return out, errMethod
		}
	}
	out.target = scheme + ":" + rest
	for header := range strings.SplitSeq(headers, "&") {
		name, escaped, _ := strings.Cut(header, "=")
		if !strings.EqualFold(name, "Replaces") {
			continue
		}
		plain, err := url.PathUnescape(escaped)
		if err != nil || out.replaces != nil {
			return reference{}, errReplaces
		}
		r, err := ParseReplaces(plain)
		if err != nil {
			return reference{}, err
		}
		out.replaces = &r
	}
	return out, nil
}

// fragment reads the status of a message/sipfrag that a NOTIFY brings (RFC 3515 section
// 2.4.5): its first line, of which some forget the words.
func fragment(body []byte) (status int, ok bool) {
	line, _, _ := strings.Cut(string(body[:min(len(body), maxReference)]), "\n")
	f := strings.Fields(line)
	if len(f) < 2 || !strings.EqualFold(f[0], "SIP/2.0") || len(f[1]) != 3 {
		return 0, false
	}
	for _, c := range []byte(f[1]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		status = 10*status + int(c-'0')
	}
	return status, status >= 100 && status <= 699
}
