package digest

import (
	"errors"
	"strings"
)

// Algorithm is a hash by the name that it has in a header.
type Algorithm string

// The algorithms spoken here, the better first.
const (
	SHA256 Algorithm = "SHA-256"
	MD5    Algorithm = "MD5"
)

// MaxHeader is the longest header value read, in bytes.
const MaxHeader = 2048

// Errors of ParseChallenge and ParseCredentials.
var (
	ErrNotDigest = errors.New("digest: another scheme")
	ErrMalformed = errors.New("digest: malformed")
	ErrAlgorithm = errors.New("digest: algorithm not spoken here")
	ErrNoQOP     = errors.New(`digest: no qop "auth"`)
)

// Challenge is what a server asks with.
type Challenge struct {
	Realm, Nonce, Opaque string
	Algorithm            Algorithm
	Stale                bool // the credentials may be right, the nonce was not
	Auth                 bool // qop="auth" is offered
}

// String is the value of a WWW-Authenticate header.
func (c Challenge) String() string {
	var b strings.Builder
	b.WriteString("Digest realm=" + quote(c.Realm) + ", nonce=" + quote(c.Nonce))
	if c.Opaque != "" {
		b.WriteString(", opaque=" + quote(c.Opaque))
	}
	if c.Stale {
		b.WriteString(", stale=true")
	}
	b.WriteString(", algorithm=" + string(c.Algorithm))
	if c.Auth {
		b.WriteString(`, qop="auth"`)
	}
	return b.String()
}

// ParseChallenge reads a WWW-Authenticate or Proxy-Authenticate header.
func ParseChallenge(header string) (Challenge, error) {
	p, err := parse(header)
	if err != nil {
		return Challenge{}, err
	}
	c := Challenge{Realm: p["realm"], Nonce: p["nonce"], Opaque: p["opaque"], Stale: strings.EqualFold(p["stale"], "true")}
	if c.Algorithm, err = algorithm(p["algorithm"]); err != nil {
		return Challenge{}, err
	}
	if c.Nonce == "" {
		return Challenge{}, ErrMalformed
	}
	offered, limited := p["qop"]
	for qop := range strings.SplitSeq(offered, ",") {
		c.Auth = c.Auth || strings.EqualFold(strings.TrimSpace(qop), "auth")
	}
	if limited && !c.Auth {
		return Challenge{}, ErrNoQOP
	}
	return c, nil
}

// Credentials are what a client answers with.
type Credentials struct {
	Username, Realm, Nonce, URI, Opaque string
	Algorithm                           Algorithm
	Response                            string // lower-case hexadecimal
	CNonce                              string
	NC                                  string // eight hexadecimal digits, as they were written; "" without qop
}

// String is the value of an Authorization header.
func (c Credentials) String() string {
	var b strings.Builder
	b.WriteString("Digest username=" + quote(c.Username) + ", realm=" + quote(c.Realm) + ", nonce=" + quote(c.Nonce) +
		", uri=" + quote(c.URI) + ", response=" + quote(c.Response) + ", algorithm=" + string(c.Algorithm))
	if c.Opaque != "" {
		b.WriteString(", opaque=" + quote(c.Opaque))
	}
	if c.NC != "" {
		b.WriteString(", cnonce=" + quote(c.CNonce) + ", qop=auth, nc=" + c.NC)
	}
	return b.String()
}

// ParseCredentials reads an Authorization header. One without qop is refused: a challenge of
// ours offers it, so the client must take it (RFC 3261 section 22.4, item 8), and without
// its count nothing tells a replay.
func ParseCredentials(header string) (Credentials, error) {
	p, err := parse(header)
	if err != nil {
		return Credentials{}, err
	}
	c := Credentials{Username: p["username"], Realm: p["realm"], Nonce: p["nonce"], URI: p["uri"], Opaque: p["opaque"],
		Response: strings.ToLower(p["response"]), CNonce: p["cnonce"], NC: p["nc"]}
	if c.Algorithm, err = algorithm(p["algorithm"]); err != nil {
		return Credentials{}, err
	}
	if !strings.EqualFold(p["qop"], "auth") {
		return Credentials{}, ErrNoQOP
	}
	size, _ := c.Algorithm.hash()
	if c.Username == "" || c.Nonce == "" || c.URI == "" || c.CNonce == "" || len(c.NC) != 8 || !isHex(c.NC) ||
		len(c.Response) != 2*size || !isHex(c.Response) {
		return Credentials{}, ErrMalformed
	}
	return c, nil
}

func algorithm(name string) (Algorithm, error) {
	switch {
	case name == "", strings.EqualFold(name, string(MD5)): // RFC 7616 section 3.3: MD5 where nothing is said
		return MD5, nil
	case strings.EqualFold(name, string(SHA256)):
		return SHA256, nil
	}
	return "", ErrAlgorithm
}

func isHex(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }) < 0
}

// parse reads "Digest name=value, ..."; names come out in lower case, and each once.
func parse(header string) (map[string]string, error) {
	if len(header) > MaxHeader {
		return nil, ErrMalformed
	}
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Digest") {
		return nil, ErrNotDigest
	}
	params := make(map[string]string)
	for {
		rest = strings.TrimLeft(rest, " \t\r\n,")
		if rest == "" {
			return params, nil
		}
		name, after, ok := strings.Cut(rest, "=")
		if name = strings.ToLower(strings.TrimSpace(name)); !ok || !isToken(name) {
			return nil, ErrMalformed
		}
		value, left, ok := takeValue(strings.TrimLeft(after, " \t\r\n"))
		if _, twice := params[name]; twice || !ok {
			return nil, ErrMalformed
		}
		params[name], rest = value, left
	}
}

// takeValue takes a token or a quoted string, unquoted, off the front of s.
func takeValue(s string) (value, rest string, ok bool) {
	if !strings.HasPrefix(s, `"`) {
		end := strings.IndexByte(s, ',')
		if end < 0 {
			end = len(s)
		}
		value = strings.TrimSpace(s[:end])
		return value, s[end:], isToken(value)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			rest = strings.TrimLeft(s[i+1:], " \t\r\n")
			return b.String(), rest, rest == "" || rest[0] == ','
		case c == '\\' && i+1 < len(s):
			i++
			c = s[i]
			fallthrough
		default:
			if c < ' ' || c == 0x7f {
				return "", "", false
			}
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// isToken holds a name or a bare value to printable text that separates nothing.
func isToken(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`",\`, r) }) < 0
}

// quote writes a quoted string; control characters, which none can hold, are left out.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c == 0x7f:
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			fallthrough
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
