package sip

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// TLS is signalling over TLS (RFC 3261 section 26.2.1), 1.2 or newer. Calls can be placed
// over it without any of this; to be called needs Listen and a certificate.
type TLS struct {
	Listen           string // address, "" = off
	Certificate, Key string // PEM files of our own; read again when they change
	// Roots is a PEM file of the authorities that a server we connect to, or a client with
	// a certificate, must be vouched for by; "" is the system's.
	Roots string
	// Ask makes whoever connects show a certificate of Roots, or be turned away.
	Ask bool
}

// How often a certificate's files are looked at, at most, and the time a peer has for its
// handshake.
const (
	certificateEvery = time.Second
	handshakeTimeout = 5 * time.Second
	handshakes       = strangersAtOnce + likelyAtOnce + 64 // at once; the next one waits: a trunk's for no stranger's
)

func (t TLS) valid() error {
	switch {
	case (t.Certificate == "") != (t.Key == ""):
		return errors.New("sip: TLS needs both a certificate and its key")
	case t.Listen != "" && t.Certificate == "":
		return errors.New("sip: to listen on TLS, a certificate is needed")
	case t.Ask && t.Roots == "":
		return errors.New("sip: to ask for certificates over TLS, the authorities behind them are needed (Roots)")
	}
	return nil
}

// tlsSide holds both ends' settings. Its certificate is that of the files as they are.
type tlsSide struct {
	server, client *tls.Config
	cert           *certificate // nil without files
}

func newTLSSide(t TLS, log *slog.Logger) (*tlsSide, error) {
	s := &tlsSide{
		server: &tls.Config{MinVersion: tls.VersionTLS12},
		client: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if t.Certificate != "" {
		s.cert = &certificate{cert: t.Certificate, key: t.Key, log: log}
		if err := s.cert.load(); err != nil {
			return nil, fmt.Errorf("sip: TLS: %w", err)
		}
		s.server.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert.current(), nil }
		s.client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.cert.current(), nil }
	}
	if t.Roots != "" {
		pem, err := os.ReadFile(t.Roots)
		if err != nil {
			return nil, fmt.Errorf("sip: TLS: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("sip: TLS: no certificate in %s", t.Roots)
		}
		s.client.RootCAs, s.server.ClientCAs = pool, pool
	}
	if t.Ask {
		s.server.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return s, nil
}

// TLSStats says how it stands with the certificate.
type TLSStats struct {
	NotAfter       time.Time // of the certificate in use; zero without one
	Reloads        uint64    // new pairs taken up
	ReloadFailures uint64    // new pairs that could not be: the old one stays
	Handshakes     uint64    // that failed, of those who connected
}

// certificate is a pair of files. A handshake looks at them, once a second at most.
type certificate struct {
	cert, key string
	log       *slog.Logger
	inUse     atomic.Pointer[tls.Certificate]
	reloads   atomic.Uint64
	failures  atomic.Uint64

	mu     sync.Mutex
	looked time.Time
	seen   [2]fileMark // of the pair last read, good or bad
}

// fileMark tells one state of a file from another.
type fileMark struct {
	modified time.Time
	size     int64
}

func markOf(name string) fileMark {
	info, err := os.Stat(name)
	if err != nil {
		return fileMark{}
	}
	return fileMark{info.ModTime(), info.Size()}
}

// load reads the pair as it is; the one in use stays when that fails.
func (c *certificate) load() error {
	c.seen = [2]fileMark{markOf(c.cert), markOf(c.key)}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	now := time.Now()
	if pair.Leaf != nil && now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("the certificate in %s was good until %s", c.cert, pair.Leaf.NotAfter.Format(time.DateTime))
	}
	c.inUse.Store(&pair)
	return nil
}

// current is the pair in use, after a look whether the files hold another. Half a change, the
// one file written and not yet the other, is a bad pair first and a good one a moment later.
func (c *certificate) current() *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.looked) >= certificateEvery {
		c.looked = now
		if c.seen != [2]fileMark{markOf(c.cert), markOf(c.key)} {
			if err := c.load(); err != nil {
				c.failures.Add(1)
				c.log.Error("new TLS certificate not taken up; the old one stays", "error", err)
			} else {
				c.reloads.Add(1)
				c.log.Info("TLS certificate changed", "not_after", c.inUse.Load().Leaf.NotAfter)
			}
		}
	}
	return c.inUse.Load()
}

func (s *tlsSide) stats() TLSStats {
	if s.cert == nil {
		return TLSStats{}
	}
	out := TLSStats{Reloads: s.cert.reloads.Load(), ReloadFailures: s.cert.failures.Load()}
	if leaf := s.cert.inUse.Load().Leaf; leaf != nil {
		out.NotAfter = leaf.NotAfter
	}
	return out
}

// vouchedFor says that the server at the other end of an established connection may call
// itself name (RFC 5922 section 7.2). Whoever called us was not asked for a name.
func vouchedFor(conn net.Conn, name string) error {
	c, ok := conn.(*tls.Conn)
	if !ok || name == "" {
		return nil
	}
	certs := c.ConnectionState().PeerCertificates
	if len(certs) == 0 {
		return errors.New("sip: TLS: it has shown no certificate")
	}
	return certs[0].VerifyHostname(name)
}

// serverName is what a server's certificate must be for: the name it was found by, else its
// number.
func serverName(name string, addr net.IP) string { return cmp.Or(name, addr.String()) }
