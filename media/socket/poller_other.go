//go:build !linux

package socket

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"
)

const canShare = false

func share(uintptr) error { return errors.ErrUnsupported }

// Poller reads the sockets that were opened by it, a goroutine each.
type Poller struct{}

// NewPoller makes a Poller; here there are no shards.
func NewPoller(int) *Poller { return &Poller{} }

// Shards is how many sockets ListenShared opens.
func (p *Poller) Shards() int { return 1 }

// Conn is a UDP socket of a Poller's.
type Conn struct {
	udp   *net.UDPConn
	local netip.AddrPort

	mu      sync.Mutex
	serving bool
	closed  bool
	gone    chan struct{}
}

func (p *Poller) adopt(conn *net.UDPConn) (*Conn, error) {
	return &Conn{udp: conn, local: unmap(conn.LocalAddr().(*net.UDPAddr).AddrPort()), gone: make(chan struct{})}, nil
}

// LocalAddr is where the socket listens.
func (c *Conn) LocalAddr() netip.AddrPort { return c.local }

// Serve begins to read; once. Every datagram goes to handler until the socket is closed.
func (c *Conn) Serve(handler Handler) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return net.ErrClosed
	}
	if c.serving {
		return errors.New("socket: it is being read already")
	}
	c.serving = true
	go c.read(handler)
	return nil
}

func (c *Conn) read(handler Handler) {
	defer close(c.gone)
	var buf [maxSize]byte
	for {
		n, from, err := c.udp.ReadFromUDPAddrPort(buf[:])
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil { // any other is an ICMP error that is somebody else's business
			handler(buf[:n], unmap(from), time.Now())
		}
	}
}

// Close ends it. It waits for nobody and may be called from the handler; the handler that
// runs is the last one. Closing again does nothing.
func (c *Conn) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	c.closed = true
	if !c.serving {
		close(c.gone)
	}
	return c.udp.Close()
}

// Wait returns when the socket is closed and no handler runs any more: not to be called from one.
func (c *Conn) Wait() { <-c.gone }

// WriteTo sends one datagram.
func (c *Conn) WriteTo(data []byte, to netip.AddrPort) error {
	_, err := c.udp.WriteToUDPAddrPort(data, to)
	return err
}

func unmap(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}
