package relay

import (
	"encoding/binary"
	"errors"
	"io"
)

// maxFrame is the largest message or channel's packet that is taken: an audio packet is a
// tenth of it.
const maxFrame = 1500

// errFrame is for a stream that is no TURN over TCP.
var errFrame = errors.New("no TURN message")

// frames reads a stream one TURN message at a time (RFC 8656 sections 5 and 12.5). The
// library would take lengths as they come, and go round for ever on one that wraps.
type frames struct{ from io.Reader }

// next reads one whole message into buf, padding included, which holds maxFrame bytes at the
// least. The error is errFrame for what can be none.
func (f frames) next(buf []byte) (int, error) {
	const header = 4
	if _, err := io.ReadFull(f.from, buf[:header]); err != nil {
		return 0, err
	}
	n, err := frameSize(buf[:header])
	if err != nil {
		return 0, err
	}
	if _, err := io.ReadFull(f.from, buf[header:n]); err != nil {
		return 0, err
	}
	return n, nil
}

// frameSize tells from its first four bytes how long a message is, those included.
func frameSize(header []byte) (int, error) {
	length := int(binary.BigEndian.Uint16(header[2:]))
	var size int
	switch header[0] >> 6 {
	case 0: // STUN (RFC 8489 section 5): a header of 20 bytes, then attributes of four each
		if length%4 != 0 {
			return 0, errFrame
		}
		size = 20 + length
	case 1: // ChannelData, padded over a stream
		size = 4 + (length+3)/4*4
	default:
		return 0, errFrame
	}
	if size > maxFrame {
		return 0, errFrame
	}
	return size, nil
}
