package seal_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/headroom-voice/headroom/media/record/seal"
)

func ring(t testing.TB) (*seal.Keyring, string) {
	t.Helper()
	line, _, err := seal.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	k, err := seal.ParseKeys("test.key", []byte(line))
	if err != nil {
		t.Fatal(err)
	}
	return k, line
}

// example is a file of what is given, and its data.
func example(t testing.TB, keys *seal.Keyring, path string, chunks int, end bool) (data []byte, hash string) {
	t.Helper()
	f, err := seal.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := seal.NewWriter(f, keys)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(w.Write(seal.Meta, []byte("what it is")))
	for i := range chunks {
		chunk := bytes.Repeat([]byte{byte(i)}, 100+i)
		data = append(data, chunk...)
		must(w.Write(seal.Audio, chunk))
	}
	if end {
		must(w.Write(seal.End, []byte("over")))
	}
	must(w.Close())
	return data, w.Hash()
}

func read(t testing.TB, r *seal.Reader) []byte {
	t.Helper()
	data, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestAFileComesBackAsItWasWritten(t *testing.T) {
	keys, _ := ring(t)
	path := filepath.Join(t.TempDir(), "day", "a")
	want, hash := example(t, keys, path, 20, true)
	r, err := seal.Open(path, keys)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	end, ended := r.Ended()
	if got := read(t, r); !bytes.Equal(got, want) || string(r.Meta()) != "what it is" || !ended || string(end) != "over" || r.Torn() != 0 {
		t.Errorf("%d bytes, meta %q, end %q %v", len(got), r.Meta(), end, ended)
	}
	piece := make([]byte, 300)
	if n, err := r.ReadAt(piece, 150); n != 300 || err != nil || !bytes.Equal(piece, want[150:450]) {
		t.Errorf("in the middle: %d bytes, %v", n, err)
	}
	if got, err := seal.Hash(path); err != nil || got != hash {
		t.Errorf("hash %s, %v, want %s", got, err, hash)
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Contains(raw, []byte("what it is")) || bytes.Contains(raw, want[:100]) {
		t.Errorf("the file has it in the clear, or %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// Wherever a file ends, what is whole before comes back.
func TestACutFileGivesWhatIsWhole(t *testing.T) {
	keys, _ := ring(t)
	folder := t.TempDir()
	want, _ := example(t, keys, filepath.Join(folder, "a"), 5, true)
	raw, err := os.ReadFile(filepath.Join(folder, "a"))
	if err != nil {
		t.Fatal(err)
	}
	best := -1
	for size := 0; size < len(raw); size += 1 + size%7 {
		path := filepath.Join(folder, "cut")
		if err := os.WriteFile(path, raw[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		state, err := seal.Repair(path, keys)
		if err != nil {
			if !errors.Is(err, seal.ErrNotSealed) || best >= 0 {
				t.Fatalf("%d bytes: %v", size, err)
			}
			continue
		}
		r, err := seal.Open(path, keys)
		if err != nil {
			t.Fatal(err)
		}
		got := read(t, r)
		if !bytes.HasPrefix(want, got) || len(got) < best || r.Torn() != 0 || state.Ended {
			t.Fatalf("%d bytes give %d of data after %d, %d torn", size, len(got), best, r.Torn())
		}
		best = len(got)
		if sum, err := seal.Hash(path); err != nil || sum != state.Hash {
			t.Fatalf("hash %s, %v, want %s", sum, err, state.Hash)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if best < len(want)-104 {
		t.Errorf("%d of %d bytes came back", best, len(want))
	}
}

func TestChangesAreFound(t *testing.T) {
	keys, _ := ring(t)
	folder := t.TempDir()
	example(t, keys, filepath.Join(folder, "a"), 8, true)
	example(t, keys, filepath.Join(folder, "b"), 8, true)
	a, _ := os.ReadFile(filepath.Join(folder, "a"))
	b, _ := os.ReadFile(filepath.Join(folder, "b"))
	head := len(a) - (4 + 29 + 10) - (4 + 29 + 4) - 8*(4+29) - (100*8 + 28)
	first := 4 + 29 + 10 + head // of the first audio chunk
	for name, data := range map[string][]byte{
		"a bit turned":              flip(a, first+200),
		"a chunk left out":          append(bytes.Clone(a[:first]), a[first+4+29+100:]...),
		"a chunk of another file":   append(bytes.Clone(a[:first]), b[first:]...),
		"the head of another file":  append(bytes.Clone(b[:head]), a[head:]...),
		"the key of another file":   append(bytes.Clone(a[:32]), append(bytes.Clone(b[32:head]), a[head:]...)...),
		"another file's name on it": append(bytes.Clone(a[:8]), append(bytes.Clone(b[8:24]), a[24:]...)...),
	} {
		r, err := seal.NewReader(bytes.NewReader(data), int64(len(data)), keys)
		if err == nil {
			err = r.Verify()
		}
		if err == nil {
			if _, ended := r.Ended(); ended {
				t.Errorf("%s: not noticed", name)
			}
			continue
		}
		if !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func flip(data []byte, at int) []byte {
	data = bytes.Clone(data)
	data[at] ^= 1
	return data
}

func TestKeysRotate(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "a")
	old, oldLine := ring(t)
	want, hash := example(t, old, path, 3, true)
	fresh, newLine := ring(t)
	if _, err := seal.Open(path, fresh); !errors.Is(err, seal.ErrWrongKey) || !strings.Contains(err.Error(), string(old.Current())) {
		t.Errorf("the new key alone: %v", err)
	}
	both, err := seal.ParseKeys("both.key", []byte("# newest first\n"+newLine+"\n\n"+oldLine+"\n"))
	if err != nil || both.Current() != fresh.Current() || len(both.IDs()) != 2 {
		t.Fatalf("%v, %v", both, err)
	}
	for _, want := range []bool{true, false} {
		if changed, err := seal.Rekey(path, both); err != nil || changed != want {
			t.Errorf("changed %v, %v", changed, err)
		}
	}
	r, err := seal.Open(path, fresh)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	if !bytes.Equal(read(t, r), want) || r.KeyID() != fresh.Current() {
		t.Error("not what was written")
	}
	if sum, err := seal.Hash(path); err != nil || sum != hash {
		t.Errorf("the hash changed: %s, %v", sum, err)
	}
	if files, _ := os.ReadDir(folder); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
}

func TestAnErasedFileIsGone(t *testing.T) {
	keys, _ := ring(t)
	path := filepath.Join(t.TempDir(), "a")
	example(t, keys, path, 3, true)
	link := path + ".snapshot" // what a snapshot of the disk would still hold
	if err := os.Link(path, link); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := seal.Erase(path); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("still there: %v", err)
	}
	if _, err := seal.Open(link, keys); err == nil {
		t.Error("what is left of it can be opened")
	}
}

func TestKeyFiles(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "new", "key")
	made, err := seal.LoadOrMakeKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := seal.LoadOrMakeKeys(path)
	if err != nil || again.Current() != made.Current() {
		t.Errorf("%v, %v", again, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := seal.LoadKeys(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others can read: %v", err)
	}
	for text, want := range map[string]string{
		"": "has no key", "# nothing\n": "has no key", "\nAGE-SECRET-KEY-1SECRET\n": "line 2 is no key",
	} {
		if _, err := seal.ParseKeys("x.key", []byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "1SECRET") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzOpen holds for any file: no panic, nothing read beyond it, an error that is one of those
// that are named, or a file of which repair leaves something that opens with the same data.
func FuzzOpen(f *testing.F) {
	keys, _ := ring(f)
	folder := f.TempDir()
	for _, n := range []int{0, 1, 4} {
		path := filepath.Join(folder, fmt.Sprint(n))
		example(f, keys, path, n, n%2 == 0)
		raw, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, uint16(0), byte(0))
		f.Add(raw, uint16(len(raw)-3), byte(1))
		f.Add(raw[:len(raw)*2/3], uint16(9), byte(7))
	}
	whole := filepath.Join(folder, "4")
	valid, _ := os.ReadFile(whole)
	f.Fuzz(func(t *testing.T, raw []byte, at uint16, change byte) {
		if len(raw) < 8 { // from scratch the fuzzer would not get past the wrapped key
			raw = bytes.Clone(valid)
		}
		raw = bytes.Clone(raw)
		if int(at) < len(raw) {
			raw[at] ^= change
		}
		r, err := seal.NewReader(bytes.NewReader(raw), int64(len(raw)), keys)
		if err != nil {
			if !errors.Is(err, seal.ErrDamaged) && !errors.Is(err, seal.ErrNotSealed) && !errors.Is(err, seal.ErrWrongKey) {
				t.Fatalf("%v", err)
			}
			return
		}
		if r.Torn() < 0 || r.Torn() > int64(len(raw)) || r.Size() > int64(len(raw)) {
			t.Fatalf("%d bytes, %d torn, of %d", r.Size(), r.Torn(), len(raw))
		}
		data, err := io.ReadAll(io.NewSectionReader(r, 0, r.Size()))
		if err != nil && !errors.Is(err, seal.ErrDamaged) {
			t.Fatal(err)
		}
		cut := raw[:int64(len(raw))-r.Torn()]
		again, err := seal.NewReader(bytes.NewReader(cut), int64(len(cut)), keys)
		if err != nil {
			t.Fatalf("what is whole does not open: %v", err)
		}
		back, _ := io.ReadAll(io.NewSectionReader(again, 0, again.Size()))
		if !bytes.Equal(back, data) || again.Torn() != 0 {
			t.Fatalf("%d bytes became %d", len(data), len(back))
		}
	})
}
