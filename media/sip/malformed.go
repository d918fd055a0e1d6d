package sip

import (
	"bytes"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// maxEcho bounds what of an unreadable request is sent back.
const maxEcho = 4 << 10

// badRequest is the 400, or 416, for a request that cannot be parsed (RFC 3261 section 18.3,
// RFC 4475 section 3.1.2), made of the lines that say where it came from, as they are. It is
// empty for what deserves no answer: a response, an ACK, or nothing that one could go by.
func badRequest(data []byte, agent string) string {
	head, _, _ := strings.Cut(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n\n")
	first, rest, _ := strings.Cut(head, "\n")
	method, target, ok := strings.Cut(first, " ")
	if !ok || method == "" || method == "ACK" || strings.HasPrefix(first, "SIP/") || !strings.Contains(target, "SIP/") {
		return ""
	}
	var b strings.Builder
	b.WriteString("SIP/2.0 " + complaint(target) + "\r\n")
	found := make(map[string]int)
	for _, field := range unfold(rest) {
		name, value, ok := strings.Cut(field, ":")
		name = echoed(strings.TrimSpace(name))
		if !ok || name == "" || name != "Via" && found[name] > 0 {
			continue
		}
		found[name]++
		value = strings.TrimSpace(value)
		if name == "To" && !strings.Contains(strings.ToLower(value), "tag") {
			value += ";tag=" + token(6)
		}
		b.WriteString(name + ": " + value + "\r\n")
	}
	if len(found) != 5 || b.Len() > maxEcho { // one of the five that every request has is missing
		return ""
	}
	b.WriteString("Server: " + agent + "\r\nContent-Length: 0\r\n\r\n")
	return b.String()
}

// complaint is status and phrase for a request that cannot be read: where it is the target's
// scheme that is none of ours, that is what is wrong with it (RFC 4475 section 3.3.3).
func complaint(target string) string {
	scheme, _, ok := strings.Cut(target, ":")
	switch strings.ToLower(scheme) {
	case "sip", "sips", "tel":
		ok = false
	}
	letter := func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
	if ok && len(scheme) > 1 && letter(rune(scheme[0])) && !strings.ContainsFunc(scheme, func(r rune) bool {
		return !letter(r) && (r < '0' || r > '9') && !strings.ContainsRune("+-.", r) // RFC 3986 section 3.1
	}) {
		return "416 " + reason(416)
	}
	return "400 " + reason(400)
}

// echoed is the full name of a header that a response takes from its request
// (RFC 3261 section 8.2.6.2), "" for any other.
func echoed(name string) string {
	switch strings.ToLower(name) {
	case "via", "v":
		return "Via"
	case "from", "f":
		return "From"
	case "to", "t":
		return "To"
	case "call-id", "i":
		return "Call-ID"
	case "cseq":
		return "CSeq"
	}
	return ""
}

// unfold gives the header fields of a message, each on one line (RFC 3261 section 7.3.1), and
// without control characters.
func unfold(head string) []string {
	var fields []string
	for line := range strings.SplitSeq(head, "\n") {
		line = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f {
				return ' '
			}
			return r
		}, line)
		if n := len(fields); n > 0 && strings.HasPrefix(line, " ") {
			fields[n-1] += " " + strings.TrimLeft(line, " ")
			continue
		}
		fields = append(fields, line)
	}
	return fields
}

// unreadable says that a datagram is none that the parser will take. An empty one, or one
// of zeros, only keeps a NAT's binding.
func unreadable(data []byte) bool {
	if len(bytes.Trim(data, "\x00")) == 0 {
		return false
	}
	_, err := sip.ParseMessage(data)
	return err != nil
}
