package webrtc

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"time"

	pion "github.com/pion/webrtc/v4"
)

// relayWithin is the time to reach a relay, its handshake included.
const relayWithin = 5 * time.Second

// usable are the relays over TLS: the one kind that the service has, and that a network which
// lets neither UDP nor TCP to other ports through can be got out of with.
func usable(all []Relay) []Relay {
	var kept []Relay
	for _, r := range all {
		var urls []string
		for _, u := range r.URLs {
			if strings.HasPrefix(u, "turns:") && strings.HasSuffix(u, "?transport=tcp") {
				urls = append(urls, u)
			}
		}
		if len(urls) > 0 && r.Username != "" && r.Credential != "" {
			kept = append(kept, Relay{URLs: urls, Username: r.Username, Credential: r.Credential})
		}
	}
	return kept
}

func iceServers(relays []Relay) []pion.ICEServer {
	var servers []pion.ICEServer
	for _, r := range relays {
		servers = append(servers, pion.ICEServer{URLs: r.URLs, Username: r.Username, Credential: r.Credential, CredentialType: pion.ICECredentialTypePassword})
	}
	return servers
}

// relayDialer speaks TLS to relays: Pion's own way has no time limit and only the system's
// authorities. The library leaves a dialled connection as it is.
type relayDialer struct{ roots *x509.CertPool }

// Dial connects to host:port; the certificate must be of the host.
func (d relayDialer) Dial(network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), relayWithin)
	defer cancel()
	raw, err := new(net.Dialer).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	secure := tls.Client(raw, &tls.Config{RootCAs: d.roots, ServerName: host, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return relayConn{secure, raw.LocalAddr()}, nil
}

// relayConn has the address that the library asks for.
type relayConn struct {
	net.Conn
	local net.Addr
}

// LocalAddr is that of the TCP connection.
func (c relayConn) LocalAddr() net.Addr { return c.local }
