package registrar

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"github.com/headroom-voice/headroom/media/sip/digest"
)

const saltBytes = 16

// newSeal is what is kept of the login that a phone registered by, to tell whether it is still
// the user's: a salt, and the HMAC-SHA-256 of username and password under it.
func newSeal(l digest.Login) string {
	var salt [saltBytes]byte
	_, _ = rand.Read(salt[:]) // never fails
	return hex.EncodeToString(append(salt[:], sealUnder(salt[:], l)...))
}

func sealUnder(salt []byte, l digest.Login) []byte {
	mac := hmac.New(sha256.New, salt)
	mac.Write([]byte(l.Username + "\x00" + l.Password)) // no username has a zero byte
	return mac.Sum(nil)
}

// sealedBy says that a binding was made by this login.
func (b Binding) sealedBy(l digest.Login) bool {
	seal, err := hex.DecodeString(b.Seal)
	return err == nil && len(seal) > saltBytes && hmac.Equal(seal[saltBytes:], sealUnder(seal[:saltBytes], l))
}

// sealAmong is the seal of a login, as one of the bindings has it or a new one.
func sealAmong(bindings []Binding, l digest.Login) string {
	for _, b := range bindings {
		if b.sealedBy(l) {
			return b.Seal
		}
	}
	return newSeal(l)
}
