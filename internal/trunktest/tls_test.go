package trunktest_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/internal/trunktest"
	"github.com/headroom-voice/headroom/media/sip/siptest"
)

// authority issues certificates; its own stands in a file.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(t.TempDir(), "roots.pem")}
	a.key = a.newKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// issue gives a certificate for a name, good for so long from now.
func (a *authority) issue(name string, lasts time.Duration) tls.Certificate {
	key := a.newKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(lasts)}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// stream is a SIP server on connections that says 200 to everything; a nil cfg is plain TCP.
func stream(t *testing.T, cfg *tls.Config) netip.AddrPort {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	plain := l.Addr()
	if cfg != nil {
		l = tls.NewListener(l, cfg)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer conn.Close()
				_ = conn.SetDeadline(time.Now().Add(patience))
				if cfg == nil { // it is greeted in a way that it does not know
					_, _ = conn.Read(make([]byte, 4096))
					_, _ = conn.Write([]byte("SIP/2.0 400 Bad Request\r\n\r\n"))
					return
				}
				r, req := bufio.NewReader(conn), ""
				for {
					line, err := r.ReadString('\n')
					if err != nil {
						return
					}
					if req += line; line != "\r\n" {
						continue
					}
					if strings.Contains(req, "SIP/2.0") {
						_, _ = conn.Write([]byte(respond(req, "200 OK")))
					}
					req = ""
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); wg.Wait() })
	return netip.MustParseAddrPort(plain.String())
}

func TestTheCertificateOfATLSServerIsLookedAt(t *testing.T) {
	t.Parallel()
	known, unknown := newAuthority(t), newAuthority(t)
	year := 400 * 24 * time.Hour
	asking := &tls.Config{Certificates: []tls.Certificate{known.issue("carrier.example", year)}, ClientAuth: tls.RequireAnyClientCert}
	serves := func(c tls.Certificate) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{c}} }
	for name, c := range map[string]struct {
		cfg           *tls.Config
		outcome       trunktest.Outcome
		words, advice string
	}{
		"a good one":           {serves(known.issue("carrier.example", year)), trunktest.OK, "TLS 1.3, the certificate is for carrier.example and good until", ""},
		"about to run out":     {serves(known.issue("carrier.example", 75*time.Hour)), trunktest.Warning, "good until", "renew it within 3 days"},
		"run out":              {serves(known.issue("carrier.example", -time.Hour)), trunktest.Failed, "has run out on", "clock"},
		"another's":            {serves(known.issue("other.example", year)), trunktest.Failed, "is for other.example, and not for carrier.example", "target's uri"},
		"an unknown authority": {serves(unknown.issue("carrier.example", year)), trunktest.Failed, "does not trust", "sip.tls.roots"},
		"asks for ours":        {asking, trunktest.Failed, "broken off the handshake", "sip.tls.certificate"},
		"no TLS at all":        {nil, trunktest.Failed, "what answers there is not TLS", "wrong port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := stream(t, c.cfg)
			cfg := config(t, "sips:carrier.example")
			cfg.SIP.TLS.Roots = known.file
			cfg.DNS.Servers = []netip.AddrPort{siptest.Zone(t, `gw.carrier.example. 60 IN A 127.0.0.1`,
				`_sips._tcp.carrier.example. 60 IN SRV 10 0 `+portOf(at)+` gw.carrier.example.`)}
			r := try(t, cfg)
			got := check(t, r, trunktest.StepTLS)
			says(t, got, c.outcome, c.words, c.advice)
			if cert := got.Certificate; c.cfg != nil && name != "asks for ours" && (cert == nil || len(cert.Names) != 1 || cert.Issuer != "CN=Test Authority") {
				t.Errorf("%+v", cert)
			}
			if r.OK != (c.outcome == trunktest.OK) {
				t.Error("all is well")
			}
			if c.outcome != trunktest.Failed {
				says(t, check(t, r, trunktest.StepOptions), trunktest.OK, "answered 200", "")
			} else if len(r.Checks) != 2 {
				t.Errorf("went on: %+v", r.Checks)
			}
		})
	}
}

func portOf(a netip.AddrPort) string { _, port, _ := net.SplitHostPort(a.String()); return port }
