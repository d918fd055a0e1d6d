// Package guard keeps a TCP port from being worn down by whoever connects to it: so many
// connections at once in all and of one source, and no failure of one ends the listening.
package guard

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Limits of a port. A source is an IPv4 address or an IPv6 /64, which one customer has whole.
type Limits struct {
	Total     int // connections at once
	PerSource int // of them, from one source; many agents may share one behind NAT
	Backlog   int // bytes that the system keeps for a connection whose network is slow; 0 is its own choice
}

// Listener accepts within Limits and closes at once what is beyond. It is a net.Listener.
type Listener struct {
	net.Listener
	limits  Limits
	closed  chan struct{}
	once    sync.Once
	refused atomic.Uint64

	mu    sync.Mutex
	total int
	taken map[netip.Prefix]int
}

// New guards what l accepts, and closes l when it is closed.
func New(l net.Listener, limits Limits) *Listener {
	return &Listener{Listener: l, limits: limits, closed: make(chan struct{}), taken: make(map[netip.Prefix]int)}
}

// Refused counts connections that were closed for want of a place.
func (l *Listener) Refused() uint64 { return l.refused.Load() }

// Open counts connections that are not closed yet.
func (l *Listener) Open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}

// The pause after a failed accept, which want of file descriptors makes again and again.
const (
	shortPause = 5 * time.Millisecond
	longPause  = time.Second
)

// Accept gives the next connection that has a place. It fails only when the listener is
// closed: a failure of the moment is waited out.
func (l *Listener) Accept() (net.Conn, error) {
	for pause := shortPause; ; {
		c, err := l.Listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil, err
			}
			select {
			case <-l.closed:
				return nil, net.ErrClosed
			case <-time.After(pause):
			}
			pause = min(2*pause, longPause)
			continue
		}
		pause = shortPause
		source := sourceOf(c.RemoteAddr())
		if l.take(source) {
			if t, ok := c.(*net.TCPConn); ok && l.limits.Backlog > 0 {
				_ = t.SetWriteBuffer(l.limits.Backlog) // best effort
			}
			return &conn{Conn: c, free: func() { l.free(source) }}, nil
		}
		l.refused.Add(1)
		_ = c.Close() // nobody's
	}
}

// Close ends the listening; connections that stand go on.
func (l *Listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func (l *Listener) take(source netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= l.limits.Total || l.taken[source] >= l.limits.PerSource {
		return false
	}
	l.total++
	l.taken[source]++
	return true
}

func (l *Listener) free(source netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.taken[source]--; l.taken[source] == 0 {
		delete(l.taken, source)
	}
}

func sourceOf(a net.Addr) netip.Prefix {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Prefix{}
	}
	addr := t.AddrPort().Addr().Unmap()
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	p, _ := addr.WithZone("").Prefix(bits) // fails for no address with these bits
	return p
}

// conn gives its place back when it is closed.
type conn struct {
	net.Conn
	once sync.Once
	free func()
}

func (c *conn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.free)
	return err
}
