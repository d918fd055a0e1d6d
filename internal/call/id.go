package call

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
)

// newCallID makes an identity that sorts by arrival: milliseconds, then chance. The
// trunk's own Call-ID is not used, since anyone may send the same one twice.
func newCallID(now time.Time) model.CallID {
	var r [5]byte
	rand.Read(r[:]) // never fails, crypto/rand
	return model.CallID(fmt.Sprintf("%011x-%s", now.UnixMilli(), hex.EncodeToString(r[:])))
}

// newToken makes a resume token of 256 bits.
func newToken() string {
	var r [32]byte
	rand.Read(r[:])
	return base64.RawURLEncoding.EncodeToString(r[:])
}
