package locate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// What one URI may cost.
const (
	maxServices  = 4  // NAPTR records followed
	maxServers   = 8  // SRV records followed, of one service
	maxAddresses = 4  // of one host
	maxTargets   = 16 // in all
)

// Errors of Locate, besides ErrQuery and ErrNoServer.
var (
	ErrNotFound   = errors.New("locate: no address")
	ErrNotOffered = errors.New("locate: the domain says that it offers no SIP") // an SRV target of "." (RFC 2782)
)

// Config says whom to ask and how long an answer holds. The zero value asks the system's
// servers and takes the defaults named.
type Config struct {
	Servers    []netip.AddrPort // DNS servers, in turn; default those of Resolv as it is when they are asked, at most three
	Transports []string         // that can be spoken, the preferred first; default UDP, TCP, TLS
	NoIPv4     bool             // there is no way to send to such addresses
	NoIPv6     bool
	Hosts      string // default /etc/hosts
	Resolv     string // default /etc/resolv.conf

	Timeout     time.Duration // for one question to one server; 1 s
	Attempts    int           // how often the servers are gone through; 2
	Deadline    time.Duration // for one URI, all questions together; 3 s
	MinTTL      time.Duration // an answer is kept at least this long; 1 s
	MaxTTL      time.Duration // and at most this long; 1 h
	NegativeTTL time.Duration // that there is nothing is believed at most this long; 30 s
	Stale       time.Duration // what is known is used for so much longer when no server answers; 1 h

	// Told, if set, hears of each question and what it brought, from several goroutines.
	Told func(Lookup)

	now  func() time.Time
	draw func(int) int
}

// Lookup is one question to the DNS.
type Lookup struct {
	Name, Type string   // such as "_sip._udp.carrier.example." and "SRV"
	Records    []string // what they say, without name and time; none = there are none
	Err        error    // nobody answered
}

// Resolver locates URIs. It may be used by many at once.
type Resolver struct {
	cfg Config
	dns client
}

// New makes a Resolver; it starts nothing.
func New(cfg Config) (*Resolver, error) {
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&cfg.Timeout, time.Second}, {&cfg.Deadline, 3 * time.Second}, {&cfg.MinTTL, time.Second},
		{&cfg.MaxTTL, time.Hour}, {&cfg.NegativeTTL, 30 * time.Second}, {&cfg.Stale, time.Hour},
	} {
		if *d.value < 0 {
			return nil, errors.New("locate: negative duration")
		}
		*d.value = cmp.Or(*d.value, d.def)
	}
	if cfg.Attempts < 0 || cfg.NoIPv4 && cfg.NoIPv6 {
		return nil, errors.New("locate: neither attempts below zero nor no family of addresses at all")
	}
	cfg.Attempts = cmp.Or(cfg.Attempts, 2)
	cfg.Hosts = cmp.Or(cfg.Hosts, "/etc/hosts")
	if len(cfg.Transports) == 0 {
		cfg.Transports = []string{"UDP", "TCP", "TLS"}
	}
	for _, t := range cfg.Transports {
		if t != "UDP" && t != "TCP" && t != "TLS" {
			return nil, fmt.Errorf("locate: transport %q is not known", t)
		}
	}
	cfg.Resolv = cmp.Or(cfg.Resolv, "/etc/resolv.conf")
	if cfg.now == nil {
		cfg.now, cfg.draw = time.Now, anyOf
	}
	return &Resolver{cfg: cfg, dns: client{cfg: cfg, cache: make(map[question]answer)}}, nil
}

// LocateURI is Locate for a URI's text.
func (r *Resolver) LocateURI(ctx context.Context, uri string) ([]Target, error) {
	q, err := Parse(uri)
	if err != nil {
		return nil, err
	}
	return r.Locate(ctx, q)
}

// Locate gives the targets of a query in the order in which they are to be tried, at least
// one and at most 16, none twice (RFC 3263 section 4). Among equals of one SRV priority the
// lot is drawn anew each time.
func (r *Resolver) Locate(ctx context.Context, q Query) ([]Target, error) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Deadline)
	defer cancel()
	if q.Secure {
		q.Transport = "TLS"
	}
	if q.Transport != "" && !slices.Contains(r.cfg.Transports, q.Transport) {
		return nil, fmt.Errorf("%w: nothing here speaks %s", ErrQuery, q.Transport)
	}
	l := list{query: q, cfg: &r.cfg}
	if a, err := netip.ParseAddr(q.Host); err == nil {
		l.addHost([]netip.Addr{a.Unmap()}, r.plain(q), q.Port)
		return l.result(nil)
	}
	// A port leaves nothing for SRV to say (section 4.2), nor does a name that only this
	// machine knows.
	if q.Port != 0 || len(fromHosts(r.cfg.Hosts, q.Host)) > 0 {
		addrs, err := r.addresses(ctx, q.Host)
		l.addHost(addrs, r.plain(q), q.Port)
		return l.result(err)
	}
	services, err := r.services(ctx, q)
	if err != nil {
		return nil, err
	}
	found := false
	for _, s := range services {
		records, failed := r.servers(ctx, s.name)
		if failed != nil {
			err = failed
			continue
		}
		found = found || len(records) > 0
		if failed := r.follow(ctx, &l, s, records); failed != nil {
			err = failed
		}
	}
	if !found && err == nil { // section 4.2: no SRV records, so the name is a host's
		var addrs []netip.Addr
		addrs, err = r.addresses(ctx, q.Host)
		l.addHost(addrs, r.plain(q), 0)
	}
	return l.result(err)
}

// follow adds the addresses of a service's servers.
func (r *Resolver) follow(ctx context.Context, l *list, s service, records []srv) error {
	var err error
	for i, rec := range order(records, r.cfg.draw) {
		if i == maxServers || len(l.targets) == maxTargets {
			break
		}
		if rec.target == "." || rec.port == 0 {
			err = ErrNotOffered
			continue
		}
		addrs, failed := r.addresses(ctx, rec.target)
		if failed != nil {
			err = failed
		}
		l.addHost(addrs, s.transport, rec.port)
	}
	return err
}

// plain is the transport where nobody says one (section 4.1).
func (r *Resolver) plain(q Query) string {
	if q.Transport == "" {
		return r.cfg.Transports[0]
	}
	return q.Transport
}

// services are the ways to reach a domain: what its NAPTR records name, in their order, or
// else what is usual (section 4.1).
func (r *Resolver) services(ctx context.Context, q Query) ([]service, error) {
	if q.Transport != "" && !q.Secure {
		return []service{{q.Transport, serviceName(q.Transport, q.Host)}}, nil
	}
	records, err := r.dns.lookup(ctx, q.Host, dns.TypeNAPTR)
	if err != nil {
		return nil, err
	}
	var naptr []*dns.NAPTR
	for _, rr := range records {
		if n, ok := rr.(*dns.NAPTR); ok && strings.EqualFold(n.Flags, "s") && n.Regexp == "" && validName(n.Replacement) &&
			slices.Contains(r.cfg.Transports, transportOf(n.Service, q.Secure)) {
			naptr = append(naptr, n)
		}
	}
	slices.SortStableFunc(naptr, func(a, b *dns.NAPTR) int {
		return cmp.Or(cmp.Compare(a.Order, b.Order), cmp.Compare(a.Preference, b.Preference))
	})
	var out []service
	for _, n := range naptr[:min(len(naptr), maxServices)] {
		out = append(out, service{transportOf(n.Service, q.Secure), n.Replacement})
	}
	if len(out) > 0 {
		return out, nil
	}
	for _, t := range r.cfg.Transports {
		if !q.Secure || t == "TLS" {
			out = append(out, service{t, serviceName(t, q.Host)})
		}
	}
	return out, nil
}

// servers are a service's SRV records.
func (r *Resolver) servers(ctx context.Context, name string) ([]srv, error) {
	records, err := r.dns.lookup(ctx, name, dns.TypeSRV)
	if err != nil {
		return nil, err
	}
	var out []srv
	for _, rr := range records {
		if s, ok := rr.(*dns.SRV); ok && (s.Target == "." || validName(s.Target)) {
			out = append(out, srv{s.Priority, s.Weight, s.Port, s.Target})
		}
	}
	return out, nil
}

// addresses are a host's, IPv4 before IPv6.
func (r *Resolver) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if known := fromHosts(r.cfg.Hosts, host); len(known) > 0 {
		return known, nil
	}
	var (
		wg      sync.WaitGroup
		records [2][]dns.RR
		errs    [2]error
	)
	for i, ask := range []struct {
		kind uint16
		off  bool
	}{{dns.TypeA, r.cfg.NoIPv4}, {dns.TypeAAAA, r.cfg.NoIPv6}} {
		if !ask.off {
			wg.Go(func() { records[i], errs[i] = r.dns.lookup(ctx, host, ask.kind) })
		}
	}
	wg.Wait()
	var out []netip.Addr
	for _, rr := range slices.Concat(records[0], records[1]) {
		var a netip.Addr
		switch rr := rr.(type) {
		case *dns.A:
			a, _ = netip.AddrFromSlice(rr.A)
		case *dns.AAAA:
			a, _ = netip.AddrFromSlice(rr.AAAA)
		}
		if a = a.Unmap(); a.IsValid() {
			out = append(out, a)
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	return nil, errors.Join(errs[0], errs[1])
}

// list gathers targets.
type list struct {
	query   Query
	cfg     *Config
	targets []Target
}

// addHost adds a host's addresses that can be sent to, at a port; 0 is the transport's own.
func (l *list) addHost(addrs []netip.Addr, transport string, port uint16) {
	n := 0
	for _, a := range addrs {
		switch {
		case a.IsUnspecified() || a.IsMulticast() || a.Is4() && l.cfg.NoIPv4 || a.Is6() && l.cfg.NoIPv6 || a.Zone() != "":
			continue
		case n == maxAddresses || len(l.targets) == maxTargets:
			return
		}
		t := Target{Transport: transport, Addr: netip.AddrPortFrom(a, cmp.Or(port, defaultPort(transport))), Host: l.query.Host}
		if !slices.Contains(l.targets, t) {
			l.targets = append(l.targets, t)
			n++
		}
	}
}

// result gives what was gathered, or why there is nothing.
func (l *list) result(err error) ([]Target, error) {
	switch {
	case len(l.targets) > 0:
		return l.targets, nil
	case err != nil:
		return nil, fmt.Errorf("locate: %s: %w", l.query.Host, err)
	}
	return nil, fmt.Errorf("%w: %s", ErrNotFound, l.query.Host)
}
