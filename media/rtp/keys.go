package rtp

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/pion/srtp/v3"
)

// Suite is how SRTP encrypts and authenticates (RFC 3711, RFC 6188, RFC 7714). NoSuite is
// the zero value: plain RTP.
type Suite uint8

// The suites, by their names in SDP (RFC 4568 section 6.2, RFC 6188, RFC 7714).
const (
	NoSuite               Suite = iota
	AESCM128HMACSHA1Tag80       // AES_CM_128_HMAC_SHA1_80
	AESCM128HMACSHA1Tag32       // AES_CM_128_HMAC_SHA1_32
	AESCM256HMACSHA1Tag80       // AES_256_CM_HMAC_SHA1_80
	AESCM256HMACSHA1Tag32       // AES_256_CM_HMAC_SHA1_32
	AEADAES128GCM               // AEAD_AES_128_GCM
	AEADAES256GCM               // AEAD_AES_256_GCM
)

// The bounds of a Key: AES-256 with the salt of counter mode, and as much of a master key
// identifier as anybody uses (RFC 4568 section 6.1 would allow 128 bytes).
const (
	maxMaterial = 32 + 14
	MaxMKI      = 8 // bytes
)

var suites = [...]struct {
	name      string
	profile   srtp.ProtectionProfile
	key, salt int // bytes
	tag       int // bytes that authenticate an RTP packet
}{
	NoSuite:               {name: "none"},
	AESCM128HMACSHA1Tag80: {"AES_CM_128_HMAC_SHA1_80", srtp.ProtectionProfileAes128CmHmacSha1_80, 16, 14, 10},
	AESCM128HMACSHA1Tag32: {"AES_CM_128_HMAC_SHA1_32", srtp.ProtectionProfileAes128CmHmacSha1_32, 16, 14, 4},
	AESCM256HMACSHA1Tag80: {"AES_256_CM_HMAC_SHA1_80", srtp.ProtectionProfileAes256CmHmacSha1_80, 32, 14, 10},
	AESCM256HMACSHA1Tag32: {"AES_256_CM_HMAC_SHA1_32", srtp.ProtectionProfileAes256CmHmacSha1_32, 32, 14, 4},
	AEADAES128GCM:         {"AEAD_AES_128_GCM", srtp.ProtectionProfileAeadAes128Gcm, 16, 12, 16},
	AEADAES256GCM:         {"AEAD_AES_256_GCM", srtp.ProtectionProfileAeadAes256Gcm, 32, 12, 16},
}

// Suites lists every suite but NoSuite.
func Suites() []Suite {
	out := make([]Suite, 0, len(suites)-1)
	for s := NoSuite + 1; int(s) < len(suites); s++ {
		out = append(out, s)
	}
	return out
}

// String is the suite's name in SDP; "none" for NoSuite.
func (s Suite) String() string {
	if int(s) >= len(suites) {
		return "unknown"
	}
	return suites[s].name
}

// KeyLen is the length of the master key in bytes.
func (s Suite) KeyLen() int { return suites[s].key }

// SaltLen is the length of the master salt in bytes.
func (s Suite) SaltLen() int { return suites[s].salt }

// Key is an SRTP master key with its salt (RFC 3711 section 3.2.1), for one direction. The
// zero Key is none. It takes the same memory whatever it holds, and it never prints: every
// format verb, log and JSON gives "[key]".
type Key struct {
	suite    Suite
	material [maxMaterial]byte // key, then salt
	mki      [MaxMKI]byte
	mkiLen   uint8
}

var errKey = errors.New("rtp: SRTP key")

// NewKey takes a master key followed by its salt, of the suite's lengths, and a master key
// identifier, which every packet then carries; none if empty.
func NewKey(suite Suite, material, mki []byte) (Key, error) {
	if suite == NoSuite || int(suite) >= len(suites) {
		return Key{}, fmt.Errorf("%w: no such suite", errKey)
	}
	if want := suite.KeyLen() + suite.SaltLen(); len(material) != want {
		return Key{}, fmt.Errorf("%w: %d bytes, %s needs %d", errKey, len(material), suite, want)
	}
	if len(mki) > MaxMKI {
		return Key{}, fmt.Errorf("%w: a master key identifier of %d bytes, at most %d", errKey, len(mki), MaxMKI)
	}
	k := Key{suite: suite, mkiLen: uint8(len(mki))}
	copy(k.material[:], material)
	copy(k.mki[:], mki)
	return k, nil
}

// RandomKey makes a key from the system's randomness.
func RandomKey(suite Suite, mki []byte) (Key, error) {
	var material [maxMaterial]byte
	_, _ = rand.Read(material[:])
	if suite == NoSuite || int(suite) >= len(suites) {
		return Key{}, fmt.Errorf("%w: no such suite", errKey)
	}
	return NewKey(suite, material[:suite.KeyLen()+suite.SaltLen()], mki)
}

// Suite is what the key is for; NoSuite for the zero Key.
func (k *Key) Suite() Suite { return k.suite }

// Material gives the master key and then its salt, for the peer: never for a log.
func (k *Key) Material() []byte { return k.material[:k.suite.KeyLen()+k.suite.SaltLen()] }

// MKI is the master key identifier; empty if packets carry none.
func (k *Key) MKI() []byte { return k.mki[:k.mkiLen] }

// Equal compares in a time that tells nothing of where keys differ.
func (k *Key) Equal(other *Key) bool {
	return k.suite == other.suite && k.mkiLen == other.mkiLen && k.mki == other.mki &&
		subtle.ConstantTimeCompare(k.material[:], other.material[:]) == 1
}

// Format keeps the key out of whatever is printed.
func (Key) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[key]") }

// LogValue keeps the key out of the log.
func (Key) LogValue() slog.Value { return slog.StringValue("[key]") }

// MarshalText keeps the key out of JSON and the like.
func (Key) MarshalText() ([]byte, error) { return []byte("[key]"), nil }

// context makes Pion's state of one direction. Pion keeps one per SSRC in it.
func (k *Key) context(opts ...srtp.ContextOption) (*srtp.Context, error) {
	n := k.suite.KeyLen()
	if k.mkiLen > 0 {
		opts = append(opts, srtp.MasterKeyIndicator(k.MKI()))
	}
	c, err := srtp.CreateContext(k.material[:n], k.material[n:n+k.suite.SaltLen()], suites[k.suite].profile, opts...)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	return c, nil
}
