//go:build unix

package main

import (
	"syscall"
	"time"
)

// cpu is how much processor time this program has had. What else runs on the machine does
// not count in it, as it does by the clock.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
