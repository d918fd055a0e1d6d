package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sort"
)

// maxTorn is how many chunks at the end may be given up as torn: those that a power cut can have
// found between two syncs.
const maxTorn = 4

// Reader gives the data of a file's Audio chunks as one stream without the rest. It opens one
// chunk at a time, wherever it is asked to.
type Reader struct {
	f      io.ReaderAt
	closer io.Closer
	sealer *sealer
	keyID  KeyID
	meta   []byte
	end    []byte
	ended  bool
	chunks []span // Audio
	size   int64  // of their data
	torn   int64  // bytes behind the last whole chunk

	have   int // which chunk is in data, -1 = none
	data   []byte
	sealed []byte
}

// span is one Audio chunk.
type span struct {
	number uint64
	offset int64 // of what is sealed, in the file
	length int   // of that
	begin  int64 // of its data in the stream
}

// Open opens a sealed file for reading. A file that still grows, or whose end is torn off, gives
// what is whole. The error wraps ErrWrongKey, ErrDamaged or ErrNotSealed.
func Open(path string, keys *Keyring) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	r, err := NewReader(f, info.Size(), keys)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	r.closer = f
	return r, nil
}

// NewReader is Open for the first size bytes of f.
func NewReader(f io.ReaderAt, size int64, keys *Keyring) (*Reader, error) {
	h, err := readHead(io.NewSectionReader(f, 0, size))
	if err != nil {
		return nil, err
	}
	dataKey, err := keys.unwrap(h)
	if err != nil {
		return nil, err
	}
	s, err := newSealer(dataKey, h.id)
	if err != nil {
		return nil, err
	}
	r := &Reader{f: f, sealer: s, keyID: h.keyID(), have: -1}
	return r, r.index(h.size(), size)
}

// index finds the chunks. Of the last, which may be the end, the kind is looked at; between the
// first and it there is Audio alone.
func (r *Reader) index(from, size int64) error {
	all, torn, err := frames(r.f, from, size)
	if err != nil {
		return err
	}
	r.torn = torn
	// A power cut can leave lengths before bytes that were never written.
	for given := 0; len(all) > 0; given++ {
		last := all[len(all)-1]
		kind, data, err := r.load(last)
		if err != nil {
			if len(all) == 1 || given == maxTorn {
				return err
			}
			r.torn += int64(last.length) + lengthSize
			all = all[:len(all)-1]
			continue
		}
		if kind == End {
			r.ended, r.end = true, append([]byte(nil), data...)
			all = all[:len(all)-1]
		}
		break
	}
	if len(all) == 0 {
		return nil
	}
	kind, data, err := r.load(all[0])
	if err != nil {
		return err
	}
	if kind != Meta {
		return fmt.Errorf("%w: it does not begin with what it is", ErrDamaged)
	}
	r.meta = append([]byte(nil), data...)
	for _, c := range all[1:] {
		c.begin = r.size
		r.size += int64(c.length - overhead - 1)
		r.chunks = append(r.chunks, c)
	}
	return nil
}

// frames lists the whole frames between from and size, and counts the bytes behind them.
func frames(f io.ReaderAt, from, size int64) (all []span, torn int64, err error) {
	var length [lengthSize]byte
	at := from
	for number := uint64(0); at+lengthSize <= size; number++ {
		if _, err := f.ReadAt(length[:], at); err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return nil, 0, err
		}
		n := int64(binary.BigEndian.Uint32(length[:]))
		if n < minFrame || n > maxFrame || at+lengthSize+n > size {
			break
		}
		all = append(all, span{number: number, offset: at + lengthSize, length: int(n)})
		at += lengthSize + n
	}
	return all, size - at, nil
}

// load opens one chunk. What it gives holds until the next.
func (r *Reader) load(c span) (Kind, []byte, error) {
	if cap(r.sealed) < c.length {
		r.sealed = make([]byte, c.length)
	}
	r.have = -1
	sealed := r.sealed[:c.length]
	if _, err := r.f.ReadAt(sealed, c.offset); err != nil {
		return 0, nil, err
	}
	return r.sealer.open(sealed, c.number)
}

// Meta is the data of the first chunk; nil of a file that was torn off before it.
func (r *Reader) Meta() []byte { return r.meta }

// Ended says whether the file was written to its end; End is the data of its last chunk then.
func (r *Reader) Ended() (data []byte, ended bool) { return r.end, r.ended }

// KeyID is the key that the file is sealed for.
func (r *Reader) KeyID() KeyID { return r.keyID }

// Size is that of the stream, in bytes.
func (r *Reader) Size() int64 { return r.size }

// Torn counts the bytes behind the last whole chunk, which are given up.
func (r *Reader) Torn() int64 { return r.torn }

// ReadAt is io.ReaderAt, but not for use by several goroutines at once.
func (r *Reader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, errors.New("seal: read before the beginning")
	}
	done := 0
	for done < len(p) && off < r.size {
		i := sort.Search(len(r.chunks), func(i int) bool { return r.chunks[i].begin > off }) - 1
		if r.have != i {
			kind, data, err := r.load(r.chunks[i])
			if err != nil {
				return done, err
			}
			if kind != Audio {
				return done, fmt.Errorf("%w: chunk %d is no audio", ErrDamaged, r.chunks[i].number)
			}
			r.data, r.have = data, i
		}
		n := copy(p[done:], r.data[off-r.chunks[i].begin:])
		done += n
		off += int64(n)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

// Verify opens every chunk. The error wraps ErrDamaged.
func (r *Reader) Verify() error {
	for _, c := range r.chunks {
		if kind, _, err := r.load(c); err != nil {
			return err
		} else if kind != Audio {
			return fmt.Errorf("%w: chunk %d is no audio", ErrDamaged, c.number)
		}
	}
	return nil
}

// Close closes a file that Open opened.
func (r *Reader) Close() error {
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}
