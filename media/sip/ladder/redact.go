package ladder

import (
	"fmt"
	"mime"
	"regexp"
	"strings"
	"unicode"
)

// hidden stands for what is left out.
const hidden = "***"

// harmless are the parameters of a challenge, and of the answer to one, that open nothing
// (RFC 7616 section 3); any other is hidden.
var harmless = map[string]bool{
	"realm": true, "algorithm": true, "stale": true, "qop": true, "nc": true, "uri": true, "username": true, "charset": true, "userhash": true,
}

var (
	// sip:user:password@host (RFC 3261 section 19.1.1)
	uriPassword = regexp.MustCompile(`(?i)(sips?:[^:@\s;,<>"]*):[^@\s<>"]*@`)
	// digits that are sent once the call stands (RFC 2806 section 2.2)
	postDial  = regexp.MustCompile(`(?i)(;postd=)[^;>\s"]*`)
	authParam = regexp.MustCompile(`([A-Za-z0-9_-]+)\s*=\s*("(?:[^"\\]|\\.)*"?|[^\s,"]*)`)
	inlineKey = regexp.MustCompile(`(?i)(inline:)[^\s|;]*`)
)

// message is what a text is taken apart into, without its secrets.
type message struct {
	first   string
	headers string // lines
	body    string
	callID  string
	cseq    string
}

// redact takes a message apart and leaves the secrets out. It keeps printable text only.
func redact(text string) message {
	head, body, _ := strings.Cut(strings.ReplaceAll(text, "\r\n", "\n"), "\n\n")
	lines := unfold(head)
	m := message{first: cleanURIs(lines[0])}
	var kept []string
	kind := ""
	for _, line := range lines[1:] {
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || name == "" {
			continue
		}
		switch strings.ToLower(name) {
		case "authorization", "proxy-authorization", "www-authenticate", "proxy-authenticate", "authentication-info", "proxy-authentication-info":
			value = proof(value)
		case "content-type", "c":
			if kind != "" && kind != value {
				value = "two of them"
			}
			kind = value
		case "call-id", "i":
			m.callID = value
		case "cseq":
			m.cseq = value
		}
		kept = append(kept, name+": "+cleanURIs(value))
	}
	m.headers = strings.Join(kept, "\n")
	if strings.HasPrefix(m.first, "INFO ") && kind != "" { // whatever it is called, there are digits in it
		kind = "INFO"
	}
	m.body = bodyWithoutSecrets(kind, body)
	return m
}

// unfold gives the lines of a head without control characters, folded ones joined (RFC 3261
// section 7.3.1). There is at least one.
func unfold(head string) []string {
	var lines []string
	for line := range strings.SplitSeq(head, "\n") {
		folded := strings.HasPrefix(line, " ") || strings.HasPrefix(line, "\t")
		line = printable(line)
		if n := len(lines); folded && n > 0 {
			lines[n-1] += " " + strings.TrimSpace(line)
			continue
		}
		lines = append(lines, line)
	}
	return lines
}

// printable keeps a line from moving a terminal's cursor.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' {
			return ' '
		}
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, line)
}

// cleanURIs hides what stands in URIs and is nobody's business. Few values have any, and
// looking is dear.
func cleanURIs(value string) string {
	if at := strings.LastIndexByte(value, '@'); at > 0 && strings.Count(value[:at], ":") > 1 {
		value = uriPassword.ReplaceAllString(value, "${1}:"+hidden+"@")
	}
	if strings.Contains(value, "=") && strings.Contains(strings.ToLower(value), ";postd=") {
		value = postDial.ReplaceAllString(value, "${1}"+hidden)
	}
	return value
}

// proof keeps of a challenge or its answer what opens nothing.
func proof(value string) string {
	scheme, params, _ := strings.Cut(value, " ")
	if strings.Contains(scheme, "=") { // Authentication-Info names none
		scheme, params = "", value
	}
	if scheme != "" && !strings.EqualFold(scheme, "Digest") {
		return scheme + " " + hidden
	}
	var kept []string
	for _, p := range authParam.FindAllStringSubmatch(params, -1) {
		if !harmless[strings.ToLower(p[1])] {
			p[2] = hidden
		}
		kept = append(kept, p[1]+"="+p[2])
	}
	return strings.TrimSpace(scheme + " " + strings.Join(kept, ", "))
}

// bodyWithoutSecrets keeps session descriptions and a transfer's report. Of any other body
// only what it was: an INFO carries digits, and some carry a place or a name.
func bodyWithoutSecrets(contentType, body string) string {
	if strings.TrimSpace(body) == "" {
		return ""
	}
	kind, _, err := mime.ParseMediaType(contentType)
	switch {
	case err == nil && kind == "application/sdp":
		return description(body)
	case err == nil && strings.HasPrefix(kind, "message/sipfrag"):
		m := redact(strings.TrimLeft(body, "\n"))
		return strings.TrimRight(m.first+"\n"+m.headers, "\n")
	case err == nil && strings.Contains(kind, "/"):
		return fmt.Sprintf("(%d bytes of %s)", len(body), kind)
	default:
		return fmt.Sprintf("(%d bytes)", len(body))
	}
}

// description is a session description without its keys: a=crypto (RFC 4568), a=key-mgmt
// (RFC 4567), k= (RFC 4566 section 5.12), and the password of ICE (RFC 8839 section 5.4).
func description(body string) string {
	var kept []string
	for line := range strings.SplitSeq(strings.TrimRight(body, "\n"), "\n") {
		line = printable(line)
		if len(line) < 2 || line[1] != '=' { // no line of a description
			continue
		}
		key, _, _ := strings.Cut(line, ":")
		switch is := func(name string) bool { return strings.EqualFold(strings.TrimSpace(key), name) }; {
		case line[0] == 'k' || line[0] == 'K':
			line = "k=" + hidden
		case is("a=crypto"):
			line = cryptoLine(line)
		case is("a=ice-pwd"), is("a=key-mgmt"):
			line = key + ":" + hidden
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "\n")
}

// cryptoLine keeps tag, suite, lifetime and session parameters of an a=crypto line.
func cryptoLine(line string) string {
	f := strings.Fields(line)
	for i := range f {
		switch {
		case i < 2 || strings.HasPrefix(strings.ToUpper(f[i]), "FEC_KEY"):
			if i >= 2 {
				f[i] = "FEC_KEY=" + hidden
			}
		case i == 2 && strings.HasPrefix(strings.ToLower(f[i]), "inline:"):
			f[i] = inlineKey.ReplaceAllString(f[i], "${1}"+hidden)
		case i == 2:
			f[i] = hidden
		}
	}
	return strings.Join(f, " ")
}
