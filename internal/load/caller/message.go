package caller

import (
	"fmt"
	"strconv"
	"strings"
)

// message is a SIP message, as far as is of interest here.
type message struct {
	method  string // of a request
	status  int    // of a response
	reason  string
	headers []string // lines
	body    string
}

// short are the compact forms (RFC 3261 section 7.3.3) of the headers that are looked at.
var short = map[string]string{"Call-ID": "i", "Contact": "m", "From": "f", "To": "t", "Via": "v"}

// parse reads a message; a line may go on in the next one (section 7.3.1).
func parse(text string) (m message, ok bool) {
	head, body, ok := strings.Cut(text, "\r\n\r\n")
	if !ok {
		return m, false
	}
	m.body = body
	first, rest, _ := strings.Cut(strings.NewReplacer("\r\n ", " ", "\r\n\t", " ").Replace(head), "\r\n")
	m.headers = strings.Split(rest, "\r\n")
	if line, found := strings.CutPrefix(first, "SIP/2.0 "); found {
		code, reason, _ := strings.Cut(line, " ")
		status, err := strconv.Atoi(code)
		m.status, m.reason = status, reason
		return m, err == nil && status >= 100 && status < 700
	}
	method, _, found := strings.Cut(first, " ")
	m.method = method
	return m, found && strings.HasSuffix(first, " SIP/2.0")
}

// header is the first value of a header; "" if there is none.
func (m message) header(name string) string {
	for _, line := range m.headers {
		if v, ok := value(line, name); ok {
			return v
		}
	}
	return ""
}

func value(line, name string) (string, bool) {
	key, v, ok := strings.Cut(line, ":")
	if key = strings.TrimSpace(key); !ok || !strings.EqualFold(key, name) && !strings.EqualFold(key, short[name]) {
		return "", false
	}
	return strings.TrimSpace(v), true
}

func (m message) cseq() string { return strings.Join(strings.Fields(m.header("CSeq")), " ") }

// answer is the response to a request.
func (m message) answer(status, contact, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "SIP/2.0 %s\r\n", status)
	for _, line := range m.headers {
		for _, name := range []string{"Via", "From", "To", "Call-ID", "CSeq", "Record-Route"} {
			if _, ok := value(line, name); ok {
				fmt.Fprintf(&b, "%s\r\n", line)
			}
		}
	}
	if contact != "" {
		fmt.Fprintf(&b, "Contact: %s\r\n", contact)
	}
	if body != "" {
		b.WriteString("Content-Type: application/sdp\r\n")
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	return b.String()
}

// uri is the address in a header like Contact.
func uri(header string) string {
	if _, in, ok := strings.Cut(header, "<"); ok {
		in, _, _ = strings.Cut(in, ">")
		return in
	}
	header, _, _ = strings.Cut(header, ";")
	return strings.TrimSpace(header)
}
