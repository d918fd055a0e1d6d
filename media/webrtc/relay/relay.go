// Package relay carries agents' audio over TLS (TURN, RFC 8656) for networks that let out
// nothing but HTTPS. It leads to the service's own media port and nowhere else, only for who
// has short-lived credentials of the service, and for so many at once.
package relay

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/logging"
	"github.com/pion/stun/v4"
	"github.com/pion/turn/v5"

	"github.com/headroom-voice/headroom/media/certificate"
)

const (
	realm = "headroom"
	// lifetime of credentials: to begin with, not to go on with.
	lifetime = time.Hour
	// perUser allocations at once: a browser makes one for each of its interfaces, twice while a
	// connection is replaced by another.
	perUser = 16
)

// Config of a Server. All but Advertise, MaxAllocations and Now must be given.
type Config struct {
	Listen           string         // TCP address, TLS is spoken there
	Certificate, Key string         // PEM files, read again when they change
	Address          string         // host, or host:port, that clients are told; the certificate is of that host
	Media            netip.AddrPort // the gateway's UDP port
	Advertise        []netip.Addr   // as its clients are told it
	MaxAllocations   int            // default 4096
	Now              func() time.Time
}

// Server is the relay. It works from New on; Close ends it.
type Server struct {
	cfg    Config
	port   *port
	turn   *turn.Server
	files  *certificate.Files
	secret []byte

	mu    sync.Mutex
	users map[string]int    // allocations
	from  map[string]string // user by remote address, where there is an allocation

	refused atomic.Uint64
}

// New reads the certificate and opens the port.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	if cfg.MaxAllocations == 0 {
		cfg.MaxAllocations = 4096
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	files, err := certificate.Open(cfg.Certificate, cfg.Key, log)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	addr, err := net.ResolveTCPAddr("tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("relay: %w", err)
	}
	s := &Server{
		cfg: cfg, files: files, secret: make([]byte, 32), users: make(map[string]int), from: make(map[string]string),
		port: newPort(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: files.Get}, 2*cfg.MaxAllocations),
	}
	_, _ = rand.Read(s.secret) // never fails
	leads := addresses{media: cfg.Media, advertise: cfg.Advertise}
	s.turn, err = turn.NewServer(turn.ServerConfig{
		Realm: realm, AuthHandler: s.authenticate, QuotaHandler: s.quota,
		LoggerFactory: quiet{}, InboundMTU: maxFrame + 1,
		EventHandler: turn.EventHandler{
			OnAuth: s.judged, OnAllocationCreated: s.created, OnAllocationDeleted: s.deleted,
		},
		ListenerConfigs: []turn.ListenerConfig{{
			Listener: s.port, RelayAddressGenerator: leads, PermissionHandler: leads.permit,
		}},
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("relay: %w", err), s.port.Close())
	}
	return s, nil
}

// permit lets a client send to the media port's addresses, and hear them.
func (a addresses) permit(_ net.Addr, peer net.IP) bool {
	addr, ok := netip.AddrFromSlice(peer)
	if !ok {
		return false
	}
	addr = addr.Unmap()
	for _, p := range paths(a.media, a.advertise, addr.Is6()) {
		if p.told.Addr() == addr {
			return true
		}
	}
	return false
}

// Addr is the address in use.
func (s *Server) Addr() netip.AddrPort { return s.port.Addr().(*net.TCPAddr).AddrPort() }

// Stats of the relay.
type Stats struct {
	Allocations int    // at present
	Refused     uint64 // requests without good credentials, or beyond the bounds
	Certificate certificate.Stats
}

// Stats is a snapshot.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Allocations: len(s.from), Refused: s.refused.Load(), Certificate: s.files.Stats()}
}

// Close ends the relay and everything that runs over it.
func (s *Server) Close() error { return s.turn.Close() }

// Ticket is what a client needs to use the relay.
type Ticket struct {
	URL                  string // turns:host:port?transport=tcp
	Username, Credential string
	Expires              time.Time // for new allocations; one that stands goes on
}

// Ticket is for a user who has signed in. The username is when it ends and who it is of, and
// the credential a code over both that only this process can make.
func (s *Server) Ticket(user string) Ticket {
	expires := s.cfg.Now().Add(lifetime)
	name := strconv.FormatInt(expires.Unix(), 10) + ":" + user
	host, port, err := net.SplitHostPort(s.cfg.Address)
	if err != nil {
		host, port = strings.Trim(s.cfg.Address, "[]"), strconv.Itoa(int(s.Addr().Port()))
	}
	return Ticket{
		URL:      "turns:" + net.JoinHostPort(host, port) + "?transport=tcp",
		Username: name, Credential: s.credential(name), Expires: expires,
	}
}

func (s *Server) credential(username string) string {
	mac := hmac.New(sha256.New, s.secret)
	_, _ = io.WriteString(mac, username) // never fails
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// authenticate gives the key of a username that is of ours and not over. For what stands
// already it may be over.
func (s *Server) authenticate(r *turn.RequestAttributes) (user string, key []byte, ok bool) {
	stamp, user, found := strings.Cut(r.Username, ":")
	expires, err := strconv.ParseInt(stamp, 10, 64)
	over := s.cfg.Now().Unix() >= expires && (r.Method == stun.MethodAllocate || !s.stands(r.SrcAddr, user))
	if !found || err != nil || user == "" || over || r.Realm != realm {
		s.refused.Add(1)
		return "", nil, false
	}
	return user, turn.GenerateAuthKey(r.Username, r.Realm, s.credential(r.Username)), true
}

func (s *Server) stands(from net.Addr, user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.from[from.String()] == user
}

func (s *Server) quota(user, _ string, _ net.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.users[user] < perUser && len(s.from) < s.cfg.MaxAllocations
	if !ok {
		s.refused.Add(1)
	}
	return ok
}

// judged is told of every request that was looked at.
func (s *Server) judged(from, _ net.Addr, _, _, _, _ string, ok bool) {
	if !ok {
		s.refused.Add(1)
		return
	}
	s.port.proven(from)
}

func (s *Server) created(from, _ net.Addr, _, user, _ string, _ net.Addr, _ int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[user]++
	s.from[from.String()] = user
}

func (s *Server) deleted(from, _ net.Addr, _, user, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users[user]--; s.users[user] <= 0 {
		delete(s.users, user)
	}
	delete(s.from, from.String())
}

// quiet keeps the library from printing.
type quiet struct{}

func (quiet) NewLogger(string) logging.LeveledLogger { return silence }

var silence = logging.NewDefaultLeveledLoggerForScope("", logging.LogLevelDisabled, io.Discard)
