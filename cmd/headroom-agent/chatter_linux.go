package main

import (
	"os"
	"runtime/debug"
	"syscall"
)

// withoutChatter silences standard error for libraries, and gives what the program itself
// and a crash still write to. ALSA and JACK print a page about every card that a computer
// does not have, each time PortAudio looks, and the one line that matters drowns in it.
// Where that cannot be done everything stays as it was.
func withoutChatter(stderr *os.File) *os.File {
	void, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		return stderr
	}
	defer void.Close()
	fd, err := syscall.Dup(int(stderr.Fd()))
	if err != nil {
		return stderr
	}
	syscall.CloseOnExec(fd)
	own := os.NewFile(uintptr(fd), stderr.Name())
	if err := debug.SetCrashOutput(own, debug.CrashOptions{}); err != nil {
		own.Close()
		return stderr
	}
	if err := syscall.Dup3(int(void.Fd()), int(stderr.Fd()), 0); err != nil {
		own.Close()
		return stderr
	}
	return own
}
