package sip

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// token is a random name for tags, branches and Call-IDs.
func token(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b)
	return hex.EncodeToString(b)
}

func text(h *sip.CallIDHeader) string {
	if h == nil {
		return ""
	}
	return h.Value()
}

// tagOf reads the tag of a From or To header; "" when there is neither.
func tagOf(h sip.Header) string {
	switch h := h.(type) {
	case *sip.FromHeader:
		if h != nil {
			return h.Params.GetOr("tag", "")
		}
	case *sip.ToHeader:
		if h != nil {
			return h.Params.GetOr("tag", "")
		}
	}
	return ""
}

// tidyParams spells the parameters that dialogs and transactions go by as sipgo looks them
// up: names are not case-sensitive and may stand in white space (RFC 3261 section 7.3.1).
func tidyParams(m sip.Message) {
	if h := m.From(); h != nil {
		h.Params = tidy(h.Params)
	}
	if h := m.To(); h != nil {
		h.Params = tidy(h.Params)
	}
	if h := m.Via(); h != nil {
		h.Params = tidy(h.Params)
	}
}

func tidy(params sip.HeaderParams) sip.HeaderParams {
	for i := range params {
		p := &params[i]
		p.K, p.V = strings.TrimSpace(p.K), strings.TrimSpace(p.V)
		for _, name := range []string{"tag", "branch", "rport"} {
			if strings.EqualFold(p.K, name) {
				p.K = name
			}
		}
	}
	return slices.DeleteFunc(params, func(p sip.HeaderKV) bool { return p.K == "" })
}

func branchOf(m sip.Message) string {
	if via := m.Via(); via != nil {
		return via.Params.GetOr("branch", "")
	}
	return ""
}

// values gives the comma-separated values of every header with one of these names.
// Commas within quotes and angle brackets do not separate.
func values(m sip.Message, names ...string) []string {
	var out []string
	for _, name := range names {
		for _, h := range m.GetHeaders(name) {
			out = append(out, splitList(h.Value())...)
		}
	}
	return out
}

func splitList(s string) []string {
	var out []string
	quoted, depth, start := false, 0, 0
	flush := func(end int) {
		if v := strings.TrimSpace(s[start:end]); v != "" {
			out = append(out, v)
		}
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '<':
			depth++
		case c == '>':
			depth = max(0, depth-1)
		case c == ',' && depth == 0:
			flush(i)
			start = i + 1
		}
	}
	flush(len(s))
	return out
}

// unsupported lists the option tags that a request requires and this side lacks.
func (e *endpoint) unsupported(req *sip.Request) string {
	var out []string
	for _, v := range values(req, "Require") {
		if !slices.Contains(strings.Split(e.supported(), ", "), strings.ToLower(v)) {
			out = append(out, v)
		}
	}
	return strings.Join(out, ", ")
}

func supports(m sip.Message, option string) bool {
	for _, v := range values(m, "Supported", "k", "Require") {
		if strings.EqualFold(v, option) {
			return true
		}
	}
	return false
}

// maxName bounds what is kept of a caller's name and number.
const maxName = 128

// userOf is the number or name in a sip, sips or tel URI, without its parameters.
func userOf(uri *sip.Uri) string {
	user := uri.User
	if uri.Scheme == "tel" {
		user = uri.Raw()
	}
	user, _, _ = strings.Cut(user, ";")
	return user
}

// clip keeps printable text of a bounded length.
func clip(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r == '\uFFFD' {
			return -1
		}
		return r
	}, s)
	for len(s) > maxName {
		s = s[:maxName]
	}
	return strings.ToValidUTF8(s, "")
}

// sdpBody finds the session description of a message: nil when it has none. Within
// multipart/mixed (location, ISUP) it is the first such part. ok is false when there is
// a body of another kind only.
func sdpBody(m sip.Message) (body []byte, ok bool) {
	body = m.Body()
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, true
	}
	var contentType string
	for _, name := range []string{"Content-Type", "c"} {
		if h := m.GetHeaders(name); len(h) > 0 {
			contentType = h[0].Value()
		}
	}
	kind, params, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return nil, false
	case kind == "application/sdp":
		return body, true
	case strings.HasPrefix(kind, "multipart/"):
		parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
		for range 8 {
			part, err := parts.NextRawPart()
			if err != nil {
				return nil, false
			}
			if kind, _, _ := mime.ParseMediaType(part.Header.Get("Content-Type")); kind == "application/sdp" {
				sdp, err := io.ReadAll(io.LimitReader(part, maxSDPBytes))
				return sdp, err == nil && len(sdp) > 0
			}
		}
	}
	return nil, false
}

// acceptsAnswer says that an INVITE can be answered with a session description: no Accept, or
// one that names it (RFC 3261 section 20.1). An empty one accepts nothing.
func acceptsAnswer(req *sip.Request) bool {
	headers := req.GetHeaders("Accept")
	for _, h := range headers {
		for _, v := range splitList(h.Value()) {
			kind, _, _ := strings.Cut(v, ";")
			switch strings.ToLower(strings.TrimSpace(kind)) {
			case "application/sdp", "application/*", "*/*":
				return true
			}
		}
	}
	return len(headers) == 0
}

// source is the address a message came from.
func source(m sip.Message) netip.AddrPort {
	ap, err := netip.ParseAddrPort(m.Source())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

// supported is what this side can do if asked.
const supported = "timer, 100rel, norefersub"

// supported is that, and what the handler can do besides.
func (e *endpoint) supported() string {
	if e.transfers {
		return supported + ", replaces"
	}
	return supported
}

// allowed is what Allow says to one who may, or may not, have us make calls.
func allowed(transfers bool) string {
	if transfers {
		return allow + ", REFER"
	}
	return allow
}

// reason is the phrase of a status (RFC 3261 section 21).
func reason(status int) string {
	switch status {
	case 100:
		return "Trying"
	case 180:
		return "Ringing"
	case 181:
		return "Call Is Being Forwarded"
	case 182:
		return "Queued"
	case 183:
		return "Session Progress"
	case 416:
		return "Unsupported URI Scheme"
	case 420:
		return "Bad Extension"
	case 422:
		return "Session Interval Too Small"
	case 480:
		return "Temporarily Unavailable"
	case 481:
		return "Call/Transaction Does Not Exist"
	case 482:
		return "Loop Detected"
	case 484:
		return "Address Incomplete"
	case 486:
		return "Busy Here"
	case 487:
		return "Request Terminated"
	case 488:
		return "Not Acceptable Here"
	case 489:
		return "Bad Event"
	case 491:
		return "Request Pending"
	case 500:
		return "Server Internal Error"
	case 505:
		return "Version Not Supported"
	case 600:
		return "Busy Everywhere"
	case 603:
		return "Decline"
	}
	if phrase := http.StatusText(status); phrase != "" {
		return phrase
	}
	return "Refused"
}
