package webrtc

import (
	"crypto/x509"
	"strings"

	"github.com/pion/dtls/v3/pkg/crypto/fingerprint"
)

// failure says why a connection ended, otherwise if there is no more to say than that. DTLS ends
// a handshake with whoever shows another certificate than the one whose fingerprint was
// signalled (RFC 8827 section 6.5): that is somebody in between, and no loss of the network.
func (p *Peer) failure(otherwise error) error {
	remote := p.pc.RemoteDescription()
	if remote == nil {
		return otherwise
	}
	for _, s := range p.pc.GetSenders() {
		t := s.Transport()
		if t == nil {
			continue
		}
		if shown, err := x509.ParseCertificate(t.GetRemoteCertificate()); err == nil && !named(shown, remote.SDP) {
			return ErrFingerprint
		}
	}
	return otherwise
}

// named says whether a description has the certificate's fingerprint (RFC 8122 section 5).
func named(c *x509.Certificate, sdp string) bool {
	for line := range strings.Lines(sdp) {
		value, ok := strings.CutPrefix(line, "a=fingerprint:")
		if !ok {
			continue
		}
		name, want, _ := strings.Cut(strings.TrimSpace(value), " ")
		hash, err := fingerprint.HashFromString(name)
		if err != nil {
			continue
		}
		if got, err := fingerprint.Fingerprint(c, hash); err == nil && strings.EqualFold(got, want) {
			return true
		}
	}
	return false
}
