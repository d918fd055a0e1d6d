package rtp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	_ "crypto/sha1" // the hashes that fingerprints are made with
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Fingerprint is a hash of a certificate, as SDP has it (RFC 8122 section 5).
type Fingerprint struct {
	hash crypto.Hash
	sum  string // the bytes
}

var errFingerprint = errors.New("rtp: fingerprint")

// hashes are those that a fingerprint may be made with. SHA-1 is one still: some phones know
// no other, and nobody can make a certificate to a given one. MD5 is not.
var hashes = map[string]crypto.Hash{
	"sha-1": crypto.SHA1, "sha-224": crypto.SHA224, "sha-256": crypto.SHA256,
	"sha-384": crypto.SHA384, "sha-512": crypto.SHA512,
}

// ParseFingerprint reads the value of an a=fingerprint attribute: "sha-256 4A:AD:...".
func ParseFingerprint(value string) (Fingerprint, error) {
	name, digits, ok := strings.Cut(strings.TrimSpace(value), " ")
	hash := hashes[strings.ToLower(name)]
	if !ok || hash == 0 {
		return Fingerprint{}, fmt.Errorf("%w: not with a hash that is supported", errFingerprint)
	}
	digits = strings.TrimSpace(digits)
	sum, err := hex.DecodeString(strings.ReplaceAll(digits, ":", ""))
	if err != nil || len(sum) != hash.Size() || len(digits) != 3*hash.Size()-1 {
		return Fingerprint{}, fmt.Errorf("%w: not the bytes of a hash", errFingerprint)
	}
	return Fingerprint{hash, string(sum)}, nil
}

// String is the fingerprint as SDP has it.
func (f Fingerprint) String() string {
	if f.hash == 0 {
		return ""
	}
	pairs := make([]string, len(f.sum))
	for i := range pairs {
		pairs[i] = fmt.Sprintf("%02X", f.sum[i])
	}
	return strings.ToLower(f.hash.String()) + " " + strings.Join(pairs, ":")
}

// matches says that der is the certificate.
func (f Fingerprint) matches(der []byte) bool {
	if f.hash == 0 {
		return false
	}
	h := f.hash.New()
	h.Write(der)
	return subtle.ConstantTimeCompare(h.Sum(nil), []byte(f.sum)) == 1
}

// matchesAny compares with the fingerprints made with the strongest hash among them (RFC
// 8122 section 5): a weaker one beside it may not open the door.
func matchesAny(prints []Fingerprint, der []byte) bool {
	size := 0
	for _, f := range prints {
		size = max(size, len(f.sum))
	}
	for _, f := range prints {
		if len(f.sum) == size && f.matches(der) {
			return true
		}
	}
	return false
}

// NewCertificate makes a certificate for DTLS, signed by itself: the other side knows it by
// its fingerprint (RFC 5763 section 5), which is the second value. It says nothing of us.
func NewCertificate() (tls.Certificate, Fingerprint, error) {
	fail := func(err error) (tls.Certificate, Fingerprint, error) {
		return tls.Certificate{}, Fingerprint{}, fmt.Errorf("rtp: certificate: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fail(err)
	}
	now := time.Now()
	template := x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "WebRTC"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(30 * 24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		return fail(err)
	}
	h := crypto.SHA256.New()
	h.Write(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, Fingerprint{crypto.SHA256, string(h.Sum(nil))}, nil
}
