package socket

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	canShare  = true
	maxEvents = 128 // sockets seen to at once
	maxErrors = 16  // of a socket, until its next datagram is waited for
)

func share(fd uintptr) error {
	return unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
}

// Poller reads the sockets that were opened by it. Its goroutines run while there are any.
type Poller struct {
	shards []shard
}

// NewPoller makes a Poller of n shards; 0 is as many as there are processors.
func NewPoller(n int) *Poller {
	if n <= 0 {
		n = runtime.GOMAXPROCS(0)
	}
	return &Poller{shards: make([]shard, n)}
}

// Shards is how many goroutines read when there are sockets enough.
func (p *Poller) Shards() int { return len(p.shards) }

// shard is one epoll and the goroutine that waits for it, by way of Go's own poller: a
// thread that waits in epoll_wait costs half as much again, for it gives its processor
// away and asks for it back each time.
type shard struct {
	mu    sync.Mutex // never held while a handler runs
	conns map[int32]*Conn
	epoll int      // the descriptor, while conns are there
	file  *os.File // it again, as Go's poller knows it
}

// Conn is a UDP socket of a Poller's.
type Conn struct {
	p     *Poller
	fd    int
	inet6 bool // of the socket, not of the addresses
	local netip.AddrPort

	handler Handler
	shard   *shard // nil before Serve; guarded by use
	use     sync.Mutex
	closed  atomic.Bool
	users   atomic.Int32 // of fd; the last one closes it
	gone    chan struct{}
}

// adopt takes the descriptor from Go's poller, which would wake up for each packet too.
func (p *Poller) adopt(conn *net.UDPConn) (*Conn, error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	fd, domain := -1, 0
	cerr := raw.Control(func(from uintptr) {
		if domain, err = unix.GetsockoptInt(int(from), unix.SOL_SOCKET, unix.SO_DOMAIN); err == nil {
			fd, err = unix.FcntlInt(from, unix.F_DUPFD_CLOEXEC, 0)
		}
	})
	if err := errors.Join(cerr, err); err != nil {
		return nil, err
	}
	c := &Conn{
		p: p, fd: fd, inet6: domain == unix.AF_INET6, gone: make(chan struct{}),
		local: unmap(conn.LocalAddr().(*net.UDPAddr).AddrPort()),
	}
	c.users.Store(1)
	if err := errors.Join(conn.Close(), unix.SetNonblock(fd, true)); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

// LocalAddr is where the socket listens.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Serve begins to read; once. Every datagram goes to handler until the socket is closed.
func (c *Conn) Serve(handler Handler) error {
	c.use.Lock()
	defer c.use.Unlock()
	if c.closed.Load() {
		return net.ErrClosed
	}
	if c.shard != nil {
		return errors.New("socket: it is being read already")
	}
	c.handler = handler
	s := c.p.idlest()
	if err := s.add(c); err != nil {
		return err
	}
	c.shard = s
	return nil
}

// Close ends it. It waits for nobody and may be called from the handler; the handler that
// runs is the last one. Closing again does nothing.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	c.use.Lock()
	s := c.shard
	c.use.Unlock()
	if s != nil {
		s.remove(c)
	}
	c.release()
	return nil
}

// Wait returns when the socket is closed and no handler runs any more: not to be called from one.
func (c *Conn) Wait() { <-c.gone }

// acquire keeps the descriptor from being closed, and given to somebody else.
func (c *Conn) acquire() bool {
	for {
		n := c.users.Load()
		if n == 0 {
			return false
		}
		if c.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (c *Conn) release() {
	if c.users.Add(-1) == 0 {
		_ = unix.Close(c.fd)
		close(c.gone)
	}
}

// idlest is the shard with the fewest sockets.
func (p *Poller) idlest() *shard {
	best, least := &p.shards[0], -1
	for i := range p.shards {
		s := &p.shards[i]
		s.mu.Lock()
		n := len(s.conns)
		s.mu.Unlock()
		if least < 0 || n < least {
			best, least = s, n
		}
	}
	return best
}

// add makes the goroutine see to c, and starts it if it is the first.
func (s *shard) add(c *Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := len(s.conns) == 0
	if first {
		if err := s.open(); err != nil {
			return err
		}
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(c.fd)}
	if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, c.fd, &event); err != nil {
		if first {
			_ = s.file.Close()
		}
		return fmt.Errorf("socket: epoll: %w", err)
	}
	s.conns[int32(c.fd)] = c
	if first {
		go newReader(s).run()
	}
	return nil
}

// open makes an epoll; each goroutine has its own. Needs s.mu.
func (s *shard) open() error {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err == nil {
		err = unix.SetNonblock(fd, true) // for NewFile to see that it can be waited for
	}
	if err != nil {
		return fmt.Errorf("socket: epoll: %w", err)
	}
	s.epoll, s.file, s.conns = fd, os.NewFile(uintptr(fd), "epoll"), make(map[int32]*Conn)
	return nil
}

// remove leaves c alone, and ends the goroutine if it was the last.
func (s *shard) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, c.fd, nil)
	delete(s.conns, int32(c.fd))
	if len(s.conns) == 0 {
		_ = s.file.Close()
	}
}

// reader is a shard's goroutine and what it reads into.
type reader struct {
	s      *shard
	file   *os.File
	events [maxEvents]unix.EpollEvent
	n      int // events at hand
	ready  []*Conn

	messages [batch]message
	vectors  [batch]unix.Iovec
	from     [batch]unix.RawSockaddrInet6
	data     [batch][maxSize]byte
}

// message is struct mmsghdr of recvmmsg(2).
type message struct {
	header unix.Msghdr
	size   uint32
	_      uint32
}

func newReader(s *shard) *reader {
	r := &reader{s: s, file: s.file, ready: make([]*Conn, 0, maxEvents)}
	for i := range r.messages {
		r.vectors[i] = unix.Iovec{Base: &r.data[i][0]}
		r.vectors[i].SetLen(maxSize)
		h := &r.messages[i].header
		h.Name, h.Iov = (*byte)(unsafe.Pointer(&r.from[i])), &r.vectors[i]
		h.SetIovlen(1)
	}
	return r
}

// run sees to the shard's sockets until the last one has gone.
func (r *reader) run() {
	raw, err := r.file.SyscallConn()
	wait := r.wait
	for err == nil {
		if err = raw.Read(wait); err != nil {
			return // closed
		}
		r.look()
		for i, c := range r.ready {
			r.serve(c)
			r.ready[i] = nil
		}
	}
}

// wait asks for events, and says that there are some.
func (r *reader) wait(epoll uintptr) bool {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, epoll, uintptr(unsafe.Pointer(&r.events)), maxEvents, 0, 0, 0)
	r.n = int(n)
	return errno == 0 && n > 0
}

// look finds whose the events are.
func (r *reader) look() {
	r.ready = r.ready[:0]
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for i := range r.events[:r.n] {
		if c := r.s.conns[r.events[i].Fd]; c != nil {
			r.ready = append(r.ready, c)
		}
	}
}

// serve reads a socket until it is empty.
func (r *reader) serve(c *Conn) {
	if !c.acquire() {
		return
	}
	defer c.release()
	for {
		n := r.receive(c.fd)
		if n <= 0 {
			return
		}
		now := time.Now()
		for i := range n {
			if c.closed.Load() {
				return
			}
			if from, ok := addrPort(&r.from[i]); ok {
				c.handler(r.data[i][:min(r.messages[i].size, maxSize)], from, now)
			}
		}
		if n < batch {
			return
		}
	}
}

// receive takes what is there, up to a batch.
func (r *reader) receive(fd int) int {
	for i := range r.messages {
		r.messages[i].header.Namelen = unix.SizeofSockaddrInet6
	}
	for range maxErrors {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.messages)), batch, unix.MSG_DONTWAIT, 0, 0)
		switch errno {
		case 0:
			return int(n)
		case unix.EAGAIN:
			return 0
		} // anything else is told once, an ICMP error for instance, and somebody else's business
	}
	return 0
}

// addrPort reads a socket address; an IPv4 one in the form of IPv6 becomes IPv4.
func addrPort(a *unix.RawSockaddrInet6) (netip.AddrPort, bool) {
	port := (*[2]byte)(unsafe.Pointer(&a.Port))
	p := uint16(port[0])<<8 | uint16(port[1])
	switch a.Family {
	case unix.AF_INET:
		v4 := (*unix.RawSockaddrInet4)(unsafe.Pointer(a))
		return netip.AddrPortFrom(netip.AddrFrom4(v4.Addr), p), true
	case unix.AF_INET6:
		ip := netip.AddrFrom16(a.Addr).Unmap()
		if a.Scope_id != 0 && ip.Is6() {
			ip = ip.WithZone(strconv.Itoa(int(a.Scope_id)))
		}
		return netip.AddrPortFrom(ip, p), true
	}
	return netip.AddrPort{}, false
}

// WriteTo sends one datagram. It never waits: what the kernel has no room for is an error.
func (c *Conn) WriteTo(data []byte, to netip.AddrPort) error {
	if !c.acquire() {
		return net.ErrClosed
	}
	defer c.release()
	var a unix.RawSockaddrInet6
	size, ok := c.sockaddr(&a, to)
	if !ok {
		return fmt.Errorf("socket: %v cannot be reached from %v", to, c.local)
	}
	for {
		_, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(data))),
			uintptr(len(data)), unix.MSG_DONTWAIT, uintptr(unsafe.Pointer(&a)), size)
		switch errno {
		case 0:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// sockaddr writes the address in the form that the socket takes.
func (c *Conn) sockaddr(a *unix.RawSockaddrInet6, to netip.AddrPort) (size uintptr, ok bool) {
	port := (*[2]byte)(unsafe.Pointer(&a.Port))
	port[0], port[1] = byte(to.Port()>>8), byte(to.Port())
	ip := to.Addr()
	if c.inet6 {
		a.Family, a.Addr = unix.AF_INET6, ip.As16()
		if zone := ip.Zone(); zone != "" {
			a.Scope_id = scope(zone)
		}
		return unix.SizeofSockaddrInet6, ip.IsValid()
	}
	if ip = ip.Unmap(); !ip.Is4() {
		return 0, false
	}
	a.Family = unix.AF_INET
	(*unix.RawSockaddrInet4)(unsafe.Pointer(a)).Addr = ip.As4()
	return unix.SizeofSockaddrInet4, true
}

// scope is the number of a zone, which may be named by it or by its interface.
func scope(zone string) uint32 {
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n)
	}
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index)
	}
	return 0
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
