//go:build !linux

package demo

import "syscall"

// dieWithParent has no equivalent outside Linux; the children end when the demo asks them to.
func dieWithParent() *syscall.SysProcAttr { return nil }
