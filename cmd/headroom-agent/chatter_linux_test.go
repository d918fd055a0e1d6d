package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWhatTheAudioSystemPrintsIsNotInTheWay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stderr")
	stderr, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer stderr.Close()
	own := withoutChatter(stderr)
	defer own.Close()
	if _, err := syscall.Write(int(stderr.Fd()), []byte("cannot find card '0'\n")); err != nil { // as a C library would
		t.Fatal(err)
	}
	fmt.Fprintln(own, "there is no default microphone")
	if got, err := os.ReadFile(path); err != nil || string(got) != "there is no default microphone\n" {
		t.Errorf("%q, %v", got, err)
	}
}
