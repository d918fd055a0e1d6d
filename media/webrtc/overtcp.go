package webrtc

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pion/ice/v4"
)

// overTCP takes the packets of peers who come by TCP (ICE-TCP, RFC 6544) past Pion as
// well: give Pion what it returns in place of m, which frames (RFC 4571) and queues. Such
// packets cost garbage; they are those of the few whom no UDP reaches.
func (d *door) overTCP(m ice.TCPMux) ice.TCPMux { return &tcpMux{TCPMux: m, door: d} }

type tcpMux struct {
	ice.TCPMux
	door *door
}

// GetConnByUfrag is part of ice.TCPMux.
func (m *tcpMux) GetConnByUfrag(ufrag string, isIPv6 bool, local net.IP) (net.PacketConn, error) {
	c, err := m.TCPMux.GetConnByUfrag(ufrag, isIPv6, local)
	if err != nil {
		return nil, err
	}
	return &tcpConn{PacketConn: c, door: m.door}, nil
}

// tcpConn is the TCP connections of one peer.
type tcpConn struct {
	net.PacketConn
	door *door

	mu      sync.Mutex
	remotes []netip.AddrPort // that the door knows
}

// ReadFrom gives Pion what is no packet of RTP or RTCP.
func (c *tcpConn) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, addr, err := c.PacketConn.ReadFrom(b)
		if err != nil {
			return n, addr, err
		}
		from, ok := addr.(*net.TCPAddr)
		if !ok {
			return n, addr, nil
		}
		remote := unmapped(from.AddrPort())
		if !c.door.media(source{addr: remote, stream: true}, b[:n], time.Now()) {
			c.introduce(remote, addr)
			return n, addr, nil
		}
	}
}

// introduce tells the door how to send there, before ICE can select it.
func (c *tcpConn) introduce(remote netip.AddrPort, addr net.Addr) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.Contains(c.remotes, remote) {
		return
	}
	if len(c.remotes) == maxSources {
		c.door.stream(c.remotes[0], nil)
		c.remotes = slices.Delete(c.remotes, 0, 1)
	}
	c.remotes = append(c.remotes, remote)
	c.door.stream(remote, func(packet []byte) { _, _ = c.WriteTo(packet, addr) })
}

// Close ends the peer's connections.
func (c *tcpConn) Close() error {
	c.mu.Lock()
	for _, remote := range c.remotes {
		c.door.stream(remote, nil)
	}
	c.remotes = nil
	c.mu.Unlock()
	return c.PacketConn.Close()
}
