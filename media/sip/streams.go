package sip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"
)

// streams is TLS under sipgo. Around sipgo 1.7: it dials TLS itself by the address only, so
// that a server is neither told nor held to the name it was found by, and it gives whoever
// connects as long for the handshake as it likes. So connections are made and shaken hands
// on here, both ways, and sipgo is given finished ones, as if it had accepted them.
type streams struct {
	side   *tlsSide
	listen net.Listener // nil = nobody can connect
	in     chan net.Conn
	closed chan struct{}
	once   sync.Once
	failed atomic.Uint64 // handshakes of those who connected

	mu     sync.Mutex
	open   map[netip.AddrPort]*tlsStream // by the other end
	making map[netip.AddrPort]*attempt
}

// attempt is a connection being made; err is valid once done is closed.
type attempt struct {
	done chan struct{}
	err  error
}

// tlsStream is one connection as sipgo has it.
type tlsStream struct {
	net.Conn               // the TLS one, or what a test gives
	owner    *streams      //
	entered  chan struct{} // closed when sipgo can find it
	once     sync.Once
}

var errStreamGone = errors.New("sip: TLS: the connection has gone")

var errStreamsClosed = fmt.Errorf("sip: TLS: %w", net.ErrClosed)

func newStreams(side *tlsSide) *streams {
	return &streams{side: side, in: make(chan net.Conn), closed: make(chan struct{}),
		open: make(map[netip.AddrPort]*tlsStream), making: make(map[netip.AddrPort]*attempt)}
}

// givenTLS keeps sipgo from making TLS connections: what is not in its table fails.
func givenTLS() sip.TransportsConfig {
	refuse := func(net.Addr) net.Dialer {
		return net.Dialer{Control: func(string, string, syscall.RawConn) error { return errStreamGone }}
	}
	return sip.TransportsConfig{
		TCP: &sip.TransportTCP{WriteTimeout: writeTimeout},
		TLS: &sip.TransportTLS{TransportTCP: &sip.TransportTCP{DialerCreate: refuse}},
	}
}

// Read is called by sipgo's reader, which starts after the connection is in its table.
func (c *tlsStream) Read(b []byte) (int, error) {
	c.once.Do(func() { close(c.entered) })
	return c.Conn.Read(b)
}

// Write gives up on a peer that does not read.
func (c *tlsStream) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.Conn.Write(b)
}

// Close closes the connection and forgets it.
func (c *tlsStream) Close() error {
	c.owner.mu.Lock()
	if at := addrPort(c.RemoteAddr()); c.owner.open[at] == c {
		delete(c.owner.open, at)
	}
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// Accept gives sipgo the next finished connection (net.Listener).
func (s *streams) Accept() (net.Conn, error) {
	select {
	case conn := <-s.in:
		return conn, nil
	case <-s.closed:
		return nil, errStreamsClosed
	}
}

// Close ends Accept and the listening (net.Listener).
func (s *streams) Close() error {
	s.once.Do(func() { close(s.closed) })
	if s.listen != nil {
		return s.listen.Close()
	}
	return nil
}

// Addr is where is listened, or no address at all (net.Listener).
func (s *streams) Addr() net.Addr {
	if s.listen != nil {
		return s.listen.Addr()
	}
	return &net.TCPAddr{IP: net.IPv4zero}
}

// accept shakes hands with whoever connects to l, until it is closed.
func (s *streams) accept(l net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	places := make(chan struct{}, handshakes)
	for {
		conn, err := l.Accept()
		if err != nil {
			return err
		}
		if g, ok := conn.(*guardedConn); ok && g.unwelcome() {
			conn.Close()
			continue
		}
		select {
		case places <- struct{}{}:
		case <-s.closed:
			conn.Close()
			return errStreamsClosed
		}
		wg.Go(func() {
			defer func() { <-places }()
			ctx, cancel := s.until(context.Background())
			defer cancel()
			t := tls.Server(conn, s.side.server)
			if err := t.HandshakeContext(ctx); err != nil {
				s.failed.Add(1)
				conn.Close()
				return
			}
			_ = s.enter(ctx, t)
		})
	}
}

// until bounds a handshake, and ends it when the streams are closed.
func (s *streams) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	go func() {
		select {
		case <-s.closed:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// enter gives a connection to sipgo and returns when sipgo can find it.
func (s *streams) enter(ctx context.Context, conn net.Conn) error {
	c := &tlsStream{Conn: conn, owner: s, entered: make(chan struct{})}
	s.mu.Lock()
	s.open[addrPort(conn.RemoteAddr())] = c
	s.mu.Unlock()
	select {
	case s.in <- c:
	case <-s.closed:
		_ = c.Close()
		return errStreamsClosed
	case <-ctx.Done():
		_ = c.Close()
		return ctx.Err()
	}
	select {
	case <-c.entered:
		return nil
	case <-s.closed:
		return errStreamsClosed
	}
}

// find gives the connection to or from an address.
func (s *streams) find(to netip.AddrPort) *tlsStream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[to]
}

// connect makes sure that there is a connection to an address whose server may call itself
// name; "" takes whatever connection there is, and for a new one the number.
func (s *streams) connect(ctx context.Context, to netip.AddrPort, name string) error {
	for {
		s.mu.Lock()
		c, other := s.open[to], s.making[to]
		if c == nil && other == nil {
			other = &attempt{done: make(chan struct{})}
			s.making[to] = other
			s.mu.Unlock()
			other.err = s.dial(ctx, to, name)
			s.mu.Lock()
			delete(s.making, to)
			c = s.open[to]
			s.mu.Unlock()
			close(other.done)
			if other.err == nil && c == nil {
				return fmt.Errorf("sip: TLS: %s closed the connection at once: %w", to, syscall.ECONNRESET)
			}
			return other.err
		}
		s.mu.Unlock()
		if c != nil {
			if err := vouchedFor(c.Conn, name); err != nil {
				return fmt.Errorf("sip: TLS: %s: %w", to, err)
			}
			return nil
		}
		select {
		case <-other.done:
			if err := other.err; err != nil && !errors.Is(err, context.Canceled) { // the other's patience is not ours
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *streams) dial(ctx context.Context, to netip.AddrPort, name string) error {
	ctx, cancel := s.until(ctx)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to.String())
	if err != nil {
		return err
	}
	cfg := s.side.client.Clone()
	cfg.ServerName = serverName(name, to.Addr().AsSlice())
	t := tls.Client(conn, cfg)
	if err := t.HandshakeContext(ctx); err != nil {
		conn.Close()
		return fmt.Errorf("sip: TLS: %s as %s: %w", to, cfg.ServerName, err)
	}
	return s.enter(ctx, t)
}

// reach makes sure of the connection that a request over TLS needs; others need none made. The
// name that its server must show stands in the request's Laddr, of which sipgo reads a name
// only where there is no number to go by.
func (e *endpoint) reach(ctx context.Context, req *sip.Request) error {
	if req.Transport() != "TLS" {
		return nil
	}
	to, err := netip.ParseAddrPort(req.Destination())
	if err != nil {
		return fmt.Errorf("sip: TLS: %w", err)
	}
	return e.streams.connect(ctx, to, req.Laddr.Hostname)
}

// post sends a request that is nobody's transaction, without waiting where a connection has to
// be made for it.
func (e *endpoint) post(req *sip.Request) {
	if to, err := netip.ParseAddrPort(req.Destination()); req.Transport() != "TLS" || err == nil && e.streams.find(to) != nil {
		_ = e.tp.WriteMsg(req)
		return
	}
	e.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		defer cancel()
		if e.reach(ctx, req) == nil {
			_ = e.tp.WriteMsg(req)
		}
	})
}
