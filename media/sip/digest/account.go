package digest

import (
	"crypto/md5" //nolint:gosec // RFC 3261 section 22.4 has it, and most peers nothing else
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strings"
)

// hash is the algorithm's size in bytes and its function from text to hexadecimal.
func (a Algorithm) hash() (size int, of func(string) string) {
	if a == SHA256 {
		return sha256.Size, func(s string) string {
			sum := sha256.Sum256([]byte(s))
			return hex.EncodeToString(sum[:])
		}
	}
	return md5.Size, func(s string) string {
		sum := md5.Sum([]byte(s)) //nolint:gosec // as above
		return hex.EncodeToString(sum[:])
	}
}

// secret is H(A1) of RFC 7616 section 3.4.2.
func (a Algorithm) secret(username, realm, password string) string {
	_, h := a.hash()
	return h(username + ":" + realm + ":" + password)
}

// response is what section 3.4.1 wants for credentials that are complete but for it; those
// without a count get what RFC 2069 wanted.
func (c Credentials) response(secret, method string) string {
	_, h := c.Algorithm.hash()
	a2 := h(method + ":" + c.URI)
	if c.NC == "" {
		return h(secret + ":" + c.Nonce + ":" + a2)
	}
	return h(strings.Join([]string{secret, c.Nonce, c.NC, c.CNonce, "auth", a2}, ":"))
}

// Login is a name and password to answer challenges with.
type Login struct{ Username, Password string }

// String tells no secrets.
func (l Login) String() string { return l.Username }

// GoString tells none either.
func (l Login) GoString() string { return l.Username }

// Answer makes the credentials for one request. cnonce is to be random; count is 1 for the
// first request that uses the challenge's nonce, and one more for each that follows.
func Answer(c Challenge, who Login, method, uri, cnonce string, count uint32) Credentials {
	out := Credentials{Username: who.Username, Realm: c.Realm, Nonce: c.Nonce, URI: uri, Opaque: c.Opaque, Algorithm: c.Algorithm}
	if c.Auth {
		out.CNonce, out.NC = cnonce, fmt.Sprintf("%08x", count)
	}
	out.Response = out.response(c.Algorithm.secret(who.Username, c.Realm, who.Password), method)
	return out
}

// Account is what a server keeps of a name and its password: the hashes, no password. The
// zero Account is nobody's, and no answer is right for it.
type Account struct {
	Username, Realm string
	md5, sha256     string
}

// NewAccount makes an account.
func NewAccount(who Login, realm string) Account {
	return Account{Username: who.Username, Realm: realm,
		md5: MD5.secret(who.Username, realm, who.Password), sha256: SHA256.secret(who.Username, realm, who.Password)}
}

// Knows reports whether the credentials were made with the account's password, for a request
// of this method. It takes as long for one as for the other, and for the zero Account.
func (a Account) Knows(c Credentials, method string) bool {
	secret := a.md5
	if c.Algorithm == SHA256 {
		secret = a.sha256
	}
	want := c.response(secret, method)
	right := subtle.ConstantTimeCompare([]byte(want), []byte(c.Response)) == 1
	return right && secret != "" && a.Username == c.Username && a.Realm == c.Realm
}
