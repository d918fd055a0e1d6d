package seal

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
)

// ErrWrongKey is wrapped by the error for a file that none of the keys at hand opens.
var ErrWrongKey = errors.New("sealed for another key")

const (
	dataKeySize = 32
	idSize      = 16
	keyIDSize   = 8
	maxKeyFile  = 1 << 20 // bytes
)

// KeyID tells keys apart without saying anything about them: the beginning of the SHA-256 of
// the public one, in hexadecimal.
type KeyID string

// Keyring holds the keys that recordings are sealed for and opened with. The first seals new
// files; all of them open.
type Keyring struct {
	identities []age.Identity
	ids        []KeyID
	recipient  *age.X25519Recipient // of the first
	path       string
}

// NewKey makes a key as a line of a key file.
func NewKey() (line string, id KeyID, err error) {
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		return "", "", fmt.Errorf("seal: make a key: %w", err)
	}
	return identity.String(), keyID(identity.Recipient()), nil
}

func keyID(r *age.X25519Recipient) KeyID {
	sum := sha256.Sum256([]byte(r.String()))
	return KeyID(hex.EncodeToString(sum[:keyIDSize]))
}

// ParseKeys reads a key file: an AGE-SECRET-KEY-1 a line, the one for new files first; empty
// lines and those that begin with # are left out. path is for messages. No message repeats a key.
func ParseKeys(path string, data []byte) (*Keyring, error) {
	k := &Keyring{path: path}
	for i, line := range strings.Split(string(data), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		identity, err := age.ParseX25519Identity(line)
		if err != nil {
			return nil, fmt.Errorf("seal: %s line %d is no key; a key begins with AGE-SECRET-KEY-1 and is made with: headroom recordings new-key", path, i+1)
		}
		if k.recipient == nil {
			k.recipient = identity.Recipient()
		}
		k.identities = append(k.identities, identity)
		k.ids = append(k.ids, keyID(identity.Recipient()))
	}
	if k.recipient == nil {
		return nil, fmt.Errorf("seal: %s has no key in it; make one with: headroom recordings new-key", path)
	}
	return k, nil
}

// LoadKeys reads the key file at path, which nobody else may read.
func LoadKeys(path string) (*Keyring, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("seal: key file %s can be read by others (mode %04o), and with it every recording; run: chmod 600 %s", path, mode, path)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	return ParseKeys(path, data)
}

// LoadOrMakeKeys is LoadKeys, and makes the file with a new key where there is none.
func LoadOrMakeKeys(path string) (*Keyring, error) {
	keys, err := LoadKeys(path)
	if !errors.Is(err, os.ErrNotExist) {
		return keys, err
	}
	line, id, err := NewKey()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	text := "# The key of the recordings, " + string(id) + ". Without it none of them can be heard: keep a copy elsewhere.\n" + line + "\n"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Sync(), f.Close(), syncFolder(filepath.Dir(path))); err != nil {
		return nil, fmt.Errorf("seal: key file: %w", err)
	}
	return LoadKeys(path)
}

// Current is the key that new files are sealed for.
func (k *Keyring) Current() KeyID { return k.ids[0] }

// IDs gives every key, the current one first.
func (k *Keyring) IDs() []KeyID { return append([]KeyID(nil), k.ids...) }

// wrap seals a file's key for the current key.
func (k *Keyring) wrap(dataKey, fileID []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, k.recipient)
	if err != nil {
		return nil, fmt.Errorf("seal: wrap the key of a file: %w", err)
	}
	_, err = w.Write(append(append([]byte(nil), dataKey...), fileID...))
	if err := errors.Join(err, w.Close()); err != nil {
		return nil, fmt.Errorf("seal: wrap the key of a file: %w", err)
	}
	return out.Bytes(), nil
}

// unwrap gives a file's key.
func (k *Keyring) unwrap(h *head) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(h.wrapped), k.identities...)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, fmt.Errorf("%w: the file is for %s, and %s holds %s; add the key that it was sealed for to the key file",
			ErrWrongKey, h.keyID(), k.path, joinIDs(k.ids))
	case err != nil:
		return nil, fmt.Errorf("%w: the key of the file cannot be unwrapped: %w", ErrDamaged, err)
	}
	both, err := io.ReadAll(io.LimitReader(r, dataKeySize+idSize+1))
	if err != nil || len(both) != dataKeySize+idSize || !bytes.Equal(both[dataKeySize:], h.id[:]) {
		return nil, fmt.Errorf("%w: the key in its head is not its own", ErrDamaged)
	}
	return both[:dataKeySize], nil
}

func joinIDs(ids []KeyID) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = string(id)
	}
	return strings.Join(words, ", ")
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b) // never fails, crypto/rand
	return b
}

// syncFolder makes a new entry of a folder survive a power cut.
func syncFolder(name string) error {
	folder, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
