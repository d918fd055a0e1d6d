package sip

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emiago/sipgo/sip"
	"github.com/miekg/dns"
)

// These show what sipgo 1.7 does, and why this package does it otherwise. When one fails, the
// library has been mended, and what works round it can go.

func sipgoRequest(t *testing.T, uri, transport string) *sip.Request {
	t.Helper()
	var to sip.Uri
	if err := sip.ParseUri(uri, &to); err != nil {
		t.Fatal(err)
	}
	req := sip.NewRequest(sip.OPTIONS, to)
	via := &sip.ViaHeader{ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: transport, Host: "127.0.0.1", Port: 9}
	req.AppendHeader(via)
	req.SetTransport(transport)
	return req
}

// Package locate and carrier's failover stand in for this.
func TestSipgoTriesTheFirstServerOnly(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	good := listener.Addr().(*net.TCPAddr).Port
	up := make(chan struct{})
	server := &dns.Server{PacketConn: conn, NotifyStartedFunc: func() { close(up) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, req *dns.Msg) {
		res := new(dns.Msg)
		res.SetReply(req)
		var records []string
		switch req.Question[0].Qtype {
		case dns.TypeSRV:
			records = []string{"10 0 1 gw.carrier.example.", fmt.Sprintf("20 0 %d gw.carrier.example.", good)}
		case dns.TypeA:
			records = []string{"127.0.0.1"}
		}
		for _, r := range records {
			rr, err := dns.NewRR(fmt.Sprintf("%s 60 IN %s %s", req.Question[0].Name, dns.TypeToString[req.Question[0].Qtype], r))
			if err == nil {
				res.Answer = append(res.Answer, rr)
			}
		}
		_ = w.WriteMsg(res)
	})}
	go func() { _ = server.ActivateAndServe() }()
	<-up
	defer func() { _ = server.Shutdown() }()
	tuneSipgo()
	resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
	tp := sip.NewTransportLayer(resolver, sip.NewParser(), nil, sip.WithTransportLayerDNSLookupSRV(true))
	defer func() { _ = tp.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := tp.ClientRequestConnection(ctx, sipgoRequest(t, "sip:carrier.example", "TCP")); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("sipgo went on to the second server: %v", err)
	}
}

// streams.go stands in for this: a server found by name is asked for by number.
func TestSipgoTellsATLSServerNoName(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"sip.example.net"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(chan string, 1)
	cfg := &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		asked <- hello.ServerName
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
	}}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	go func() {
		if conn, err := listener.Accept(); err == nil {
			_ = tls.Server(conn, cfg).HandshakeContext(context.Background())
			_ = conn.Close()
		}
	}()
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	tuneSipgo()
	tp := sip.NewTransportLayer(net.DefaultResolver, sip.NewParser(), &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12})
	defer func() { _ = tp.Close() }()
	req := sipgoRequest(t, "sip:sip.example.net;transport=tls", "TLS")
	req.SetDestination(listener.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if _, err := tp.ClientRequestConnection(ctx, req); err == nil {
		t.Error("sipgo connected by a name that is not the address")
	}
	if name := <-asked; name != "" {
		t.Errorf("sipgo told the server %q", name)
	}
}
