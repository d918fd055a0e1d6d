package carrier

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/emiago/sipgo/sip"

	"github.com/headroom-voice/headroom/media"
	headroom "github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
	"github.com/headroom-voice/headroom/media/sip/e164"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// Trunk is a carrier or PBX that calls can be placed through. Zero durations take the
// defaults named.
type Trunk struct {
	ID      string
	Targets []Target     // its servers; none = no calls go out by it
	Login   digest.Login // what challenges are answered with
	Domain  string       // of callers' addresses and of the registration; default the target's host
	Codecs  []media.Codec
	Keys    headroom.MediaKeys // whether the audio is encrypted
	KeysBy  headroom.KeysBy    // how callees are sent the keys of a telephone

	// Prefixes are the starts of the +E.164 numbers that go by this trunk; "" is every number.
	// Of all trunks those with the longest fitting prefix count, the lowest Priority first,
	// and among equals by lot, in share of Weight. A trunk without prefixes carries calls that
	// ask for it (Order.Trunks).
	Prefixes         []string
	Priority, Weight int

	Numbers e164.Plan  // how it writes numbers ...
	Style   e164.Style // ... and wants them
	Caller  Caller     // how it wants to be told who calls

	Register  Registration
	KeepAlive time.Duration // between OPTIONS to each server; 0 = none are sent

	FirstReply time.Duration // for a server's first reply of any kind, before the next is tried; 4 s
	Ringing    time.Duration // until it rings, or says that it does something; 30 s
}

// Target is a server of a trunk, by a URI that may lead to several addresses.
type Target struct {
	URI              string // such as "sip:carrier.example" or "sip:192.0.2.1:5061;transport=tls"
	Priority, Weight int    // as of SRV records (RFC 2782)
}

// Registration is how a trunk wants this side to be registered (RFC 3261 section 10.2).
type Registration struct {
	On        bool
	Registrar string        // URI; default the first target's
	User      string        // of the address that is registered; default the login's
	Contact   string        // the user part of our address there; default User
	Expires   time.Duration // asked for; 10 min
}

// Assertion is the header that tells the trunk the true number of a caller.
type Assertion string

// The assertions.
const (
	AssertNothing   Assertion = ""
	AssertAsserted  Assertion = "asserted"  // P-Asserted-Identity (RFC 3325)
	AssertPreferred Assertion = "preferred" // P-Preferred-Identity (RFC 3325)
	AssertRemote    Assertion = "remote"    // Remote-Party-ID, which came before them
)

// Caller is how a trunk wants to be told who calls.
type Caller struct {
	Assert Assertion
	// Account puts the login's name into From, and the number only where it is asserted.
	Account bool
	// History tells of diversions by History-Info (RFC 7044); else it is Diversion (RFC 5806).
	History bool
}

// Errors of a trunk's settings and of Dial.
var (
	ErrTrunk   = errors.New("carrier: trunk")
	ErrNoTrunk = errors.New("carrier: no trunk for this number")
)

// withDefaults checks a trunk and fills what it leaves out.
func (t Trunk) withDefaults() (Trunk, error) {
	bad := func(format string, args ...any) (Trunk, error) {
		return t, fmt.Errorf("%w %q: %s", ErrTrunk, t.ID, fmt.Sprintf(format, args...))
	}
	if t.ID == "" {
		return bad("no name")
	}
	for _, x := range t.Targets {
		if _, err := locate.Parse(x.URI); err != nil {
			return bad("%v", err)
		}
		if x.Weight < 0 || x.Weight > 65535 || x.Priority < 0 || x.Priority > 65535 {
			return bad("priority and weight are 0 to 65535")
		}
	}
	for _, p := range t.Prefixes {
		if strings.Trim(strings.TrimPrefix(p, "+"), "0123456789") != "" {
			return bad("prefix %q is not the start of a number", p)
		}
	}
	if t.Weight < 0 || t.Weight > 65535 || t.KeepAlive < 0 || t.FirstReply < 0 || t.Ringing < 0 || t.Register.Expires < 0 {
		return bad("a number below zero")
	}
	if (t.Register.On || t.KeepAlive > 0) && len(t.Targets) == 0 && t.Register.Registrar == "" {
		return bad("no target to register at or to keep alive")
	}
	t.FirstReply, t.Ringing = cmp.Or(t.FirstReply, 4*time.Second), cmp.Or(t.Ringing, 30*time.Second)
	if r := &t.Register; r.On {
		if r.Registrar == "" {
			r.Registrar = t.Targets[0].URI
		}
		if _, err := locate.Parse(r.Registrar); err != nil {
			return bad("%v", err)
		}
		r.User = cmp.Or(r.User, t.Login.Username)
		r.Contact = cmp.Or(r.Contact, r.User)
		r.Expires = cmp.Or(r.Expires, 10*time.Minute)
		if r.User == "" {
			return bad("nobody to register: neither a user nor a login")
		}
	}
	return t, nil
}

// parseURI reads a URI that withDefaults has found good.
func parseURI(text string) sip.Uri {
	var u sip.Uri
	_ = sip.ParseUri(text, &u)
	return u
}

// hostOf is a URI's host, and its port where it says one.
func hostOf(text string) string {
	u := parseURI(text)
	host := u.Host
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	if u.Port > 0 {
		host = fmt.Sprintf("%s:%d", host, u.Port)
	}
	return host
}

// domain is that of addresses at a target.
func (t *Trunk) domain(target string) string {
	if t.Domain != "" {
		return t.Domain
	}
	return parseURI(target).Host
}

// transportParam keeps a URI's say in the transport. What is sips there is sip over TLS here:
// the promise of TLS at every hop behind is not this side's to ask for.
func transportParam(text string) string {
	u := parseURI(text)
	if u.Scheme == "sips" {
		return ";transport=tls"
	}
	if t := u.UriParams.GetOr("transport", ""); t != "" {
		return ";transport=" + strings.ToLower(t)
	}
	return ""
}
