package record_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/headroom-voice/headroom/media/record"
	"github.com/headroom-voice/headroom/media/record/ogg"
	"github.com/headroom-voice/headroom/media/record/seal"
)

// FuzzPlayback holds for a recording that is cut off and changed anywhere: an error that is one of
// those that are named, or a file whose samples, or pages, are the beginning of what was recorded,
// as far as they can be read.
func FuzzPlayback(f *testing.F) {
	ring := keys(f)
	var raw, clear [2][]byte
	for i, format := range []record.Format{record.WAV, record.Opus} {
		raw[i], clear[i] = shortRecording(f, ring, format)
	}
	f.Add(false, uint32(0), uint32(0), byte(0))
	f.Add(true, uint32(100), uint32(0), byte(0))
	f.Add(true, uint32(2000), uint32(900), byte(1))
	path := filepath.Join(f.TempDir(), "changed")
	f.Fuzz(func(t *testing.T, opus bool, cut, at uint32, change byte) {
		i := map[bool]int{true: 1}[opus]
		data := bytes.Clone(raw[i][:len(raw[i])-int(cut)%len(raw[i])])
		if len(data) > 0 {
			data[int(at)%len(data)] ^= change
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		known := func(err error) {
			if !errors.Is(err, seal.ErrDamaged) && !errors.Is(err, seal.ErrNotSealed) && !errors.Is(err, seal.ErrWrongKey) {
				t.Fatal(err)
			}
		}
		if _, err := seal.Repair(path, ring); err != nil {
			known(err)
		}
		p, err := record.Open(path, ring)
		if err != nil {
			known(err)
			return
		}
		got, err := io.ReadAll(p)
		if err != nil {
			known(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		want := clear[i]
		if !opus { // the header says how long it is
			if len(got) < 44 || (len(got)-44)%4 != 0 && err == nil {
				t.Fatalf("%d bytes are no WAV file", len(got))
			}
			got, want = got[44:], want[44:]
		}
		if !bytes.HasPrefix(want, got) {
			t.Fatalf("%d bytes that were not recorded so", len(got))
		}
		if whole, _ := ogg.Whole(got); opus && err == nil && whole != len(got) {
			t.Fatalf("%d of %d bytes are whole pages", whole, len(got))
		}
	})
}

// shortRecording is a file of some chunks, sealed and in the clear.
func shortRecording(f *testing.F, ring *seal.Keyring, format record.Format) (raw, clear []byte) {
	rec, err := record.New(record.Config{Folder: f.TempDir(), Keys: ring, Format: format, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- rec.Run(ctx) }()
	over := make(chan record.Result, 1)
	r, err := rec.Start(record.Info{ID: "short"}, func(res record.Result) { over <- res })
	if err != nil {
		f.Fatal(err)
	}
	say(r.Caller(), 8000, 600, 1700*ms)
	r.Stop()
	res := <-over
	cancel()
	p, openErr := record.Open(res.Path, ring)
	if err := errors.Join(<-done, res.Err, openErr); err != nil {
		f.Fatal(err)
	}
	clear, err = io.ReadAll(p)
	raw, readErr := os.ReadFile(res.Path)
	if err := errors.Join(err, readErr, p.Close()); err != nil {
		f.Fatal(err)
	}
	return raw, clear
}
