package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// MaxLength is the longest password accepted, in bytes.
const MaxLength = 1024

// Errors that Hash and Verify return.
var (
	ErrEmpty     = errors.New("password: empty")
	ErrTooLong   = errors.New("password: longer than 1024 bytes")
	ErrMalformed = errors.New("password: the stored hash is not an argon2id hash that this program accepts")
)

// params are the costs of one hash.
type params struct {
	memory  uint32 // KiB
	time    uint32 // passes
	threads uint8
}

// defaults follow the OWASP Password Storage Cheat Sheet: argon2id with 19 MiB, two
// passes and one lane.
var defaults = params{memory: 19 * 1024, time: 2, threads: 1}

// Sizes of salt and key of a new hash (RFC 9106 section 3.1), in bytes.
const (
	saltSize = 16
	keySize  = 32
)

// Costs that a stored hash may ask for at most, so that a forged row cannot make one
// sign-in take the machine.
const (
	maxMemory  = 256 * 1024 // KiB
	maxTime    = 16
	maxThreads = 8
	maxBytes   = 128 // salt or key
)

// Hasher hashes and checks passwords, a limited number at a time: each takes 19 MiB
// while it runs, and a flood of sign-ins waits in line instead of filling the memory.
type Hasher struct {
	slots chan struct{}
	dummy string // what Verify checks against when there is no hash
}

// New gives a Hasher that runs at most atOnce hashes at the same time; less than one
// means one.
func New(atOnce int) *Hasher {
	zeros := argon2id{params: defaults, salt: make([]byte, saltSize), key: make([]byte, keySize)}
	return &Hasher{slots: make(chan struct{}, max(atOnce, 1)), dummy: zeros.String()}
}

// Hash gives the PHC string of a password with a fresh salt:
// $argon2id$v=19$m=19456,t=2,p=1$salt$key. It waits for its turn, or until ctx ends.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	switch {
	case password == "":
		return "", ErrEmpty
	case len(password) > MaxLength:
		return "", ErrTooLong
	}
	out := argon2id{params: defaults, salt: make([]byte, saltSize)}
	if _, err := rand.Read(out.salt); err != nil {
		return "", fmt.Errorf("password: salt: %w", err)
	}
	key, err := h.derive(ctx, password, out, keySize)
	if err != nil {
		return "", err
	}
	out.key = key
	return out.String(), nil
}

// Verify reports whether the password is the one that encoded was made of, in constant
// time with respect to the key. An empty encoded string stands for "no such user" or
// "no password set": it never matches, and takes as long as one that might.
func (h *Hasher) Verify(ctx context.Context, password, encoded string) (bool, error) {
	if len(password) > MaxLength {
		return false, nil
	}
	nobody := encoded == ""
	if nobody {
		encoded = h.dummy
	}
	want, err := parse(encoded)
	if err != nil {
		return false, err
	}
	got, err := h.derive(ctx, password, want, uint32(len(want.key)))
	if err != nil {
		return false, err
	}
	same := subtle.ConstantTimeCompare(got, want.key) == 1
	return same && !nobody, nil
}

// derive runs argon2id when a slot is free.
func (h *Hasher) derive(ctx context.Context, password string, a argon2id, size uint32) ([]byte, error) {
	select {
	case h.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("password: waiting for a turn: %w", context.Cause(ctx))
	}
	defer func() { <-h.slots }()
	return argon2.IDKey([]byte(password), a.salt, a.time, a.memory, a.threads, size), nil
}

// argon2id is a hash in parts.
type argon2id struct {
	params
	salt, key []byte
}

// String gives the PHC string format.
func (a argon2id) String() string {
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.time, a.threads,
		b64.EncodeToString(a.salt), b64.EncodeToString(a.key))
}

// parse reads a PHC string and refuses costs beyond the limits.
func parse(encoded string) (argon2id, error) {
	var a argon2id
	parts := strings.Split(encoded, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return a, ErrMalformed
	}
	var rest string
	n, _ := fmt.Sscanf(parts[3]+" .", "m=%d,t=%d,p=%d %s", &a.memory, &a.time, &a.threads, &rest)
	if n != 4 || rest != "." {
		return a, ErrMalformed
	}
	if a.memory < 8*uint32(a.threads) || a.memory > maxMemory || a.time < 1 || a.time > maxTime || a.threads < 1 || a.threads > maxThreads {
		return a, ErrMalformed
	}
	var err1, err2 error
	b64 := base64.RawStdEncoding.Strict()
	a.salt, err1 = b64.DecodeString(parts[4])
	a.key, err2 = b64.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(a.salt) < 8 || len(a.salt) > maxBytes || len(a.key) < 16 || len(a.key) > maxBytes {
		return a, ErrMalformed
	}
	return a, nil
}
