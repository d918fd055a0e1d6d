//go:build !linux

package main

import "os"

// withoutChatter gives standard error as it is: PortAudio is quiet on other systems.
func withoutChatter(stderr *os.File) *os.File { return stderr }
