package locate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// zone is a DNS server on real sockets, UDP and TCP on one port, that says what it is told to.
type zone struct {
	t       *testing.T
	addr    netip.AddrPort
	asked   atomic.Int64
	overTCP atomic.Int64

	mu      sync.Mutex
	records map[string][]string // by "TYPE name.", in the text of zone files
	mangle  func(*dns.Msg)
	mute    bool
}

func newZone(t *testing.T, records ...string) *zone {
	t.Helper()
	z := &zone{t: t, records: make(map[string][]string)}
	for _, r := range records {
		z.add(r)
	}
	udp, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	z.addr = netip.MustParseAddrPort(udp.LocalAddr().String())
	tcp, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", z.addr.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: z}, {Listener: tcp, Handler: z}} {
		up := make(chan struct{})
		s.NotifyStartedFunc = func() { close(up) }
		go func() { _ = s.ActivateAndServe() }()
		<-up
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return z
}

func (z *zone) add(record string) {
	z.t.Helper()
	rr, err := dns.NewRR(record)
	if err != nil {
		z.t.Fatalf("%s: %v", record, err)
	}
	key := dns.TypeToString[rr.Header().Rrtype] + " " + rr.Header().Name
	z.mu.Lock()
	defer z.mu.Unlock()
	z.records[key] = append(z.records[key], record)
}

func (z *zone) be(f func()) {
	z.mu.Lock()
	defer z.mu.Unlock()
	f()
}

func (z *zone) ServeDNS(w dns.ResponseWriter, req *dns.Msg) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.asked.Add(1)
	if w.RemoteAddr().Network() == "tcp" {
		z.overTCP.Add(1)
	}
	if z.mute {
		return
	}
	res := new(dns.Msg)
	res.SetReply(req)
	name := req.Question[0].Name
	for range 3 { // as a recursive server follows CNAMEs
		for _, r := range z.records[dns.TypeToString[req.Question[0].Qtype]+" "+name] {
			rr, _ := dns.NewRR(r)
			res.Answer = append(res.Answer, rr)
		}
		alias := z.records["CNAME "+name]
		if len(res.Answer) > 0 && res.Answer[len(res.Answer)-1].Header().Rrtype == req.Question[0].Qtype || len(alias) == 0 {
			break
		}
		rr, _ := dns.NewRR(alias[0])
		res.Answer = append(res.Answer, rr)
		name = rr.(*dns.CNAME).Target
	}
	if len(res.Answer) == 0 {
		res.Rcode = dns.RcodeNameError
	}
	if z.mangle != nil {
		z.mangle(res)
	}
	if w.RemoteAddr().Network() == "udp" {
		res.Truncate(1232)
	}
	_ = w.WriteMsg(res)
}

// resolver asks the zone; the first of equals is always drawn.
func (z *zone) resolver(change ...func(*Config)) *Resolver {
	z.t.Helper()
	cfg := Config{Servers: []netip.AddrPort{z.addr}, Hosts: filepath.Join(z.t.TempDir(), "none"), Timeout: 300 * time.Millisecond,
		now: time.Now, draw: func(int) int { return 0 }}
	for _, f := range change {
		f(&cfg)
	}
	r, err := New(cfg)
	if err != nil {
		z.t.Fatal(err)
	}
	return r
}

func texts(targets []Target) []string {
	var out []string
	for _, t := range targets {
		out = append(out, t.String())
	}
	return out
}

var carrier = []string{
	`carrier.example. 300 IN NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.carrier.example.`,
	`carrier.example. 300 IN NAPTR 10 20 "S" "SIPS+D2T" "" _sips._tcp.carrier.example.`,
	`carrier.example. 300 IN NAPTR 10 10 "s" "SIP+D2S" "" _sip._sctp.carrier.example.`,
	`carrier.example. 300 IN NAPTR 5 10 "u" "E2U+sip" "!^.*$!sip:a@b!" .`,
	`_sips._tcp.carrier.example. 300 IN SRV 10 0 5061 one.carrier.example.`,
	`_sip._udp.carrier.example. 300 IN SRV 20 0 5080 two.carrier.example.`,
	`_sip._udp.carrier.example. 300 IN SRV 10 0 5070 one.carrier.example.`,
	`_sip._tcp.carrier.example. 300 IN SRV 10 0 5072 one.carrier.example.`,
	`one.carrier.example. 300 IN A 192.0.2.1`,
	`one.carrier.example. 300 IN AAAA 2001:db8::1`,
	`two.carrier.example. 300 IN CNAME three.carrier.example.`,
	`three.carrier.example. 300 IN A 192.0.2.3`,
	`carrier.example. 300 IN A 192.0.2.9`,
	`plain.example. 300 IN A 192.0.2.20`,
	`srv.example. 300 IN A 192.0.2.30`,
	`_sip._tcp.srv.example. 300 IN SRV 0 0 5090 three.carrier.example.`,
	`none.example. 300 IN A 192.0.2.40`,
	`_sip._udp.none.example. 300 IN SRV 0 0 0 .`,
}

func TestWhereURIsLead(t *testing.T) {
	r := newZone(t, carrier...).resolver()
	for uri, want := range map[string]string{
		"sip:1@carrier.example":                  "192.0.2.1:5061/TLS [2001:db8::1]:5061/TLS 192.0.2.1:5070/UDP [2001:db8::1]:5070/UDP 192.0.2.3:5080/UDP",
		"sips:1@carrier.example":                 "192.0.2.1:5061/TLS [2001:db8::1]:5061/TLS",
		"sips:1@carrier.example;transport=tcp":   "192.0.2.1:5061/TLS [2001:db8::1]:5061/TLS",
		"sip:1@CARRIER.example;transport=TCP":    "192.0.2.1:5072/TCP [2001:db8::1]:5072/TCP",
		"sip:carrier.example:5099":               "192.0.2.9:5099/UDP",
		"sip:carrier.example:5099;transport=tls": "192.0.2.9:5099/TLS",
		"sip:plain.example":                      "192.0.2.20:5060/UDP",
		"sips:plain.example":                     "192.0.2.20:5061/TLS",
		"sip:plain.example;transport=tcp":        "192.0.2.20:5060/TCP",
		"sip:srv.example":                        "192.0.2.3:5090/TCP",
		"sip:two.carrier.example:5060":           "192.0.2.3:5060/UDP",
		"sip:192.0.2.77":                         "192.0.2.77:5060/UDP",
		"sip:a@192.0.2.77:5099;transport=tcp":    "192.0.2.77:5099/TCP",
		"sip:[2001:db8::7]":                      "[2001:db8::7]:5060/UDP",
		"sips:[2001:db8::7]:443":                 "[2001:db8::7]:443/TLS",
		"sip:localhost;transport=tcp":            "127.0.0.1:5060/TCP [::1]:5060/TCP",
	} {
		got, err := r.LocateURI(t.Context(), uri)
		if err != nil || strings.Join(texts(got), " ") != want {
			t.Errorf("%s leads to %v, %v\nwant %s", uri, texts(got), err, want)
		}
	}
	for uri, want := range map[string]error{
		"sip:none.example":               ErrNotOffered,
		"sip:nobody.example":             ErrNotFound,
		"tel:+4930123":                   ErrQuery,
		"sip:1@":                         ErrQuery,
		"sip:bad_host!.example":          ErrQuery,
		"sip:a.example;transport=sctp":   ErrQuery,
		"sips:a.example;transport=udp":   ErrQuery,
		"sip:" + strings.Repeat("a", 64): ErrQuery,
	} {
		if got, err := r.LocateURI(t.Context(), uri); !errors.Is(err, want) {
			t.Errorf("%s: %v, %v, want %v", uri, got, err, want)
		}
	}
	only4 := newZone(t, carrier...).resolver(func(c *Config) { c.NoIPv6, c.Transports = true, []string{"UDP"} })
	if got, err := only4.LocateURI(t.Context(), "sip:carrier.example"); err != nil || strings.Join(texts(got), " ") != "192.0.2.1:5070/UDP 192.0.2.3:5080/UDP" {
		t.Errorf("without IPv6, TCP and TLS: %v, %v", texts(got), err)
	}
	if got, err := r.LocateURI(t.Context(), "sip:carrier.example"); err != nil || got[0].Host != "carrier.example" {
		t.Error("a certificate would be asked for another name than the domain's")
	}
}

func TestAnAnswerIsKeptForAsLongAsItSaysAndLongerWhenNobodyAnswers(t *testing.T) {
	z := newZone(t, `kept.example. 60 IN A 192.0.2.1`)
	var clock atomic.Int64
	r := z.resolver(func(c *Config) { c.now = func() time.Time { return time.Unix(clock.Load(), 0) } })
	at := func(seconds int64, want string) {
		t.Helper()
		clock.Store(seconds)
		got, err := r.LocateURI(t.Context(), "sip:kept.example:5060")
		if s := strings.Join(texts(got), " "); s != want || want == "" && err == nil {
			t.Errorf("after %d s: %q, %v, want %q", seconds, s, err, want)
		}
	}
	at(0, "192.0.2.1:5060/UDP")
	z.be(func() { z.records["A kept.example."] = []string{`kept.example. 60 IN A 192.0.2.2`} })
	asked := z.asked.Load()
	at(29, "192.0.2.1:5060/UDP")
	if z.asked.Load() != asked {
		t.Error("asked again at once")
	}
	at(61, "192.0.2.2:5060/UDP")
	z.be(func() { z.mute = true })
	at(200, "192.0.2.2:5060/UDP")
	at(60+61+3601, "")
}

func TestABurstOfCallsAsksForANameOnce(t *testing.T) {
	asked, answer := make(chan struct{}, 64), make(chan struct{})
	z := newZone(t, carrier...)
	z.be(func() {
		z.mangle = func(*dns.Msg) { // while it holds its answer back, everybody else comes
			asked <- struct{}{}
			<-answer
		}
	})
	r := z.resolver(func(c *Config) { c.Timeout = 10 * time.Second })
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if got, err := r.LocateURI(t.Context(), "sip:plain.example:5060"); err != nil || len(got) != 1 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	<-asked
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.LocateURI(impatient, "sip:plain.example:5060"); !errors.Is(err, ErrNoServer) {
		t.Errorf("who does not wait gets %v", err)
	}
	close(answer)
	all.Wait()
	if n := z.asked.Load(); n > 2 { // A and AAAA
		t.Errorf("%d questions", n)
	}
}

func TestTheSystemsServersAreThoseOfTheMoment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	r, err := New(Config{Resolv: file})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"nameserver 192.0.2.1\n": "[192.0.2.1:53]", "nameserver 2001:db8::2\nnameserver 192.0.2.3\n": "[[2001:db8::2]:53 192.0.2.3:53]", "": "[127.0.0.1:53]"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(r.dns.servers()); got != want {
			t.Errorf("%q: %s", text, got)
		}
	}
}

func TestTheSecondServerIsAskedWhenTheFirstIsSilentOrRefuses(t *testing.T) {
	silent, refusing, good := newZone(t), newZone(t), newZone(t, carrier...)
	silent.be(func() { silent.mute = true })
	refusing.be(func() { refusing.mangle = func(m *dns.Msg) { m.Rcode = dns.RcodeRefused } })
	r := good.resolver(func(c *Config) {
		c.Servers = []netip.AddrPort{silent.addr, refusing.addr, good.addr}
		c.Timeout = 50 * time.Millisecond
	})
	if got, err := r.LocateURI(t.Context(), "sip:plain.example:5060"); err != nil || len(got) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	r = good.resolver(func(c *Config) {
		c.Servers = []netip.AddrPort{silent.addr, refusing.addr}
		c.Deadline = 100 * time.Millisecond
	})
	if _, err := r.LocateURI(t.Context(), "sip:plain.example"); !errors.Is(err, ErrNoServer) {
		t.Errorf("with no server: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.LocateURI(ctx, "sip:plain.example"); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestALongAnswerIsFetchedOverTCPAndBounded(t *testing.T) {
	z := newZone(t)
	for i := range 60 {
		z.add(fmt.Sprintf("_sip._udp.big.example. 60 IN SRV %d 1 5060 host%d.big.example.", i, i))
		for j := range 10 {
			z.add(fmt.Sprintf("host%d.big.example. 60 IN A 192.0.%d.%d", i, i, j))
		}
	}
	got, err := z.resolver().LocateURI(t.Context(), "sip:big.example")
	if err != nil || len(got) != maxTargets || got[0].Addr.Addr() != netip.MustParseAddr("192.0.0.0") {
		t.Errorf("%d targets, %v", len(got), err)
	}
	if z.overTCP.Load() == 0 {
		t.Error("the cut answer was believed")
	}
	if n := z.asked.Load(); n > 40 {
		t.Errorf("%d questions", n)
	}
}

func TestLiesLeadNowhere(t *testing.T) {
	for name, mangle := range map[string]func(*dns.Msg){
		"an answer to another question": func(m *dns.Msg) { m.Question[0].Name = "other.example." },
		"records of another name": func(m *dns.Msg) {
			rr, _ := dns.NewRR("other.example. 60 IN A 192.0.2.66")
			m.Rcode, m.Answer = 0, []dns.RR{rr}
		},
		"a circle of names": func(m *dns.Msg) {
			a, _ := dns.NewRR("lie.example. 60 IN CNAME loop.example.")
			b, _ := dns.NewRR("loop.example. 60 IN CNAME lie.example.")
			m.Rcode, m.Answer = 0, []dns.RR{a, b}
		},
		"everybody": func(m *dns.Msg) {
			a, _ := dns.NewRR("lie.example. 60 IN A 0.0.0.0")
			b, _ := dns.NewRR("lie.example. 60 IN A 224.0.0.1")
			m.Rcode, m.Answer = 0, []dns.RR{a, b}
		},
		"a question":           func(m *dns.Msg) { m.Response = false },
		"another one's number": func(m *dns.Msg) { m.Id++ },
	} {
		z := newZone(t)
		z.be(func() { z.mangle = mangle })
		r := z.resolver(func(c *Config) { c.Timeout, c.Attempts = 50*time.Millisecond, 1 })
		if got, err := r.LocateURI(t.Context(), "sip:lie.example:5060"); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestTheHostsFileIsRead(t *testing.T) {
	z := newZone(t)
	z.be(func() { z.mute = true })
	hosts := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(hosts, []byte("# mine\n192.0.2.50\tpbx PBX.lan # the old one\n::bad x pbx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := z.resolver(func(c *Config) { c.Hosts = hosts })
	if got, err := r.LocateURI(t.Context(), "sip:pbx.lan;transport=tcp"); err != nil || texts(got)[0] != "192.0.2.50:5060/TCP" {
		t.Errorf("%v, %v", got, err)
	}
	if z.asked.Load() != 0 {
		t.Error("a DNS server was asked for a name of this machine")
	}
}

func TestOrderIsByPriorityAndInShareOfWeight(t *testing.T) {
	records := []srv{{20, 0, 1, "last"}, {10, 75, 1, "three"}, {10, 25, 1, "one"}, {10, 0, 1, "zero"}}
	first := map[string]int{}
	for range 10000 {
		got := order(records, anyOf)
		if got[3].target != "last" {
			t.Fatalf("%v", got)
		}
		first[got[0].target]++
	}
	if n := first["three"]; n < 7000 || n > 8000 { // 75 of 101 lots
		t.Errorf("%v", first)
	}
	if first["zero"] == 0 || first["zero"] > 500 {
		t.Errorf("weight 0: %v", first)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) srv {
			return srv{rapid.Uint16Range(0, 3).Draw(t, "priority"), rapid.Uint16().Draw(t, "weight"), rapid.Uint16().Draw(t, "port"), "x"}
		}), 0, 12).Draw(t, "records")
		out := order(in, func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "lot") })
		key := func(a, b srv) int {
			return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
		}
		if !slices.IsSortedFunc(out, func(a, b srv) int { return int(a.priority) - int(b.priority) }) ||
			!slices.Equal(slices.SortedFunc(slices.Values(in), key), slices.SortedFunc(slices.Values(out), key)) {
			t.Errorf("%v becomes %v", in, out)
		}
	})
}

// What is read of a URI is a name that can be asked for, or a number, and a port.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"sip:a@b.example:5060;transport=tcp", "sips:[::1]", "sip:1.2.3.4:99999", "sip:a..b", "SIP:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		q, err := Parse(uri)
		if err != nil {
			if !errors.Is(err, ErrQuery) {
				t.Errorf("%q: %v", uri, err)
			}
			return
		}
		if _, err := netip.ParseAddr(q.Host); err != nil && !validName(q.Host) {
			t.Errorf("%q: host %q", uri, q.Host)
		}
		if q.Secure && q.Transport != "" {
			t.Errorf("%q: %+v", uri, q)
		}
	})
}

// Whatever a server says, so many records of the kind asked for come of it and hold for no
// longer and no shorter than allowed.
func FuzzAnswer(f *testing.F) {
	for _, r := range carrier[4:11] {
		rr, _ := dns.NewRR(r)
		m := new(dns.Msg)
		m.SetQuestion(rr.Header().Name, rr.Header().Rrtype)
		m.Answer = []dns.RR{rr}
		data, _ := m.Pack()
		f.Add(data, rr.Header().Name)
	}
	r, err := New(Config{Hosts: "/nowhere"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte, name string) {
		var m dns.Msg
		if m.Unpack(data) != nil {
			return
		}
		for _, kind := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeSRV, dns.TypeNAPTR} {
			records, ttl := r.dns.read(&m, question{strings.ToLower(dns.Fqdn(name)), kind})
			if len(records) > maxRecords || ttl < r.cfg.MinTTL || ttl > r.cfg.MaxTTL {
				t.Errorf("%d records for %v", len(records), ttl)
			}
			for _, rr := range records {
				if rr.Header().Rrtype != kind {
					t.Errorf("%v was not asked for", rr)
				}
			}
		}
	})
}
