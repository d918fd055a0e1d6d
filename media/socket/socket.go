package socket

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

const (
	batch   = 32   // datagrams taken at once
	maxSize = 2048 // bytes of a datagram; what is longer is no audio and is cut
)

// Handler takes a datagram. It runs on the goroutine of the socket's shard, one at a time
// for each socket, and must not wait; data is its to change until it returns. An IPv4 address is
// never in IPv6's form.
type Handler func(data []byte, from netip.AddrPort, now time.Time)

// Option sets up a socket.
type Option struct {
	ReadBuffer, WriteBuffer int  // bytes of the kernel's, as far as it allows; 0: its default
	Shared                  bool // other sockets may have the same address: the kernel shares the senders out
}

// Listen opens a UDP socket. Nothing is read before Serve.
func (p *Poller) Listen(addr *net.UDPAddr, opt Option) (*Conn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var err error
		if opt.Shared {
			if cerr := raw.Control(func(fd uintptr) { err = share(fd) }); cerr != nil {
				return cerr
			}
		}
		return err
	}}
	opened, err := config.ListenPacket(context.Background(), "udp", addr.String())
	if err != nil {
		return nil, err
	}
	conn := opened.(*net.UDPConn)
	if opt.ReadBuffer > 0 { // best effort: the kernel may cap it
		_ = conn.SetReadBuffer(opt.ReadBuffer)
	}
	if opt.WriteBuffer > 0 {
		_ = conn.SetWriteBuffer(opt.WriteBuffer)
	}
	c, err := p.adopt(conn)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("listen on %v: %w", addr, err)
	}
	return c, nil
}

// ListenShared opens as many sockets at one address as the poller has shards, so that the
// senders are shared out among them: what one sends always comes to the same one. The
// address must be free. Port 0 is one that the system chooses.
func (p *Poller) ListenShared(addr *net.UDPAddr, opt Option) ([]*Conn, error) {
	alone, err := p.Listen(addr, opt) // fails if anybody else is there, even if they would share
	if err != nil || !canShare || p.Shards() == 1 {
		return []*Conn{alone}, err
	}
	own := *addr
	own.Port = int(alone.LocalAddr().Port())
	_ = alone.Close()
	alone.Wait()
	opt.Shared = true
	conns := make([]*Conn, 0, p.Shards())
	for range p.Shards() {
		c, err := p.Listen(&own, opt)
		if err != nil {
			for _, c := range conns {
				_ = c.Close()
			}
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}
