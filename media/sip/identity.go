package sip

import (
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media/sip/e164"
)

// Identity is who calls, as the request and the trunk tell it.
type Identity struct {
	Number, Name string // as Call.From gives them
	Asserted     bool   // by a trunk that is believed, not only by the caller
	Private      bool   // the caller wants to stay unknown (RFC 3323): Number and Name are empty
	Diverted     []Diversion
}

// Diversion is one stage of a call that was passed on, the latest first (RFC 5806, RFC 7044).
type Diversion struct {
	Number string // who was called before
	Reason string // as the other side says it: "no-answer", "user-busy", "unconditional" ...
}

// Bounds on what is read of a caller's headers.
const (
	maxDiversions = 8
	maxAsserted   = 4
)

// identity reads who calls. Only a trunk that is believed can assert an identity (RFC 3325
// section 4) or tell who diverted the call; for any other there is the From header.
func identity(req *sip.Request, believed bool) Identity {
	id := Identity{Private: wantsPrivacy(req)}
	from := req.From()
	id.Number, id.Name = clip(userOf(&from.Address)), clip(from.DisplayName)
	if believed {
		if n, name, ok := asserted(req); ok {
			id.Number, id.Name, id.Asserted = n, name, true
		}
		id.Diverted = diversions(req)
	}
	if !id.Asserted && isAnonymous(&from.Address) {
		id.Private = true
	}
	if id.Private {
		id.Number, id.Name = "", ""
	}
	return id
}

// normal puts the numbers in +E.164.
func (id *Identity) normal(plan e164.Plan) {
	id.Number = plan.Normal(id.Number)
	for i := range id.Diverted {
		id.Diverted[i].Number = plan.Normal(id.Diverted[i].Number)
	}
}

// asserted is the identity in P-Asserted-Identity, or in Remote-Party-ID, which came before it.
func asserted(req *sip.Request) (number, name string, ok bool) {
	for _, header := range []string{"P-Asserted-Identity", "Remote-Party-ID"} {
		for i, v := range values(req, header) {
			if i == maxAsserted {
				break
			}
			var uri sip.Uri
			params := sip.NewParams()
			display, err := sip.ParseAddressValue(v, &uri, &params)
			if party := params.GetOr("party", "calling"); err != nil || !strings.EqualFold(party, "calling") || isAnonymous(&uri) {
				continue
			}
			if n := clip(userOf(&uri)); n != "" {
				return n, clip(display), true
			}
		}
	}
	return "", "", false
}

// wantsPrivacy says that the caller's identity is not to be shown: Privacy with id, user or
// header (RFC 3323 section 4.2, RFC 3325 section 9.3), or Remote-Party-ID's own way.
func wantsPrivacy(req *sip.Request) bool {
	for _, h := range req.GetHeaders("Privacy") {
		for word := range strings.FieldsFuncSeq(strings.ToLower(h.Value()), func(r rune) bool { return r == ';' || r == ',' || r == ' ' }) {
			if word == "id" || word == "user" || word == "header" {
				return true
			}
		}
	}
	for i, v := range values(req, "Remote-Party-ID") {
		if i == maxAsserted {
			break
		}
		_, params, _ := strings.Cut(v[strings.LastIndexByte(v, '>')+1:], ";")
		for p := range strings.SplitSeq(strings.ToLower(params), ";") {
			if k, value, _ := strings.Cut(strings.TrimSpace(p), "="); k == "privacy" && (strings.Trim(value, `"`) == "full" || strings.Trim(value, `"`) == "uri") {
				return true
			}
		}
	}
	return false
}

// isAnonymous tells the address of one who is not to be known (RFC 3323 section 4.1.1.3).
func isAnonymous(uri *sip.Uri) bool {
	return strings.EqualFold(uri.Host, "anonymous.invalid") ||
		slices.Contains([]string{"anonymous", "restricted", "unavailable"}, strings.ToLower(userOf(uri)))
}

// diversions reads Diversion, whose first is the latest, or else History-Info, whose last is
// where the call is now.
func diversions(req *sip.Request) []Diversion {
	var out []Diversion
	for i, v := range values(req, "Diversion") {
		if i == maxDiversions {
			break
		}
		var uri sip.Uri
		params := sip.NewParams()
		if _, err := sip.ParseAddressValue(v, &uri, &params); err == nil {
			out = append(out, Diversion{clip(userOf(&uri)), clip(strings.Trim(params.GetOr("reason", ""), `"`))})
		}
	}
	if len(out) > 0 {
		return out
	}
	history := values(req, "History-Info")
	if len(history) < 2 {
		return nil
	}
	history = history[max(0, len(history)-1-maxDiversions):]
	for i := len(history) - 2; i >= 0; i-- {
		var uri, next sip.Uri
		if _, err := sip.ParseAddressValue(history[i], &uri, nil); err != nil {
			continue
		}
		d := Diversion{Number: clip(userOf(&uri))}
		if uri.Headers.Has("Privacy") || isAnonymous(&uri) { // RFC 7044 section 10.1.1
			d.Number = ""
		}
		if _, err := sip.ParseAddressValue(history[i+1], &next, nil); err == nil { // why the next one was chosen
			d.Reason = causeWord(next.UriParams.GetOr("cause", ""))
		}
		out = append(out, d)
	}
	return out
}

// causeWord puts the cause of a History-Info entry (RFC 4458 section 2.1) in Diversion's words.
func causeWord(cause string) string {
	n, _ := strconv.Atoi(cause)
	switch n {
	case 302:
		return "unconditional"
	case 404:
		return "unknown"
	case 408:
		return "no-answer"
	case 480:
		return "deflection"
	case 486:
		return "user-busy"
	case 487:
		return "deflection"
	case 503:
		return "unavailable"
	}
	return ""
}

// calledNumber is the number called: that of the request line; where that is only the name
// which this side is registered by, the number is told apart (RFC 3455 section 4.2, or To).
func calledNumber(req *sip.Request, registered string) string {
	to := clip(userOf(&req.Recipient))
	if registered == "" || to != registered {
		return to
	}
	for _, v := range values(req, "P-Called-Party-ID") {
		var uri sip.Uri
		if _, err := sip.ParseAddressValue(v, &uri, nil); err == nil && userOf(&uri) != "" {
			return clip(userOf(&uri))
		}
	}
	if n := userOf(&req.To().Address); n != "" {
		return clip(n)
	}
	return to
}
