//go:build unix

package store

import (
	"errors"
	"os"
	"syscall"
)

// lockFile locks a file for this open file alone; the kernel unlocks it when the process
// ends.
func lockFile(f *os.File) error {
	err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return ErrClaimed
	}
	return err
}
