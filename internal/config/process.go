package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Process is headroom.yaml: how one process of the service runs.
type Process struct {
	HTTP   HTTP   `yaml:"http"`
	SIP    SIP    `yaml:"sip"`
	RTP    RTP    `yaml:"rtp"`
	WebRTC WebRTC `yaml:"webrtc"`
	Data   string `yaml:"data"` // folder of everything the process keeps

	Recordings Recordings `yaml:"recordings"`

	Database Database `yaml:"database"`
	Log      Log      `yaml:"log"`
	Shutdown Shutdown `yaml:"shutdown"`
	Debug    Debug    `yaml:"debug"`
}

// HTTP is where pages, API and agents' signalling are served.
type HTTP struct {
	Listen         string         `yaml:"listen"`          // IP:port
	SecureCookies  bool           `yaml:"secure_cookies"`  // cookies only over HTTPS
	TrustedProxies []netip.Prefix `yaml:"trusted_proxies"` // whose X-Forwarded-For is believed
	TrustedOrigins []string       `yaml:"trusted_origins"` // scheme://host[:port] of other pages that may use the API
	MetricsToken   string         `yaml:"metrics_token"`   // lets a scraper read /metrics; empty leaves it to people
}

// SIP is where trunks call.
type SIP struct {
	UDP       string     `yaml:"udp"` // IP:port; empty is off
	TCP       string     `yaml:"tcp"` // IP:port; empty is off
	TLS       SIPTLS     `yaml:"tls"`
	Advertise netip.Addr `yaml:"advertise"` // address told to trunks, for signalling and audio; invalid is the listening one
	// AdvertiseAlso is that of the other family, where trunks of both are called; invalid is none.
	AdvertiseAlso netip.Addr `yaml:"advertise_also"`
	DNS           []string   `yaml:"dns"` // IP:port of the servers asked where trunks are; empty is the system's
	// SessionTimer finds calls whose other side is gone (RFC 4028).
	SessionTimer SessionTimer `yaml:"session_timer"`
	Strangers    Strangers    `yaml:"strangers"`
}

// Strangers says what those hear whom no trunk knows.
type Strangers string

// The ways with strangers.
const (
	StrangersAnswer Strangers = "answer" // a refusal with its status
	StrangersSilent Strangers = "silent" // nothing but the challenge that they may answer
)

// SessionTimer is how often a call must be refreshed; whole seconds.
type SessionTimer struct {
	Expires time.Duration `yaml:"expires"` // without a refresh a call ends after this
	MinSE   time.Duration `yaml:"min_se"`  // a trunk that asks for less is refused (422)
}

// SIPTLS is signalling over TLS.
type SIPTLS struct {
	Listen      string `yaml:"listen"`      // IP:port; empty is off
	Certificate string `yaml:"certificate"` // PEM file
	Key         string `yaml:"key"`         // PEM file
	Roots       string `yaml:"roots"`       // PEM file of authorities; empty is the system's
	AskClients  bool   `yaml:"ask_clients"` // who connects must show a certificate of Roots
}

// RTP is where the trunks' audio arrives.
type RTP struct {
	Address netip.Addr `yaml:"address"` // bound for every call
	Ports   PortRange  `yaml:"ports"`   // two a call
}

// WebRTC is where the agents' audio arrives.
type WebRTC struct {
	Listen    string       `yaml:"listen"`    // IP:port, one UDP port for all agents
	TCP       string       `yaml:"tcp"`       // IP:port of a TCP port, for those whom no UDP reaches; empty is off
	Advertise []netip.Addr `yaml:"advertise"` // addresses told to agents; empty is the listening one
	Relay     Relay        `yaml:"relay"`
}

// Relay carries agents' audio over TLS, for networks that let out nothing but HTTPS.
type Relay struct {
	Listen      string `yaml:"listen"`      // IP:port; empty is off
	Address     string `yaml:"address"`     // host, or host:port, that agents are told; the certificate is of that host
	Certificate string `yaml:"certificate"` // PEM file
	Key         string `yaml:"key"`         // PEM file
}

// Database says where the record is kept.
type Database struct {
	DSN string `yaml:"dsn"` // postgres:// URL; empty is SQLite in the data folder
}

// Log says how the process logs.
type Log struct {
	Level      slog.Level    `yaml:"level"`
	Format     LogFormat     `yaml:"format"`
	Identities LogIdentities `yaml:"identities"` // of callers and called
}

// LogIdentities is how much of numbers and names gets into the log.
type LogIdentities string

// The policies, as media/sip/mask has them.
const (
	IdentitiesFull   LogIdentities = "full"
	IdentitiesMasked LogIdentities = "masked"
	IdentitiesNone   LogIdentities = "none"
)

// Debug is for who looks into the process.
type Debug struct {
	Listen string `yaml:"listen"` // IP:port of net/http/pprof, on loopback; empty is off
}

// LogFormat is how a log line looks.
type LogFormat string

// The formats.
const (
	LogText LogFormat = "text"
	LogJSON LogFormat = "json"
)

// Shutdown says how the process ends.
type Shutdown struct {
	Drain time.Duration `yaml:"drain"` // calls in progress may go on for this long
}

// PortRange is a range of UDP ports, both ends in it.
type PortRange struct{ Low, High uint16 }

// String gives the range as it is written, such as 20000-29999.
func (r PortRange) String() string { return fmt.Sprintf("%d-%d", r.Low, r.High) }

// Default is the process without a file: everything on 127.0.0.1, SQLite under
// ./headroom-data.
func Default() Process {
	return Process{
		HTTP:   HTTP{Listen: "127.0.0.1:8080", TrustedProxies: []netip.Prefix{}, TrustedOrigins: []string{}},
		SIP:    SIP{UDP: "127.0.0.1:5060", TCP: "127.0.0.1:5060", DNS: []string{}, SessionTimer: SessionTimer{Expires: 30 * time.Minute, MinSE: 90 * time.Second}, Strangers: StrangersAnswer},
		RTP:    RTP{Address: netip.AddrFrom4([4]byte{127, 0, 0, 1}), Ports: PortRange{20000, 29999}},
		WebRTC: WebRTC{Listen: "127.0.0.1:8190", Advertise: []netip.Addr{}},
		Data:   "./headroom-data",

		Recordings: Recordings{Format: RecordWAV, Rate: 16000, MinFree: 1024},

		Log:      Log{Level: slog.LevelInfo, Format: LogText, Identities: IdentitiesMasked},
		Shutdown: Shutdown{Drain: 30 * time.Second},
	}
}

// Load reads headroom.yaml; an empty name gives Default. Mistakes in the file are Errors.
func Load(name string) (Process, error) {
	if name == "" {
		return Default(), nil
	}
	data, err := readFile(name)
	if err != nil {
		return Process{}, err
	}
	return Parse(name, data)
}

// Parse is Load for what is already read; name is for messages.
func Parse(name string, data []byte) (Process, error) {
	f := &findings{file: name}
	p := Default()
	if decode(data, &p, f) {
		p.check(f)
	}
	if err := f.err(); err != nil {
		return Process{}, err
	}
	return p, nil
}

// Validate checks a Process that was put together by flags or by hand.
func (p Process) Validate() error {
	f := &findings{}
	p.check(f)
	return f.err()
}

// DSN is what the store is opened with.
func (p Process) DSN() string {
	if p.Database.DSN != "" {
		return p.Database.DSN
	}
	return filepath.Join(p.Data, "headroom.db")
}

// check finds what the types let through.
func (p Process) check(f *findings) {
	p.HTTP.check(f)
	everywhere := checkListen(f, "sip.udp", p.SIP.UDP, true)
	everywhere = checkListen(f, "sip.tcp", p.SIP.TCP, true) || everywhere
	everywhere = checkListen(f, "sip.tls.listen", p.SIP.TLS.Listen, true) || everywhere
	p.SIP.check(f)
	checkListen(f, "webrtc.listen", p.WebRTC.Listen, false)
	checkListen(f, "webrtc.tcp", p.WebRTC.TCP, true)
	p.WebRTC.Relay.check(f)
	if !p.RTP.Address.IsValid() {
		f.add("rtp.address", "an address is needed; write it like 192.0.2.10")
	}
	if everywhere || p.RTP.Address.IsUnspecified() {
		if !p.SIP.Advertise.IsValid() {
			f.add("sip.advertise", "is needed when sip or rtp listens on every address; write the one that trunks reach, like 192.0.2.10")
		}
	}
	if p.SIP.Advertise.IsUnspecified() {
		f.add("sip.advertise", "%q cannot be called; write the address that trunks reach, like 192.0.2.10", p.SIP.Advertise)
	}
	for i, a := range p.WebRTC.Advertise {
		if !a.IsValid() || a.IsUnspecified() {
			f.add(fmt.Sprintf("webrtc.advertise[%d]", i), "%q cannot be reached; write the address that agents reach, like 192.0.2.10", a)
		}
	}
	if p.RTP.Ports.Low < 1024 || p.RTP.Ports.High < p.RTP.Ports.Low+3 || p.RTP.Ports.High < 4 {
		f.add("rtp.ports", "%q is not enough; expected at least four ports from 1024 on, like 20000-29999", p.RTP.Ports)
	}
	if p.Data == "" {
		f.add("data", "a folder is needed, like ./headroom-data")
	}
	if p.Database.DSN != "" {
		// The value may hold a password, so it is not repeated.
		if u, err := url.Parse(p.Database.DSN); err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" || u.Host == "" && u.RawQuery == "" {
			f.add("database.dsn", "is not a database; write it like postgres://user:password@host/database, or leave it empty for SQLite")
		}
	}
	checkWord(f, "log.format", p.Log.Format, LogText, LogJSON)
	checkWord(f, "log.identities", p.Log.Identities, IdentitiesFull, IdentitiesMasked, IdentitiesNone)
	p.Debug.check(f)
	p.Recordings.check(f)
	checkDuration(f, "shutdown.drain", p.Shutdown.Drain, 0, time.Hour)
}

// check finds what is wrong with TLS, the second address and the DNS servers.
func (s SIP) check(f *findings) {
	switch t := s.TLS; {
	case t.Listen != "" && (t.Certificate == "" || t.Key == ""):
		f.add("sip.tls.certificate", "to listen on TLS, the files of a certificate and its key are needed")
	case (t.Certificate == "") != (t.Key == ""):
		f.add("sip.tls.certificate", "a certificate and its key go together")
	case t.AskClients && t.Roots == "":
		f.add("sip.tls.roots", "to ask for certificates, the file of the authorities behind them is needed")
	}
	if a := s.AdvertiseAlso; a.IsValid() && (a.IsUnspecified() || !s.Advertise.IsValid() || a.Is4() == s.Advertise.Is4()) {
		f.add("sip.advertise_also", "%q is not the other one; write an IPv6 address where sip.advertise is of IPv4, or the other way round", a)
	}
	s.SessionTimer.check(f)
	checkWord(f, "sip.strangers", s.Strangers, StrangersAnswer, StrangersSilent)
	for i, server := range s.DNS {
		if a, err := netip.ParseAddrPort(server); err != nil || a.Port() == 0 {
			f.add(fmt.Sprintf("sip.dns[%d]", i), "%q is not a DNS server; write it like 192.0.2.53:53", server)
		}
	}
}

// The bounds of the session timer: RFC 4028 section 4 has the least.
const (
	leastSession = 90 * time.Second
	mostSession  = 24 * time.Hour
)

func (t SessionTimer) check(f *findings) {
	for _, d := range []struct {
		key   string
		value time.Duration
	}{{"sip.session_timer.expires", t.Expires}, {"sip.session_timer.min_se", t.MinSE}} {
		checkDuration(f, d.key, d.value, leastSession, mostSession)
		if d.value%time.Second != 0 {
			f.add(d.key, "%v is not in whole seconds", d.value)
		}
	}
	if t.Expires < t.MinSE {
		f.add("sip.session_timer.expires", "%v is less than min_se, %v; a call cannot expire before it may", t.Expires, t.MinSE)
	}
}

// check keeps what a profile shows on this machine.
func (d Debug) check(f *findings) {
	checkListen(f, "debug.listen", d.Listen, true)
	if a, err := netip.ParseAddrPort(d.Listen); err == nil && !a.Addr().IsLoopback() {
		f.add("debug.listen", "%q can be reached from elsewhere, and whoever reaches it sees into the process; write it like 127.0.0.1:6060", d.Listen)
	}
}

// shortestToken is the length below which a token can be guessed.
const shortestToken = 16

func (h HTTP) check(f *findings) {
	checkListen(f, "http.listen", h.Listen, false)
	for i, p := range h.TrustedProxies {
		if !p.IsValid() || p != p.Masked() {
			f.add(fmt.Sprintf("http.trusted_proxies[%d]", i), "%q has bits set behind the network; write %s", p, p.Masked())
		}
	}
	for i, o := range h.TrustedOrigins {
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || o != u.Scheme+"://"+u.Host {
			f.add(fmt.Sprintf("http.trusted_origins[%d]", i), "%q is not an origin; write it like https://desk.example", o)
		}
	}
	// The token is a secret, so it is not repeated.
	if t := h.MetricsToken; t != "" && (len(t) < shortestToken || strings.ContainsFunc(t, func(r rune) bool { return r <= ' ' || r > '~' })) {
		f.add("http.metrics_token", "is not a token; use %d or more letters, digits and signs without spaces, like openssl rand -hex 24 gives", shortestToken)
	}
}

// checkListen checks an IP:port and reports whether it stands for every address.
func checkListen(f *findings, key, listen string, mayBeOff bool) (everywhere bool) {
	if listen == "" && mayBeOff {
		return false
	}
	a, err := netip.ParseAddrPort(listen)
	if err != nil {
		off := ""
		if mayBeOff {
			off = `, or "" for off`
		}
		f.add(key, "%q is not an address and port; write it like 127.0.0.1:8080%s", listen, off)
		return false
	}
	return a.Addr().IsUnspecified()
}

// parsePortRange reads 20000-29999.
func parsePortRange(s string) (PortRange, error) {
	low, high, _ := strings.Cut(s, "-")
	l, err := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	if err != nil {
		return PortRange{}, err
	}
	h, err := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	return PortRange{Low: uint16(l), High: uint16(h)}, err
}

// parseLevel reads one of slog's four words.
func parseLevel(s string) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if s == strings.ToLower(l.String()) {
			return l, nil
		}
	}
	return 0, strconv.ErrSyntax
}
