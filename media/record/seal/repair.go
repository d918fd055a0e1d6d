package seal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// State is what is found of a file.
type State struct {
	Size  int64  // bytes that are whole
	Torn  int64  // bytes behind them, that were cut off
	Hash  string // SHA-256 of the chunks, as Writer.Hash
	KeyID KeyID
	Ended bool // it was written to its end
}

// Repair cuts off what is torn behind the last chunk that opens, and says what is left.
func Repair(path string, keys *Keyring) (State, error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return State{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return State{}, err
	}
	r, err := NewReader(f, info.Size(), keys)
	if err != nil {
		return State{}, fmt.Errorf("%s: %w", path, err)
	}
	s := State{Size: info.Size() - r.Torn(), Torn: r.Torn(), KeyID: r.KeyID(), Ended: r.ended}
	if s.Torn > 0 {
		if err := errors.Join(f.Truncate(s.Size), f.Sync()); err != nil {
			return s, fmt.Errorf("%s: cut off what is torn: %w", path, err)
		}
	}
	s.Hash, err = hashOf(f, s.Size)
	return s, err
}

// Hash gives the SHA-256 of a file's chunks as they stand, for which no key is needed.
func Hash(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	sum, err := hashOf(f, info.Size())
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return sum, nil
}

func hashOf(f io.ReaderAt, size int64) (string, error) {
	h, err := readHead(io.NewSectionReader(f, 0, size))
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(f, h.size(), size-h.size())); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// Rekey seals a file for the current key of the ring, if it is not already; the chunks stay as
// they are. The file is replaced in one step. It must not be written to meanwhile.
func Rekey(path string, keys *Keyring) (changed bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	h, err := readHead(f)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	if h.keyID() == keys.Current() {
		return false, nil
	}
	dataKey, err := keys.unwrap(h)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	renewed := &head{id: h.id}
	if renewed.wrapped, err = keys.wrap(dataKey, h.id[:]); err != nil {
		return false, err
	}
	if renewed.key, err = rawID(keys.Current()); err != nil {
		return false, err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".rekey-*") // mode 0600
	if err != nil {
		return false, err
	}
	defer func() { _ = os.Remove(next.Name()) }() // which is not there any more when all went well
	_, err = next.Write(renewed.bytes())
	if err == nil {
		_, err = io.Copy(next, f) // behind the head
	}
	if err := errors.Join(err, next.Sync(), next.Close()); err != nil {
		return false, err
	}
	if err := os.Rename(next.Name(), path); err != nil {
		return false, err
	}
	return true, syncFolder(filepath.Dir(path))
}

// Erase removes a file for good: its wrapped key is overwritten first, so that blocks of it that
// a disk or a snapshot still holds cannot be opened with what the file said. A file that is not
// there is erased already.
func Erase(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	junk := make([]byte, headFixed+maxWrapped)
	info, err := f.Stat()
	if err == nil {
		junk = junk[:min(int64(len(junk)), info.Size())]
		rand.Read(junk) // never fails, crypto/rand
		_, err = f.WriteAt(junk, 0)
	}
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}
