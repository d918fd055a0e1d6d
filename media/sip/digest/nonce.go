package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"strconv"
	"sync"
	"time"
)

// Age is what a nonce turns out to be.
type Age int

// The ages.
const (
	Foreign Age = iota // not made here, or for another address
	Expired
	Fresh
)

const (
	markSize  = 16 // when it was made, ns since 1970, and 8 random bytes
	proofSize = 16 // of an HMAC over the mark and the address
	window    = 64 // how far counts may arrive out of order

	// MaxUsed is how many nonces in use are remembered. Beyond it the one that was first
	// used longest ago is given up, and whoever still uses it is asked anew.
	MaxUsed = 8192
)

type mark [markSize]byte

func (m mark) made() int64 { return int64(binary.BigEndian.Uint64(m[:8])) }

// used is which counts of a nonce have been seen.
type used struct {
	highest uint32
	seen    uint64 // bit i: highest-i
}

// Nonces issues nonces and knows them again: a nonce carries its time and an HMAC, so that
// asking costs no memory. What is remembered is the counts of those that were answered
// rightly (RFC 7616 section 3.3, "nonce count"). It may be used from any goroutine.
type Nonces struct {
	life time.Duration
	key  [32]byte

	mu    sync.Mutex
	used  map[mark]*used
	order []mark // of used, by first use
	floor int64  // a nonce made until then and not in used may have been forgotten
}

// NewNonces makes nonces that are good for life, with a key of their own.
func NewNonces(life time.Duration) *Nonces {
	n := &Nonces{life: life, used: make(map[mark]*used)}
	_, _ = rand.Read(n.key[:])
	return n
}

// Issue makes a nonce for a client's address.
func (n *Nonces) Issue(now time.Time, client netip.Addr) string {
	var m mark
	binary.BigEndian.PutUint64(m[:8], uint64(now.UnixNano()))
	_, _ = rand.Read(m[8:])
	return base64.RawURLEncoding.EncodeToString(append(m[:], n.proof(m, client)...))
}

func (n *Nonces) proof(m mark, client netip.Addr) []byte {
	mac := hmac.New(sha256.New, n.key[:])
	mac.Write(m[:])
	mac.Write([]byte(client.Unmap().String()))
	return mac.Sum(nil)[:proofSize]
}

// Check says what a nonce from a client's address is.
func (n *Nonces) Check(now time.Time, client netip.Addr, nonce string) Age {
	m, ok := n.read(client, nonce)
	if !ok {
		return Foreign
	}
	if age := now.UnixNano() - m.made(); age < 0 || age > int64(n.life) {
		return Expired
	}
	return Fresh
}

func (n *Nonces) read(client netip.Addr, nonce string) (mark, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(raw) != markSize+proofSize {
		return mark{}, false
	}
	m := mark(raw[:markSize])
	return m, hmac.Equal(raw[markSize:], n.proof(m, client))
}

// Use takes a count of a nonce that is fresh, once; false means that it was used before, or
// so long ago that nobody knows. Only credentials found right may get here.
func (n *Nonces) Use(now time.Time, client netip.Addr, c Credentials) bool {
	m, ok := n.read(client, c.Nonce)
	count, err := strconv.ParseUint(c.NC, 16, 32)
	if !ok || err != nil || count == 0 {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if u := n.used[m]; u != nil {
		return u.take(uint32(count))
	}
	if m.made() <= n.floor {
		return false
	}
	n.makeRoom(now)
	n.used[m] = &used{highest: uint32(count), seen: 1}
	n.order = append(n.order, m)
	return true
}

// makeRoom forgets what has expired, and what is beyond the bound.
func (n *Nonces) makeRoom(now time.Time) {
	for len(n.order) > 0 {
		first := n.order[0]
		expired := now.UnixNano()-first.made() > int64(n.life)
		if !expired && len(n.order) < MaxUsed {
			return
		}
		n.floor = max(n.floor, first.made())
		delete(n.used, first)
		n.order = n.order[1:]
	}
}

func (u *used) take(count uint32) bool {
	switch {
	case count > u.highest:
		if ahead := count - u.highest; ahead < window {
			u.seen = u.seen<<ahead | 1
		} else {
			u.seen = 1
		}
		u.highest = count
		return true
	case u.highest-count >= window:
		return false
	}
	bit := uint64(1) << (u.highest - count)
	fresh := u.seen&bit == 0
	u.seen |= bit
	return fresh
}
