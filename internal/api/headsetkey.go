package api

import (
	"errors"
	"strings"

	"github.com/headroom-voice/headroom/internal/model"
)

// HeadsetKey is a headset's identity as one segment of an address. A HeadsetID holds a
// slash, and its model and serial come from whatever the device says, so it cannot stand
// in a path as it is; percent-encoded slashes are undone or refused by many proxies.
//
// ASCII letters, digits, '-' and '_' stand for themselves; every other byte is '~' and two
// lower-case hexadecimal digits. Each identity has exactly one key, and a key is the same
// in every case-preserving URL library, percent-encoded or not:
//
//	Jabra Evolve2 40/00A1  →  Jabra~20Evolve2~2040~2f00A1
type HeadsetKey string

var errHeadsetKey = errors.New("not a headset key")

const hexDigits = "0123456789abcdef"

// KeyOf gives the key of a headset.
func KeyOf(id model.HeadsetID) HeadsetKey {
	var b strings.Builder
	b.Grow(len(id) + 8)
	for i := range len(id) {
		c := id[i]
		if plainInKey(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('~')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return HeadsetKey(b.String())
}

// ID gives the headset's identity back. Anything KeyOf would not have written is an error.
func (k HeadsetKey) ID() (model.HeadsetID, error) {
	var b strings.Builder
	for i := 0; i < len(k); i++ {
		c := k[i]
		if plainInKey(c) {
			b.WriteByte(c)
			continue
		}
		if c != '~' || i+2 >= len(k) {
			return "", errHeadsetKey
		}
		hi, lo := strings.IndexByte(hexDigits, k[i+1]), strings.IndexByte(hexDigits, k[i+2])
		if hi < 0 || lo < 0 {
			return "", errHeadsetKey
		}
		c = byte(hi<<4 | lo)
		if plainInKey(c) {
			return "", errHeadsetKey
		}
		b.WriteByte(c)
		i += 2
	}
	if b.Len() == 0 {
		return "", errHeadsetKey
	}
	return model.HeadsetID(b.String()), nil
}

func plainInKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}
