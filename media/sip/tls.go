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
	"time"

	"github.com/headroom-voice/headroom/media/certificate"
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

// The time a peer has for its handshake, and how many there are.
const (
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
	cert           *certificate.Files // nil without files
}

func newTLSSide(t TLS, log *slog.Logger) (*tlsSide, error) {
	s := &tlsSide{
		server: &tls.Config{MinVersion: tls.VersionTLS12},
		client: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if t.Certificate != "" {
		var err error
		if s.cert, err = certificate.Open(t.Certificate, t.Key, log); err != nil {
			return nil, fmt.Errorf("sip: TLS: %w", err)
		}
		s.server.GetCertificate = s.cert.Get
		s.client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return s.cert.Current(), nil }
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

func (s *tlsSide) stats() TLSStats {
	if s.cert == nil {
		return TLSStats{}
	}
	c := s.cert.Stats()
	return TLSStats{NotAfter: c.NotAfter, Reloads: c.Reloads, ReloadFailures: c.Failures}
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
