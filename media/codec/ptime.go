package codec

import (
	"time"

	"github.com/headroom-voice/headroom/media"
)

// EncodeRate is the rate speech is encoded from when the choice is free: 8000 Hz for
// G.711, 16000 Hz for G.722 and Opus, 0 for what cannot be encoded.
func EncodeRate(c media.Codec) int {
	switch c {
	case media.PCMU, media.PCMA:
		return 8000
	case media.Opus, media.G722:
		return 16000
	}
	return 0
}

// PacketTime is the packet time to use when asked is wanted: within 10 to 60 ms, and
// for Opus the next shorter it can do (RFC 6716 section 2.1.4: 10, 20, 40 or 60 ms).
func PacketTime(c media.Codec, asked time.Duration) time.Duration {
	const ms = time.Millisecond
	asked = min(max(asked.Truncate(ms), 10*ms), 60*ms)
	if c != media.Opus {
		return asked
	}
	switch {
	case asked < 20*ms:
		return 10 * ms
	case asked < 40*ms:
		return 20 * ms
	case asked < 60*ms:
		return 40 * ms
	}
	return 60 * ms
}
