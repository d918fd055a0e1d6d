package locate

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/emiago/sipgo/sip"
)

// Target is one place to send a request to.
type Target struct {
	Transport string // "UDP", "TCP" or "TLS"
	Addr      netip.AddrPort
	// Host is what a TLS server's certificate must be for: the domain that was asked about,
	// not a name that the DNS led to (RFC 5922 section 7.2).
	Host string
}

// String is for people and logs.
func (t Target) String() string { return t.Addr.String() + "/" + t.Transport }

// Query is what of a URI counts for where it leads.
type Query struct {
	Host      string // name or number, without brackets
	Port      uint16 // 0 = not said
	Transport string // "UDP", "TCP" or "TLS"; "" = not said
	Secure    bool   // "sips:", which is TLS whatever else is said
}

// ErrQuery means that a URI cannot be located.
var ErrQuery = errors.New("locate: not a SIP URI that leads anywhere")

// Parse reads a sip or sips URI.
func Parse(uri string) (Query, error) {
	var u sip.Uri
	if err := sip.ParseUri(uri, &u); err != nil || u.Scheme != "sip" && u.Scheme != "sips" {
		return Query{}, fmt.Errorf("%w: %q", ErrQuery, uri)
	}
	q := Query{Host: strings.Trim(u.Host, "[]"), Secure: u.Scheme == "sips"}
	if _, err := netip.ParseAddr(q.Host); err != nil && !validName(q.Host) {
		return Query{}, fmt.Errorf("%w: %q has no host", ErrQuery, uri)
	}
	if u.Port != 0 {
		n, err := strconv.ParseUint(strconv.Itoa(u.Port), 10, 16)
		if err != nil {
			return Query{}, fmt.Errorf("%w: port %d", ErrQuery, u.Port)
		}
		q.Port = uint16(n)
	}
	switch t := strings.ToUpper(u.UriParams.GetOr("transport", "")); t {
	case "", "UDP", "TCP", "TLS":
		q.Transport = t
	default:
		return Query{}, fmt.Errorf("%w: transport %q is not spoken here", ErrQuery, clip(t))
	}
	if q.Secure {
		if q.Transport == "UDP" {
			return Query{}, fmt.Errorf("%w: sips over UDP", ErrQuery)
		}
		q.Transport = ""
	}
	return q, nil
}

// validName tells a name that can be asked for: letters, digits, hyphens and underscores in
// labels of at most 63, 253 in all.
func validName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 {
			return false
		}
		for _, r := range label {
			if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' {
				return false
			}
		}
	}
	return true
}

func clip(s string) string { return s[:min(len(s), 20)] }

// service is one way to reach a domain: the name of its SRV records and what they are for.
type service struct {
	transport string
	name      string
}

// transportOf is what a NAPTR service field stands for (RFC 3263 section 4.1); "" for others.
func transportOf(field string, secure bool) string {
	switch strings.ToUpper(field) {
	case "SIPS+D2T":
		return "TLS"
	case "SIP+D2T":
		if !secure {
			return "TCP"
		}
	case "SIP+D2U":
		if !secure {
			return "UDP"
		}
	}
	return ""
}

// serviceName is where the SRV records of a transport are (RFC 3263 section 4.1).
func serviceName(transport, host string) string {
	switch transport {
	case "TLS":
		return "_sips._tcp." + host
	case "TCP":
		return "_sip._tcp." + host
	}
	return "_sip._udp." + host
}

func defaultPort(transport string) uint16 {
	if transport == "TLS" {
		return 5061
	}
	return 5060
}

// srv is one SRV record.
type srv struct {
	priority, weight, port uint16
	target                 string
}

// order puts records in the order in which they are to be tried (RFC 2782).
func order(records []srv, draw func(n int) int) []srv {
	return Order(records, func(r srv) (int, int) { return int(r.priority), int(r.weight) }, draw)
}

// Order puts things in the order in which they are to be tried (RFC 2782): by priority, the
// lowest first, and within one by lot, each with the chance that its weight is of the sum.
// draw(n) gives one of 0 to n-1; nil draws at random.
func Order[T any](things []T, rank func(T) (priority, weight int), draw func(n int) int) []T {
	if draw == nil {
		draw = anyOf
	}
	things = slices.Clone(things)
	priority := func(t T) int { p, _ := rank(t); return p }
	weight := func(t T) int { _, w := rank(t); return max(0, w) }
	slices.SortStableFunc(things, func(a, b T) int { return cmp.Compare(priority(a), priority(b)) })
	for start := 0; start < len(things); {
		end := start
		for end < len(things) && priority(things[end]) == priority(things[start]) {
			end++
		}
		shuffle(things[start:end], weight, draw)
		start = end
	}
	return things
}

// shuffle draws the things of one priority. Those of weight 0 stand first, so that they are
// drawn, seldom, as RFC 2782 has it.
func shuffle[T any](things []T, weight func(T) int, draw func(n int) int) {
	slices.SortStableFunc(things, func(a, b T) int {
		return cmp.Compare(min(weight(a), 1), min(weight(b), 1))
	})
	for len(things) > 1 {
		sum := 0
		for _, t := range things {
			sum += weight(t)
		}
		at, lot := 0, draw(sum+1)
		for running := 0; at < len(things)-1; at++ {
			if running += weight(things[at]); running >= lot {
				break
			}
		}
		chosen := things[at]
		copy(things[1:at+1], things[:at])
		things[0] = chosen
		things = things[1:]
	}
}

func anyOf(n int) int { return rand.IntN(n) }
