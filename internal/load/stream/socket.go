//go:build linux

package stream

import (
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	largest     = 2048    // bytes of a datagram
	socketRoom  = 1 << 20 // bytes of a socket's buffers, if the kernel grants them
	controlRoom = 64      // bytes of control messages: the time of arrival takes 32
)

// openUDP gives a socket that does not block and dates what arrives.
func openUDP(local netip.Addr) (fd int, at netip.AddrPort, err error) {
	if !local.Is4() {
		return -1, at, fmt.Errorf("stream: %v is not an IPv4 address", local)
	}
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, at, fmt.Errorf("stream: socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketRoom) // as much as there is
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: local.As4()})
	}
	if err != nil {
		_ = unix.Close(fd)
		return -1, at, fmt.Errorf("stream: socket at %v: %w", local, err)
	}
	name, err := unix.Getsockname(fd)
	in4, ok := name.(*unix.SockaddrInet4)
	if err != nil || !ok {
		_ = unix.Close(fd)
		return -1, at, fmt.Errorf("stream: socket's own address: %w", err)
	}
	return fd, netip.AddrPortFrom(netip.AddrFrom4(in4.Addr), uint16(in4.Port)), nil
}

func connectUDP(fd int, to netip.AddrPort) error {
	if !to.Addr().Is4() || to.Port() == 0 {
		return fmt.Errorf("stream: connect to %v: an IPv4 address and port is needed", to)
	}
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())}); err != nil {
		return fmt.Errorf("stream: connect to %v: %w", to, err)
	}
	return nil
}

// letter is what one recvmsg fills, made once.
type letter struct {
	buf     [largest]byte
	control [controlRoom]byte
	vec     unix.Iovec
	header  unix.Msghdr
}

// receive takes one datagram without waiting or allocating. at is when it arrived.
func (l *letter) receive(fd int) (data []byte, at time.Time, ok bool) {
	l.vec.Base = &l.buf[0]
	l.vec.SetLen(len(l.buf))
	l.header = unix.Msghdr{Iov: &l.vec, Control: &l.control[0]}
	l.header.SetIovlen(1)
	l.header.SetControllen(len(l.control))
	n, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&l.header)), unix.MSG_DONTWAIT)
	if errno != 0 {
		return nil, at, false // nothing there, or the far end is not: either way nothing to read
	}
	return l.buf[:n], l.arrival(), true
}

// arrival reads the kernel's time; the present where there is none.
func (l *letter) arrival() time.Time {
	head := (*unix.Cmsghdr)(unsafe.Pointer(&l.control[0]))
	if l.header.Controllen >= uint64(unix.CmsgLen(int(unsafe.Sizeof(unix.Timespec{})))) &&
		head.Level == unix.SOL_SOCKET && head.Type == unix.SCM_TIMESTAMPNS {
		ts := (*unix.Timespec)(unsafe.Pointer(&l.control[unix.CmsgLen(0)]))
		return time.Unix(ts.Sec, ts.Nsec)
	}
	return time.Now()
}

// transmit sends one datagram to where the socket is connected. What the network does not take
// is lost, as on any network.
func transmit(fd int, data []byte) {
	if len(data) > 0 {
		_, _, _ = unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)))
	}
}
