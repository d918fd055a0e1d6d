package trunktest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

const (
	handshakeTime = 5 * time.Second
	alertTime     = 250 * time.Millisecond // for a server that turns our certificate away after its own Finished (TLS 1.3)
	soon          = 14 * 24 * time.Hour    // a certificate with less than that before it is to be renewed
)

// Certificate is what a server showed.
type Certificate struct {
	Names    []string  `json:"names"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	Version  string    `json:"version,omitempty"` // of TLS; "" where there was no agreement
}

// handshake looks at a TLS server's certificate, by the rules that calls go by: TLS 1.2 or
// newer, vouched for, and for the name in the URI (RFC 5922 section 7.2).
func (r *run) handshake(ctx context.Context, s server) Check {
	c := Check{Step: StepTLS, Target: s.uri, Server: s.via.String(), Outcome: Failed}
	cfg, err := r.tlsConfig(s.via.Host)
	if err != nil {
		c.Words, c.Advice = inShort(err), "check the files under sip.tls in headroom.yaml"
		return c
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	start := time.Now()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.via.Addr.String())
	if err != nil {
		c.Words, c.Advice = r.silent(s.via, err, handshakeTime)
		return c
	}
	secure := tls.Client(conn, cfg)
	defer func() { _ = secure.Close() }()
	err = secure.HandshakeContext(ctx)
	c.RoundTripMS = milliseconds(time.Since(start))
	if err == nil {
		err = turnedAway(secure)
	}
	if err != nil {
		c.Certificate = shown(unverified(err), "")
		c.Words, c.Advice = notTrusted(err, s.via.Host, cfg.Certificates != nil)
		return c
	}
	state := secure.ConnectionState()
	c.Certificate = shown(state.PeerCertificates, tls.VersionName(state.Version))
	until := c.Certificate.NotAfter
	c.Outcome, c.Words = OK, fmt.Sprintf("%s, the certificate is for %s and good until %s", c.Certificate.Version, s.via.Host, until.Format(time.DateOnly))
	if left := time.Until(until); left < soon {
		c.Outcome, c.Advice = Warning, fmt.Sprintf("the carrier must renew it within %d days, or its calls end", int(left.Hours()/24))
	}
	return c
}

// tlsConfig is that of the service's own connections.
func (r *run) tlsConfig(host string) (*tls.Config, error) {
	files := r.cfg.SIP.TLS
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	if files.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(files.Certificate, files.Key)
		if err != nil {
			return nil, err
		}
		cfg.Certificates = []tls.Certificate{pair}
	}
	if files.Roots != "" {
		pem, err := os.ReadFile(files.Roots)
		if err != nil {
			return nil, err
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s", files.Roots)
		}
	}
	return cfg, nil
}

// turnedAway listens for a moment: a TLS 1.3 server judges our certificate, or that we have
// none, after we believe the handshake to be over.
func turnedAway(conn *tls.Conn) error {
	_ = conn.SetReadDeadline(time.Now().Add(alertTime))
	_, err := conn.Read(make([]byte, 1))
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return alert
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		return op
	}
	return nil // silence, or a SIP server that has something to say already
}

func unverified(err error) []*x509.Certificate {
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return v.UnverifiedCertificates
	}
	return nil
}

// shown describes a server's own certificate; nil without one.
func shown(chain []*x509.Certificate, version string) *Certificate {
	if len(chain) == 0 {
		return nil
	}
	leaf := chain[0]
	return &Certificate{Names: namesOf(leaf), Issuer: leaf.Issuer.String(), NotAfter: leaf.NotAfter, Version: version}
}

// namesOf are what a certificate is for.
func namesOf(leaf *x509.Certificate) []string {
	names := append([]string{}, leaf.DNSNames...)
	for _, a := range leaf.IPAddresses {
		names = append(names, a.String())
	}
	for _, u := range leaf.URIs {
		names = append(names, u.String())
	}
	if len(names) == 0 && leaf.Subject.CommonName != "" {
		names = append(names, leaf.Subject.CommonName+" (as a common name, which does not count)")
	}
	return names
}

// notTrusted says why a handshake came to nothing.
func notTrusted(err error, host string, ours bool) (words, advice string) {
	if name, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Sprintf("the certificate is for %s, and not for %s", strings.Join(namesOf(name.Certificate), ", "), host),
			"write one of those names into the target's uri, or have the carrier put this one into its certificate"
	}
	if bad, ok := errors.AsType[x509.CertificateInvalidError](err); ok && bad.Reason == x509.Expired {
		if time.Now().Before(bad.Cert.NotBefore) {
			return "the certificate is good only from " + bad.Cert.NotBefore.Format(time.DateTime) + " on", "check the clock of this machine"
		}
		return "the certificate has run out on " + bad.Cert.NotAfter.Format(time.DateOnly), "the carrier must renew it; check the clock of this machine, too"
	}
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		issuer := "nobody"
		if unknown.Cert != nil {
			issuer = unknown.Cert.Issuer.String()
		}
		return "the certificate is by an authority that this machine does not trust: " + issuer,
			"put the authority's certificate into the file that sip.tls.roots in headroom.yaml names"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "what answers there is not TLS", "a wrong port (TLS is 5061 by custom), or a server that speaks TCP in plain: transport=tcp"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "remote error" {
		words = "the server has broken off the handshake: " + op.Err.Error()
		if ours {
			return words, "it may not take our certificate: check sip.tls.certificate, and that the carrier knows it"
		}
		return words, "it may want a certificate of ours: set sip.tls.certificate and sip.tls.key in headroom.yaml"
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Sprintf("connected, and no TLS handshake within %v", handshakeTime), "a wrong port, or a server that speaks TCP in plain"
	}
	return "the TLS handshake has failed: " + inShort(err), "ask the carrier which TLS versions and ciphers it takes; here it is 1.2 or newer"
}
