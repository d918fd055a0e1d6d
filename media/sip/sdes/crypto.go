package sdes

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/headroom-voice/headroom/media/rtp"
)

// Why a line is not taken. An error never repeats what stood in the line, for that is a key.
var (
	ErrSyntax      = errors.New("malformed a=crypto")
	ErrUnsupported = errors.New("a=crypto asks for what is not supported")
)

// Limits on what is read.
const (
	maxLine = 1024 // bytes; a key with everything is about 120
	maxTag  = 999_999_999
)

// maxLifetime is the most packets that one key may encrypt (RFC 3711 section 9.2).
const maxLifetime = 1 << 48

// Crypto is one line. The zero Crypto is none.
type Crypto struct {
	Tag   int    // what an answer refers to, 1 to 9 digits
	Suite string // as written: some suites go by two names
	Key   rtp.Key

	// Lifetime is how many packets the party that wrote the line will encrypt with its key
	// before it describes another; 0 if it did not say, which is 2^48 (section 6.1).
	Lifetime uint64
}

// aliases are names under which suites are met beside those of RFC 6188: of its drafts.
var aliases = map[string]rtp.Suite{
	"AES_CM_256_HMAC_SHA1_80": rtp.AESCM256HMACSHA1Tag80,
	"AES_CM_256_HMAC_SHA1_32": rtp.AESCM256HMACSHA1Tag32,
}

// suiteOf finds a suite by its name, which is not case-sensitive as RFC 4568's grammar has it.
func suiteOf(name string) rtp.Suite {
	name = strings.ToUpper(name)
	for _, s := range rtp.Suites() {
		if s.String() == name {
			return s
		}
	}
	return aliases[name]
}

// Parse reads the value of an a=crypto attribute (section 9.2). ErrSyntax means that the
// line breaks the grammar, ErrUnsupported that it is one to pass over: a suite that is not
// spoken here, several keys in one line, or a session parameter that changes what is
// encrypted (section 6.3: a line is not taken unless each of them is understood).
func Parse(value string) (Crypto, error) {
	if len(value) > maxLine {
		return Crypto{}, fmt.Errorf("%w: %d bytes", ErrSyntax, len(value))
	}
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return Crypto{}, fmt.Errorf("%w: %d fields", ErrSyntax, len(fields))
	}
	tag, err := number(fields[0], maxTag)
	if err != nil {
		return Crypto{}, fmt.Errorf("%w: tag", ErrSyntax)
	}
	suite := suiteOf(fields[1])
	if suite == rtp.NoSuite {
		return Crypto{}, fmt.Errorf("%w: this suite", ErrUnsupported)
	}
	c := Crypto{Tag: int(tag), Suite: fields[1]}
	if err := c.keyParams(suite, fields[2]); err != nil {
		return Crypto{}, err
	}
	for _, p := range fields[3:] {
		if err := sessionParam(p); err != nil {
			return Crypto{}, err
		}
	}
	return c, nil
}

// keyParams reads "inline:" key||salt ["|" lifetime] ["|" MKI ":" length].
func (c *Crypto) keyParams(suite rtp.Suite, text string) error {
	method, info, ok := strings.Cut(text, ":")
	if !ok || !strings.EqualFold(method, "inline") {
		return fmt.Errorf("%w: key method", ErrUnsupported) // section 6.1 knows inline alone
	}
	if strings.Contains(info, ";") {
		return fmt.Errorf("%w: several keys in one line", ErrUnsupported)
	}
	parts := strings.Split(info, "|")
	material, err := decode(parts[0])
	if err != nil {
		return fmt.Errorf("%w: key", ErrSyntax)
	}
	var mki []byte
	rest := parts[1:]
	if len(rest) > 0 && !strings.Contains(rest[0], ":") {
		if c.Lifetime, err = lifetime(rest[0]); err != nil {
			return err
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		if mki, err = identifier(rest[0]); err != nil {
			return err
		}
		rest = rest[1:]
	}
	if len(rest) > 0 {
		return fmt.Errorf("%w: key parameters", ErrSyntax)
	}
	if c.Key, err = rtp.NewKey(suite, material, mki); err != nil {
		return fmt.Errorf("%w: %w", ErrSyntax, err)
	}
	return nil
}

// decode reads base64; some leave the padding out.
func decode(text string) ([]byte, error) {
	return base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(text, "="))
}

// lifetime reads a number of packets, plain or as "2^n".
func lifetime(text string) (uint64, error) {
	if exponent, ok := strings.CutPrefix(text, "2^"); ok {
		n, err := number(exponent, 48)
		if err != nil {
			return 0, fmt.Errorf("%w: key lifetime", ErrSyntax)
		}
		return 1 << n, nil
	}
	n, err := number(text, maxLifetime)
	if err != nil {
		return 0, fmt.Errorf("%w: key lifetime", ErrSyntax)
	}
	return n, nil
}

// identifier reads "MKI:length", the identifier in decimal and its length in bytes.
func identifier(text string) ([]byte, error) {
	value, length, ok := strings.Cut(text, ":")
	n, err := number(length, 128)
	if !ok || err != nil {
		return nil, fmt.Errorf("%w: master key identifier", ErrSyntax)
	}
	if n > rtp.MaxMKI {
		return nil, fmt.Errorf("%w: a master key identifier of %d bytes", ErrUnsupported, n)
	}
	v, err := strconv.ParseUint(value, 10, 64)
	if err != nil || n < 8 && v>>(8*n) != 0 {
		return nil, fmt.Errorf("%w: master key identifier", ErrSyntax)
	}
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return b[8-n:], nil
}

// sessionParam accepts what changes nothing for this side (section 6.3).
func sessionParam(p string) error {
	name, value, _ := strings.Cut(p, "=")
	switch {
	case strings.HasPrefix(p, "-"): // an extension that may be ignored (section 6.3.8)
		return nil
	case strings.EqualFold(name, "WSH"): // the window that the party hopes for; ours is wider
		return nil
	case strings.EqualFold(name, "KDR") && value == "0": // keys are derived once: what is done anyway
		return nil
	default:
		return fmt.Errorf("%w: a session parameter", ErrUnsupported)
	}
}

// number reads a decimal from 1 to limit without sign.
func number(text string, limit uint64) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n == 0 || n > limit || text[0] == '+' {
		return 0, ErrSyntax
	}
	return n, nil
}

// Line is the value of the a=crypto attribute that says so. It holds the key: for the
// session description alone.
func (c *Crypto) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s inline:%s", c.Tag, c.Suite, base64.StdEncoding.EncodeToString(c.Key.Material()))
	if c.Lifetime > 0 {
		fmt.Fprintf(&b, "|%d", c.Lifetime)
	}
	if mki := c.Key.MKI(); len(mki) > 0 {
		var v uint64
		for _, x := range mki {
			v = v<<8 | uint64(x)
		}
		fmt.Fprintf(&b, "|%d:%d", v, len(mki))
	}
	return b.String()
}
