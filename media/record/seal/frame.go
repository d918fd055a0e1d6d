package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
)

// ErrDamaged is wrapped by the error for a file that is not as it was written.
var ErrDamaged = errors.New("damaged")

// ErrNotSealed is what a file that is no sealed one at all gives.
var ErrNotSealed = errors.New("is not a sealed recording")

const (
	magic      = "HDRMREC\x01"
	headFixed  = len(magic) + idSize + keyIDSize + 2
	maxWrapped = 4096
	lengthSize = 4
	overhead   = 12 + 16 // nonce and tag
	// MaxChunk is the most data of one chunk, in bytes.
	MaxChunk = 1 << 20
	maxFrame = MaxChunk + 1 + overhead
	minFrame = 1 + overhead
)

// Kind says what a chunk holds.
type Kind byte

// The kinds. A file begins with Meta and, once whole, ends with End.
const (
	Meta  Kind = 'M'
	Audio Kind = 'A'
	End   Kind = 'E'
)

// head is the beginning of a file.
type head struct {
	id      [idSize]byte
	key     [keyIDSize]byte
	wrapped []byte
}

func (h *head) size() int64  { return int64(headFixed + len(h.wrapped)) }
func (h *head) keyID() KeyID { return KeyID(hex.EncodeToString(h.key[:])) }

func (h *head) bytes() []byte {
	b := append([]byte(magic), h.id[:]...)
	b = append(b, h.key[:]...)
	b = binary.BigEndian.AppendUint16(b, uint16(len(h.wrapped)))
	return append(b, h.wrapped...)
}

// readHead reads what stands before the chunks.
func readHead(r io.Reader) (*head, error) {
	fixed := make([]byte, headFixed)
	if _, err := io.ReadFull(r, fixed); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: it ends within its head", ErrNotSealed)
		}
		return nil, err
	}
	if !bytes.HasPrefix(fixed, []byte(magic)) {
		return nil, ErrNotSealed
	}
	h := &head{}
	rest := fixed[len(magic):]
	copy(h.id[:], rest)
	copy(h.key[:], rest[idSize:])
	n := int(binary.BigEndian.Uint16(rest[idSize+keyIDSize:]))
	if n == 0 || n > maxWrapped {
		return nil, fmt.Errorf("%w: a wrapped key of %d bytes", ErrDamaged, n)
	}
	h.wrapped = make([]byte, n)
	if _, err := io.ReadFull(r, h.wrapped); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%w: it ends within its head", ErrNotSealed)
		}
		return nil, err
	}
	return h, nil
}

// sealer seals and opens the chunks of one file.
type sealer struct {
	aead cipher.AEAD
	id   [idSize]byte
}

func newSealer(dataKey []byte, id [idSize]byte) (*sealer, error) {
	block, err := aes.NewCipher(dataKey)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &sealer{aead, id}, nil
}

// place is what a chunk is bound to.
func (s *sealer) place(number uint64) []byte {
	return binary.BigEndian.AppendUint64(append(make([]byte, 0, idSize+8), s.id[:]...), number)
}

// frame appends a sealed chunk with its length to dst.
func (s *sealer) frame(dst []byte, number uint64, kind Kind, data []byte) []byte {
	plain := append(make([]byte, 0, 1+len(data)), byte(kind))
	plain = append(plain, data...)
	dst = binary.BigEndian.AppendUint32(dst, uint32(len(plain)+overhead))
	return s.aead.Seal(dst, nil, plain, s.place(number))
}

// open gives a chunk's kind and data, which may share memory with sealed.
func (s *sealer) open(sealed []byte, number uint64) (Kind, []byte, error) {
	plain, err := s.aead.Open(sealed[:0], nil, sealed, s.place(number))
	if err != nil || len(plain) == 0 {
		return 0, nil, fmt.Errorf("%w: chunk %d was changed, moved or belongs to another file", ErrDamaged, number)
	}
	return Kind(plain[0]), plain[1:], nil
}
