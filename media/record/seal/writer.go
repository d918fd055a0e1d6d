package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
)

// File is what a Writer writes to, an *os.File outside of tests.
type File interface {
	io.WriterAt
	Truncate(size int64) error
	Sync() error
	Close() error
}

// Create makes a file that must not be there yet, readable by this user alone. Its first Sync
// makes the name durable, too.
func Create(path string) (File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	return &created{File: f, folder: filepath.Dir(path)}, nil
}

// created is a file whose name may not be on the disk yet.
type created struct {
	*os.File
	folder string
	named  atomic.Bool
}

func (c *created) Sync() error {
	if err := c.File.Sync(); err != nil {
		return err
	}
	if c.named.Load() {
		return nil
	}
	if err := syncFolder(c.folder); err != nil {
		return err
	}
	c.named.Store(true)
	return nil
}

// Writer appends chunks to a sealed file. It is not safe for concurrent use.
type Writer struct {
	f      File
	sealer *sealer
	size   int64  // of what is written whole
	number uint64 // of the next chunk
	sum    hash.Hash
	frame  []byte
	torn   bool // something may stand behind size
}

// NewWriter writes the head of a new file. The file's key is in memory only, and wrapped for
// the current key of the ring.
func NewWriter(f File, keys *Keyring) (*Writer, error) {
	h := &head{}
	copy(h.id[:], random(idSize))
	dataKey := random(dataKeySize)
	var err error
	if h.wrapped, err = keys.wrap(dataKey, h.id[:]); err != nil {
		return nil, err
	}
	if h.key, err = rawID(keys.Current()); err != nil {
		return nil, err
	}
	s, err := newSealer(dataKey, h.id)
	if err != nil {
		return nil, err
	}
	if _, err := f.WriteAt(h.bytes(), 0); err != nil {
		return nil, err
	}
	return &Writer{f: f, sealer: s, size: h.size(), sum: sha256.New()}, nil
}

func rawID(id KeyID) (raw [keyIDSize]byte, err error) {
	b, err := hex.DecodeString(string(id))
	if err != nil || len(b) != keyIDSize {
		return raw, fmt.Errorf("seal: %q is no key id", string(id))
	}
	copy(raw[:], b)
	return raw, nil
}

// Write appends a chunk of at most MaxChunk bytes. After an error the file is as before, or
// will be made so by the next Write, which may be tried.
func (w *Writer) Write(kind Kind, data []byte) error {
	if len(data) > MaxChunk {
		return fmt.Errorf("seal: a chunk of %d bytes; at most %d", len(data), MaxChunk)
	}
	if w.torn {
		if err := w.f.Truncate(w.size); err != nil {
			return err
		}
		w.torn = false
	}
	w.frame = w.sealer.frame(w.frame[:0], w.number, kind, data)
	if _, err := w.f.WriteAt(w.frame, w.size); err != nil {
		w.torn = true
		return err
	}
	w.size += int64(len(w.frame))
	w.number++
	w.sum.Write(w.frame)
	return nil
}

// Sync makes what was written survive a power cut. It may be called beside Write, from another
// goroutine.
func (w *Writer) Sync() error { return w.f.Sync() }

// Size is that of the file, in bytes.
func (w *Writer) Size() int64 { return w.size }

// Hash is the SHA-256 of every chunk as it stands in the file, in hexadecimal. It needs no key
// to be checked, and stays when the file is sealed for another key.
func (w *Writer) Hash() string { return hex.EncodeToString(w.sum.Sum(nil)) }

// Close makes what was written durable and closes the file.
func (w *Writer) Close() error {
	var cut error
	if w.torn {
		cut = w.f.Truncate(w.size)
	}
	return errors.Join(cut, w.f.Sync(), w.f.Close())
}
