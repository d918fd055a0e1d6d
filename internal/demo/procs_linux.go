package demo

import "syscall"

// dieWithParent gives a child a process group of its own, so that Ctrl-C reaches it only
// through the demo, and has the kernel end it should the demo be killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
