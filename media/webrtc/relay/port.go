package relay

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/media/webrtc/guard"
)

// What a connection may do before its credentials were seen, and after.
const (
	handshakeWithin = 5 * time.Second
	provenWithin    = 15 * time.Second // from the handshake to credentials
	framesUnproven  = 16
	quietFor        = 11 * time.Minute // an allocation is refreshed within ten (RFC 8656 section 3.2)
	writeWithin     = 5 * time.Second  // then the network takes nothing any more
	perSource       = 256              // connections: an office behind NAT
	backlog         = 16 << 10         // bytes: audio that comes late is worth nothing
)

// port is the TLS listener. It is a net.Listener whose connections have done their handshake
// and read one whole TURN message at a time.
type port struct {
	inner *guard.Listener
	tls   *tls.Config
	ready chan net.Conn
	ctx   context.Context
	end   context.CancelFunc
	work  sync.WaitGroup

	mu    sync.Mutex
	conns map[string]*conn // by remote address
}

func newPort(l net.Listener, cfg *tls.Config, most int) *port {
	p := &port{
		inner: guard.New(l, guard.Limits{Total: most, PerSource: perSource, Backlog: backlog}),
		tls:   cfg, ready: make(chan net.Conn), conns: make(map[string]*conn),
	}
	p.ctx, p.end = context.WithCancel(context.Background())
	p.work.Go(p.serve)
	return p
}

func (p *port) serve() {
	for {
		c, err := p.inner.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.greet(c) })
	}
}

// greet does the handshake and hands the connection over.
func (p *port) greet(raw net.Conn) {
	ctx, cancel := context.WithTimeout(p.ctx, handshakeWithin)
	defer cancel()
	secure := tls.Server(raw, p.tls)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close() // a scanner's, most of the time
		return
	}
	c := &conn{Conn: secure, port: p, name: raw.RemoteAddr().String(), born: time.Now()}
	p.mu.Lock()
	p.conns[c.name] = c
	p.mu.Unlock()
	select {
	case p.ready <- c:
	case <-p.ctx.Done():
		_ = c.Close()
	}
}

// Accept gives the next connection.
func (p *port) Accept() (net.Conn, error) {
	select {
	case c := <-p.ready:
		return c, nil
	case <-p.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Addr is where it listens.
func (p *port) Addr() net.Addr { return p.inner.Addr() }

// Close ends the listening and every connection.
func (p *port) Close() error {
	p.end()
	err := p.inner.Close()
	p.work.Wait()
	p.mu.Lock()
	var open []*conn
	for _, c := range p.conns {
		open = append(open, c)
	}
	p.mu.Unlock()
	for _, c := range open {
		_ = c.Close()
	}
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

// proven is told that a connection has shown credentials.
func (p *port) proven(remote net.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.conns[remote.String()]; c != nil {
		c.proven.Store(true)
	}
}

// conn is one client's connection.
type conn struct {
	net.Conn
	port   *port
	name   string
	born   time.Time
	proven atomic.Bool
	read   int // messages, while not proven
	buf    [maxFrame]byte
	rest   []byte // of a message that did not fit the last Read
}

// Read gives one whole message, or what is left of one. It fails when too much, or nothing
// for too long, comes from who has shown no credentials.
func (c *conn) Read(b []byte) (int, error) {
	if len(c.rest) == 0 {
		if err := c.SetReadDeadline(c.patience()); err != nil {
			return 0, err
		}
		n, err := frames{c.Conn}.next(c.buf[:])
		if err != nil {
			return 0, err
		}
		c.rest = c.buf[:n]
	}
	n := copy(b, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

func (c *conn) patience() time.Time {
	if c.proven.Load() {
		return time.Now().Add(quietFor)
	}
	if c.read++; c.read > framesUnproven {
		return c.born // it is over
	}
	return c.born.Add(provenWithin)
}

// Write waits for the network, but not long.
func (c *conn) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeWithin)); err != nil {
		return 0, err
	}
	n, err := c.Conn.Write(b)
	if err != nil {
		_ = c.Close() // a TLS record was cut short: nothing more can follow
	}
	return n, err
}

// Close may be called more than once.
func (c *conn) Close() error {
	c.port.mu.Lock()
	if c.port.conns[c.name] == c {
		delete(c.port.conns, c.name)
	}
	c.port.mu.Unlock()
	return c.Conn.Close()
}
