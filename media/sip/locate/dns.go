package locate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sync/singleflight"
)

// What a zone can make the resolver do and keep.
const (
	maxRecords = 64   // of one answer
	maxChain   = 8    // CNAMEs in a row
	maxCached  = 2048 // answers
	maxHosts   = 1 << 20
)

// ErrNoServer means that no DNS server gave an answer.
var ErrNoServer = errors.New("locate: no DNS server answered")

// question is what is asked and what an answer is kept under.
type question struct {
	name string // lower case, with the final dot
	kind uint16
}

// answer is what a server said: records of the kind asked for, none if there are none.
type answer struct {
	records []dns.RR
	until   time.Time
}

// client asks DNS servers and remembers. Who asks what is being asked waits for that answer.
type client struct {
	cfg    Config
	asking singleflight.Group

	mu    sync.Mutex
	cache map[question]answer
}

// lookup answers from memory, else asks. With no server to be had, what was known of late is
// still the best that is (RFC 8767).
func (c *client) lookup(ctx context.Context, name string, kind uint16) ([]dns.RR, error) {
	q := question{strings.ToLower(dns.Fqdn(name)), kind}
	records, err := c.find(ctx, q)
	if c.cfg.Told != nil {
		told := Lookup{Name: q.name, Type: dns.TypeToString[kind], Err: err}
		for _, rr := range records {
			told.Records = append(told.Records, strings.TrimPrefix(rr.String(), rr.Header().String()))
		}
		c.cfg.Told(told)
	}
	return records, err
}

// find is lookup without a word about it.
func (c *client) find(ctx context.Context, q question) ([]dns.RR, error) {
	now := c.cfg.now()
	known, there := c.remembered(q)
	if there && now.Before(known.until) {
		return known.records, nil
	}
	records, err := c.askOnce(ctx, q, now)
	if err != nil {
		if there && now.Before(known.until.Add(c.cfg.Stale)) && len(known.records) > 0 {
			return known.records, nil
		}
		return nil, err
	}
	return records, nil
}

// askOnce asks, or waits for somebody who does: a burst of calls to a name is one question.
// The answer comes to everybody, also when the one who asked first has given up.
func (c *client) askOnce(ctx context.Context, q question, now time.Time) ([]dns.RR, error) {
	whole := context.WithoutCancel(ctx) // every exchange has a time-out of its own
	done := c.asking.DoChan(q.name+" "+dns.TypeToString[q.kind], func() (any, error) {
		known, there := c.remembered(q)
		if there && now.Before(known.until) { // it came between the caller's look and now
			return known.records, nil
		}
		bounded, cancel := context.WithTimeout(whole, c.cfg.Deadline)
		defer cancel()
		records, ttl, err := c.ask(bounded, q)
		if err != nil {
			return nil, err
		}
		c.keep(q, answer{records, now.Add(ttl)}, now)
		return records, nil
	})
	select {
	case res := <-done:
		records, _ := res.Val.([]dns.RR)
		return records, res.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrNoServer, context.Cause(ctx))
	}
}

func (c *client) remembered(q question) (answer, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, there := c.cache[q]
	return known, there
}

func (c *client) keep(q question, a answer, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.cache) >= maxCached {
		for old, known := range c.cache {
			if now.After(known.until) {
				delete(c.cache, old)
			}
		}
		for old := range c.cache {
			if len(c.cache) < maxCached {
				break
			}
			delete(c.cache, old)
		}
	}
	c.cache[q] = a
}

// ask puts a question to the servers in turn, each in its time.
func (c *client) ask(ctx context.Context, q question) ([]dns.RR, time.Duration, error) {
	err := ErrNoServer
	for range c.cfg.Attempts {
		for _, server := range c.servers() {
			if ctx.Err() != nil {
				return nil, 0, fmt.Errorf("%w: %w", ErrNoServer, context.Cause(ctx))
			}
			res, failed := c.exchange(ctx, server, q)
			if failed != nil {
				err = fmt.Errorf("%w: %s: %w", ErrNoServer, server, failed)
				continue
			}
			records, ttl := c.read(res, q)
			return records, ttl, nil
		}
	}
	return nil, 0, err
}

// exchange asks one server: over UDP, and over TCP when that was cut short.
func (c *client) exchange(ctx context.Context, server netip.AddrPort, q question) (*dns.Msg, error) {
	req := new(dns.Msg)
	req.SetQuestion(q.name, q.kind)
	req.SetEdns0(1232, false)
	for _, network := range []string{"udp", "tcp"} {
		ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
		over := dns.Client{Net: network, UDPSize: 1232, Timeout: c.cfg.Timeout}
		res, _, err := over.ExchangeContext(ctx, req, server.String())
		cancel()
		switch {
		case err != nil:
			return nil, err
		case len(res.Question) != 1 || !strings.EqualFold(res.Question[0].Name, q.name) || res.Question[0].Qtype != q.kind || !res.Response:
			return nil, errors.New("the answer is to another question")
		case res.Rcode != dns.RcodeSuccess && res.Rcode != dns.RcodeNameError:
			return nil, fmt.Errorf("it says %s", dns.RcodeToString[res.Rcode])
		case !res.Truncated || network == "tcp":
			return res, nil
		}
	}
	return nil, errors.New("no whole answer") // not reached
}

// read takes the records that answer the question, over CNAMEs, and for how long they hold.
func (c *client) read(res *dns.Msg, q question) ([]dns.RR, time.Duration) {
	all := res.Answer[:min(len(res.Answer), maxRecords)]
	ttl := c.cfg.MaxTTL
	shorter := func(seconds uint32) { ttl = min(ttl, time.Duration(seconds)*time.Second) }
	var out []dns.RR
	name := q.name
	for range maxChain {
		next := ""
		for _, rr := range all {
			h := rr.Header()
			if !strings.EqualFold(h.Name, name) || h.Class != dns.ClassINET {
				continue
			}
			if h.Rrtype == q.kind {
				out = append(out, rr)
				shorter(h.Ttl)
			} else if alias, ok := rr.(*dns.CNAME); ok {
				next = alias.Target
				shorter(h.Ttl)
			}
		}
		if len(out) > 0 || next == "" {
			break
		}
		name = next
	}
	if len(out) == 0 { // RFC 2308 section 5
		ttl = min(ttl, c.cfg.NegativeTTL)
		for _, rr := range res.Ns[:min(len(res.Ns), maxRecords)] {
			if soa, ok := rr.(*dns.SOA); ok {
				shorter(min(soa.Minttl, soa.Hdr.Ttl))
			}
		}
	}
	return out, max(ttl, c.cfg.MinTTL)
}

// fromHosts finds a name in the hosts file, as every other program on the machine does.
func fromHosts(file, name string) []netip.Addr {
	if strings.EqualFold(strings.TrimSuffix(name, "."), "localhost") { // RFC 6761 section 6.3
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}
	}
	info, err := os.Stat(file)
	if err != nil || info.Size() > maxHosts {
		return nil
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	var out []netip.Addr
	for line := range strings.Lines(string(data)) {
		line, _, _ = strings.Cut(line, "#")
		f := strings.Fields(line)
		if len(f) < 2 {
			continue
		}
		a, err := netip.ParseAddr(f[0])
		for _, alias := range f[1:] {
			if err == nil && strings.EqualFold(strings.TrimSuffix(alias, "."), strings.TrimSuffix(name, ".")) {
				out = append(out, a.Unmap())
				break
			}
		}
	}
	return out
}

// servers are those to ask now.
func (c *client) servers() []netip.AddrPort {
	if len(c.cfg.Servers) > 0 {
		return c.cfg.Servers
	}
	return systemServers(c.cfg.Resolv)
}

// systemServers are those of resolv.conf; this machine when it names none (resolv.conf(5)).
func systemServers(file string) []netip.AddrPort {
	var out []netip.AddrPort
	if cfg, err := dns.ClientConfigFromFile(file); err == nil {
		for _, s := range cfg.Servers {
			if ap, err := netip.ParseAddrPort(net.JoinHostPort(s, cfg.Port)); err == nil && len(out) < 3 {
				out = append(out, ap)
			}
		}
	}
	if len(out) == 0 {
		out = append(out, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 53))
	}
	return out
}
