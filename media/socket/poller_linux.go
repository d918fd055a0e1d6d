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

// shard is one epoll and the goroutine that waits on it.
type shard struct {
	mu     sync.Mutex // never held while a handler runs
	conns  map[int32]*Conn
	epoll  int // descriptors, while conns are there
	signal int // an eventfd: there is nothing left to wait for
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
			s.shut()
		}
		return fmt.Errorf("socket: epoll: %w", err)
	}
	s.conns[int32(c.fd)] = c
	if first {
		r := &reader{s: s, epoll: s.epoll, signal: s.signal}
		go r.run()
	}
	return nil
}

// open makes the descriptors; each goroutine has its own. Needs s.mu.
func (s *shard) open() (err error) {
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return fmt.Errorf("socket: epoll: %w", err)
	}
	if s.signal, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		_ = unix.Close(s.epoll)
		return fmt.Errorf("socket: eventfd: %w", err)
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(s.signal)}
	if err = unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, s.signal, &event); err != nil {
		s.shut()
		return fmt.Errorf("socket: epoll: %w", err)
	}
	s.conns = make(map[int32]*Conn)
	return nil
}

func (s *shard) shut() {
	_ = unix.Close(s.epoll)
	_ = unix.Close(s.signal)
}

// remove leaves c alone, and ends the goroutine if it was the last.
func (s *shard) remove(c *Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, c.fd, nil)
	delete(s.conns, int32(c.fd))
	if len(s.conns) == 0 {
		_, _ = unix.Write(s.signal, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	}
}

// reader is a shard's goroutine and what it reads into.
type reader struct {
	s             *shard
	epoll, signal int
	events        [maxEvents]unix.EpollEvent
	ready         []*Conn

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

func (r *reader) run() {
	for i := range r.messages {
		r.vectors[i] = unix.Iovec{Base: &r.data[i][0]}
		r.vectors[i].SetLen(maxSize)
		h := &r.messages[i].header
		h.Name, h.Iov = (*byte)(unsafe.Pointer(&r.from[i])), &r.vectors[i]
		h.SetIovlen(1)
	}
	for {
		n, err := unix.EpollWait(r.epoll, r.events[:], -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			panic(os.NewSyscallError("epoll_wait", err)) // the descriptor is ours: cannot be
		}
		if r.look(max(n, 0)) {
			break
		}
		for i, c := range r.ready {
			r.serve(c)
			r.ready[i] = nil
		}
	}
	_ = unix.Close(r.epoll)
	_ = unix.Close(r.signal)
}

// look finds whose the n events are. It is over when there is nothing left to wait for.
func (r *reader) look(n int) (over bool) {
	r.ready = r.ready[:0]
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	for i := range r.events[:n] {
		if c := r.s.conns[r.events[i].Fd]; c != nil {
			r.ready = append(r.ready, c)
		} else if int(r.events[i].Fd) == r.signal {
			over = true
		}
	}
	return over
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
	for {
		n, _, errno := unix.RawSyscall6(unix.SYS_RECVMMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.messages)), batch, unix.MSG_DONTWAIT, 0, 0)
		if errno != unix.EINTR {
			if errno != 0 {
				return 0 // nothing there, or an ICMP error that is somebody else's business
			}
			return int(n)
		}
	}
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
