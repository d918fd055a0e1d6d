package mark

import "encoding/binary"

// Size is what Write and Read take: 20 ms of G.711 in bytes.
const Size = 160

const (
	magic    = 0x4852
	bodySize = 16         // bytes that the checksum covers besides the speech
	fullSize = Size / 8   // one bit of each byte of speech
	leastBit = byte(0x01) // of a G.711 byte: a step of the quantiser
)

// Mark says which packet of whom a payload is.
type Mark struct {
	Stream uint16
	Seq    uint32
	SentNS int64 // when it was sent, Unix nanoseconds
}

// hash is FNV-1a (RFC 9923), which any one changed byte changes, and which allocates nothing.
func hash(sum uint32, data []byte) uint32 {
	for _, c := range data {
		sum = (sum ^ uint32(c)) * 16777619
	}
	return sum
}

const offset = 2166136261 // where FNV-1a begins

// Write puts m into payload, which is Size bytes of G.711 and keeps its sound.
func Write(payload []byte, m Mark) {
	_ = payload[Size-1]
	var b [fullSize]byte
	binary.BigEndian.PutUint16(b[0:], magic)
	binary.BigEndian.PutUint16(b[2:], m.Stream)
	binary.BigEndian.PutUint32(b[4:], m.Seq)
	binary.BigEndian.PutUint64(b[8:], uint64(m.SentNS))
	for i := range payload[:Size] {
		payload[i] &^= leastBit
	}
	sum := hash(hash(offset, b[:bodySize]), payload[:Size])
	binary.BigEndian.PutUint32(b[bodySize:], sum)
	for i := range payload[:Size] {
		payload[i] |= b[i/8] >> (7 - i%8) & 1
	}
}

// Read gives what was written into payload. It is not ok when nothing was, or when any bit of
// the payload is not as it was sent. It leaves payload without its mark.
func Read(payload []byte) (m Mark, ok bool) {
	if len(payload) != Size {
		return Mark{}, false
	}
	var b [fullSize]byte
	for i := range payload {
		b[i/8] = b[i/8]<<1 | payload[i]&leastBit
		if i == 15 && binary.BigEndian.Uint16(b[:]) != magic {
			return Mark{}, false
		}
	}
	for i := range payload {
		payload[i] &^= leastBit
	}
	sum := hash(hash(offset, b[:bodySize]), payload)
	if binary.BigEndian.Uint32(b[bodySize:]) != sum {
		return Mark{}, false
	}
	return Mark{
		Stream: binary.BigEndian.Uint16(b[2:]), Seq: binary.BigEndian.Uint32(b[4:]), SentNS: int64(binary.BigEndian.Uint64(b[8:])),
	}, true
}
