package sip_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// authority signs certificates for tests.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir(), next: 1}
	a.key = a.newKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.write("ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

// write replaces a file at once, as a careful tool does.
func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	temp := a.file(name + ".new")
	if err := os.WriteFile(temp, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	if err := os.Rename(temp, a.file(name)); err != nil {
		a.t.Fatal(err)
	}
}

// issue writes NAME.pem and NAME.key for hosts and gives the serial number.
func (a *authority) issue(name string, hosts ...string) int64 {
	a.t.Helper()
	a.next++
	key := a.newKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(a.next), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".key", "EC PRIVATE KEY", private)
	a.write(name+".pem", "CERTIFICATE", der)
	return a.next
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// secure is a server's or client's TLS with a certificate for hosts.
func (a *authority) secure(name, listen string, hosts ...string) func(*sip.Config) {
	a.issue(name, hosts...)
	return func(c *sip.Config) {
		c.TLS = sip.TLS{Listen: listen, Certificate: a.file(name + ".pem"), Key: a.file(name + ".key"), Roots: a.file("ca.pem")}
	}
}

// tlsPhone is a phone over TLS.
func (a *authority) phone(server netip.AddrPort) *phone {
	a.t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: a.pool(), MinVersion: tls.VersionTLS12}}).DialContext(a.t.Context(), "tcp", server.String())
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { conn.Close() })
	p := &phone{t: a.t, network: "TLS", conn: conn, in: make(chan string, 64), cseq: 1, rtpPort: 9, id: fmt.Sprint(time.Now().UnixNano())}
	go p.read()
	return p
}

func TestACallOverTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := make(desk, 1)
	s := start(t, d, a.secure("server", "127.0.0.1:0", "127.0.0.1"))
	p := a.phone(s.TLSAddr())
	p.send("INVITE", p.offer("0"))
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	ok := p.expect("SIP/2.0 200")
	mustContain(t, ok, "Contact: <sip:headroom@"+s.TLSAddr().String()+";transport=tls>")
	p.send("ACK", "")
	go func() { _ = call.Hangup(within(t)) }()
	p.answerBye() // over the connection in use
	ended(t, call, sip.CauseLocal)
}

func TestOurCallOverTLSGoesToTheServerThatHasTheName(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := make(desk, 1)
	s := start(t, d, a.secure("server", "127.0.0.1:0", "sip.example.net"), func(c *sip.Config) { c.UDP, c.TCP = "", "" })
	client := newClient(t, func(c *sip.Config) { c.TLS.Roots = a.file("ca.pem") })
	to := sip.Outgoing{Target: "sips:100@sip.example.net", Via: locate.Target{Transport: "TLS", Addr: s.TLSAddr(), Host: "sip.example.net"}}
	out := dial(within(t), client, to)
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	placed := <-out
	if placed.err != nil {
		t.Fatal(placed.err)
	}
	// The server's BYE comes over the connection that the client made: it listens nowhere.
	if err := call.Hangup(within(t)); err != nil {
		t.Error(err)
	}
	ended(t, placed.call, sip.CauseRemoteBye)

	to.Via.Host = "elsewhere.example.net" // the same connection is not good for another name
	if _, err := client.Dial(within(t), to); err == nil || !strings.Contains(err.Error(), "elsewhere.example.net") {
		t.Errorf("a server that is not it was taken for elsewhere.example.net: %v", err)
	}
	other := newClient(t, func(c *sip.Config) { c.TLS.Roots = a.file("ca.pem") })
	if _, err := other.Dial(within(t), to); err == nil || !strings.Contains(err.Error(), "elsewhere.example.net") {
		t.Errorf("a server that is not it was taken for elsewhere.example.net: %v", err)
	}
	to.Via.Host = "sip.example.net"
	stranger := newClient(t)
	if _, err := stranger.Dial(within(t), to); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
}

func TestByeGoesOverANewTLSConnectionWhenTheOldOneHasGone(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	d := make(desk, 1)
	s := start(t, d, a.secure("server", "127.0.0.1:0", "127.0.0.1"))
	proxy := newCutter(t, s.TLSAddr())
	client := newClient(t, func(c *sip.Config) { c.TLS.Roots = a.file("ca.pem") })
	out := dial(within(t), client, sip.Outgoing{Target: "sip:100@" + proxy.addr.String() + ";transport=tls"})
	call := d.next(t)
	if _, err := call.Answer(within(t)); err != nil {
		t.Fatal(err)
	}
	placed := <-out
	if placed.err != nil {
		t.Fatal(placed.err)
	}
	proxy.cut()
	if err := placed.call.Hangup(within(t)); err != nil {
		t.Error(err)
	}
	ended(t, call, sip.CauseRemoteBye)
}

// cutter passes connections on, until it cuts them.
type cutter struct {
	addr  netip.AddrPort
	conns chan cuttable
}

type cuttable struct {
	net.Conn
	over chan struct{} // closed when who connected has closed its end
}

func newCutter(t *testing.T, to netip.AddrPort) *cutter {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{addr: netip.MustParseAddrPort(l.Addr().String()), conns: make(chan cuttable, 16)}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", to.String())
			if err != nil {
				in.Close()
				return
			}
			pair := cuttable{in, make(chan struct{})}
			c.conns <- pair
			go func() { _, _ = io.Copy(out, in); out.Close(); close(pair.over) }()
			go func() { _, _ = io.Copy(in, out); in.Close() }()
		}
	}()
	return c
}

// cut ends what is passed on, and returns when who connected has noticed.
func (c *cutter) cut() {
	for {
		select {
		case conn := <-c.conns:
			_ = conn.Conn.(*net.TCPConn).CloseWrite()
			<-conn.over
			conn.Close()
		default:
			return
		}
	}
}

// What a carrier that we are registered at over TLS does: it knows no other way to us.
func TestACallComesOverTheConnectionThatWeMade(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	ours, theirs := make(desk, 1), make(desk, 1)
	us := start(t, ours, func(c *sip.Config) { c.TLS.Roots = a.file("ca.pem") })
	them := start(t, theirs, a.secure("server", "127.0.0.1:0", "sip.example.net"))
	via := locate.Target{Transport: "TLS", Addr: them.TLSAddr(), Host: "sip.example.net"}
	reply, err := us.Client().Ask(within(t), sip.Request{Method: "OPTIONS", URI: "sip:sip.example.net", Via: via, Contact: "us"})
	if err != nil || reply.Status != 200 || !us.Client().Connected(via) {
		t.Fatalf("%+v, %v", reply, err)
	}
	contact, ok := strings.CutSuffix(strings.TrimPrefix(reply.Contact, "sip:us@"), ";transport=tls")
	if !ok {
		t.Fatalf("contact %q", reply.Contact)
	}
	for _, byThem := range []bool{true, false} {
		out := dial(within(t), them.Client(), sip.Outgoing{Target: reply.Contact, Via: locate.Target{Transport: "TLS", Addr: netip.MustParseAddrPort(contact)}})
		in := ours.next(t)
		if _, err := in.Answer(within(t)); err != nil {
			t.Fatal(err)
		}
		placed := <-out
		if placed.err != nil {
			t.Fatal(placed.err)
		}
		first, other := in, placed.call
		if byThem {
			first, other = placed.call, in
		}
		if err := first.Hangup(within(t)); err != nil {
			t.Error(err)
		}
		ended(t, other, sip.CauseRemoteBye)
	}
}

// serial is that of the certificate which the server shows now.
func (a *authority) serial(server netip.AddrPort) int64 {
	a.t.Helper()
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: a.pool(), MinVersion: tls.VersionTLS12}}).DialContext(a.t.Context(), "tcp", server.String())
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestANewCertificateIsShownWithoutARestartAndABadOneIsNot(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := start(t, make(desk, 1), a.secure("server", "127.0.0.1:0", "127.0.0.1"))
	first := a.serial(s.TLSAddr())
	second := a.issue("server", "127.0.0.1")
	if first == second {
		t.Fatal("no new certificate")
	}
	eventually(t, "the new certificate", func() bool { return a.serial(s.TLSAddr()) == second })
	if err := os.WriteFile(a.file("server.pem"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the bad certificate counted", func() bool {
		if got := a.serial(s.TLSAddr()); got != second {
			t.Fatalf("shows %d", got)
		}
		return s.Stats().TLS.ReloadFailures > 0
	})
	third := a.issue("server", "127.0.0.1")
	eventually(t, "the next good one", func() bool { return a.serial(s.TLSAddr()) == third })
	if st := s.Stats().TLS; st.NotAfter.Before(time.Now()) || st.Reloads < 2 {
		t.Errorf("%+v", st)
	}
}

func TestOldTLSAndStrangersAndTheSilentAreTurnedAway(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	secure := a.secure("server", "127.0.0.1:0", "127.0.0.1")
	s := start(t, make(desk, 1), secure)
	old := &tls.Config{RootCAs: a.pool(), MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	if _, err := (&tls.Dialer{Config: old}).DialContext(t.Context(), "tcp", s.TLSAddr().String()); err == nil {
		t.Error("TLS 1.1 was spoken")
	}
	eventually(t, "the failure counted", func() bool { return s.Stats().TLS.Handshakes > 0 })

	closed := start(t, make(desk, 1), secure, withTrunks(sip.Trunk{ID: "away", Sources: []netip.Prefix{netip.MustParsePrefix("192.0.2.1/32")}}))
	_, err := (&tls.Dialer{Config: &tls.Config{RootCAs: a.pool()}}).DialContext(within(t), "tcp", closed.TLSAddr().String())
	if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a stranger shook hands: %v", err)
	}
	if closed.Stats().StrangersDropped == 0 {
		t.Error("the stranger was not counted")
	}

	d := make(desk, 1)
	mutual := start(t, d, secure, func(c *sip.Config) { c.TLS.Ask = true })
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: a.pool()}}).DialContext(within(t), "tcp", mutual.TLSAddr().String())
	if err == nil { // TLS 1.3 tells the client only when it reads
		_ = conn.SetReadDeadline(time.Now().Add(patience))
		if _, err = conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("a client without a certificate was let in: %v", err)
		}
		conn.Close()
	}
	client := newClient(t, a.secure("client", "", "client.example.net"))
	out := dial(within(t), client, sip.Outgoing{Target: "sip:1@" + mutual.TLSAddr().String() + ";transport=tls"})
	call := d.next(t)
	_ = call.Reject(486, 0)
	var refused *sip.RejectedError
	if d := <-out; !errors.As(d.err, &refused) || refused.Status != 486 {
		t.Errorf("with a certificate: %v", d.err)
	}
}

func TestWhoConnectsAndSaysNothingIsLetGo(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	s := start(t, make(desk, 1), a.secure("server", "127.0.0.1:0", "127.0.0.1"))
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", s.TLSAddr().String()) // a trunk's address
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(4 * patience))
	if _, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("still connected: %v", err)
	}
	eventually(t, "the handshake is counted as failed", func() bool { return s.Stats().TLS.Handshakes == 1 }) // the connection's end comes first
}

func TestBadTLSSettingsAreRefusedInWords(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	a.issue("server", "127.0.0.1")
	for want, cfg := range map[string]sip.TLS{
		"a certificate is needed":        {Listen: "127.0.0.1:0"},
		"both a certificate and its key": {Listen: "127.0.0.1:0", Certificate: a.file("server.pem")},
		"no such file":                   {Certificate: a.file("none.pem"), Key: a.file("server.key")},
		"no certificate in":              {Roots: a.file("server.key")},
		"the authorities behind them":    {Ask: true},
	} {
		if _, err := sip.New(sip.Config{UDP: "127.0.0.1:0", Ports: newPorts(t, 2), TLS: cfg}, make(desk), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", cfg, err, want)
		}
	}
}
