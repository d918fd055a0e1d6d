package locate

import (
	"net/netip"
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
