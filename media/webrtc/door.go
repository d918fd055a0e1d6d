package webrtc

import (
	"errors"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/media/socket"
)

const (
	callQueue  = 512 // datagrams that wait for Pion; more are dropped
	maxSources = 8   // addresses of one peer that ICE has checked; the oldest gives way
)

// source is where packets come from.
type source struct {
	addr   netip.AddrPort
	stream bool // over TCP (RFC 6544), not UDP
}

// frames sends a peer's packets where UDP does not get through: over TCP, with the framing
// of RFC 4571. It does not keep the packet and does not wait.
type frames func(packet []byte)

// door is the UDP port that all peers share. What is RTP or RTCP of a peer goes to its
// link, on the goroutine that read it; STUN and DTLS go to Pion, for whose ICE it is a
// net.PacketConn. Everything else is nobody's.
type door struct {
	conns []*socket.Conn // of one address
	local net.UDPAddr
	queue chan *datagram
	free  sync.Pool
	gone  chan struct{}

	table  atomic.Pointer[table]
	mu     sync.Mutex // of changes to table, and of each link's sources
	closed bool
}

// table says who is where. It is never changed, but replaced.
type table struct {
	links   map[source]*link
	streams map[netip.AddrPort]frames
}

// datagram is on its way to Pion.
type datagram struct {
	from netip.AddrPort
	n    int
	data [maxPacket]byte
}

func openDoor(listen string, poller *socket.Poller) (*door, error) {
	addr, err := net.ResolveUDPAddr("udp", listen)
	if err != nil {
		return nil, err
	}
	// Each socket carries many agents: room for 100 ms of 1000 peers.
	conns, err := poller.ListenShared(addr, socket.Option{ReadBuffer: 2 << 20, WriteBuffer: 2 << 20})
	if err != nil {
		return nil, err
	}
	d := &door{conns: conns, local: *net.UDPAddrFromAddrPort(conns[0].LocalAddr()), queue: make(chan *datagram, callQueue), gone: make(chan struct{})}
	d.free.New = func() any { return new(datagram) }
	d.table.Store(&table{links: map[source]*link{}, streams: map[netip.AddrPort]frames{}})
	for _, c := range conns {
		if err := c.Serve(d.take); err != nil {
			return nil, errors.Join(err, d.Close())
		}
	}
	return d, nil
}

// take is the handler of the sockets. The first byte tells what it is (RFC 7983 section 7).
func (d *door) take(data []byte, from netip.AddrPort, now time.Time) {
	if d.media(source{addr: from}, data, now) || len(data) == 0 || len(data) > maxPacket || data[0] > 63 {
		return
	}
	g := d.free.Get().(*datagram)
	g.from, g.n = from, copy(g.data[:], data)
	select {
	case d.queue <- g:
	default:
		d.free.Put(g)
	}
}

// media hands RTP and RTCP to the peer they come from; it is done with them also when
// there is none. A transport other than our UDP port calls it for each packet it has read
// and gives Pion what is left.
func (d *door) media(from source, data []byte, now time.Time) (done bool) {
	if len(data) == 0 || data[0] < 128 || data[0] > 191 {
		return false
	}
	if l := d.table.Load().links[from]; l != nil {
		l.receive(from, data, now)
	}
	return true
}

// checked takes note that ICE has checked an address of a peer's. It may have been
// another's before.
func (d *door) checked(l *link, from source) {
	if d.table.Load().links[from] == l {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if l.gone {
		return
	}
	t := d.change()
	if was := t.links[from]; was != nil {
		was.sources = slices.DeleteFunc(was.sources, func(s source) bool { return s == from })
	}
	if len(l.sources) == maxSources {
		i := 0
		if way := l.way.Load(); way != nil && way.from == l.sources[0] {
			i = 1 // whoever repeats checks from many addresses does not push out the one in use
		}
		delete(t.links, l.sources[i])
		l.sources = slices.Delete(l.sources, i, i+1)
	}
	l.sources = append(l.sources, from)
	t.links[from] = l
	d.table.Store(t)
}

// forget lets a peer go: nothing more is handed to it.
func (d *door) forget(l *link) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.gone = true
	t := d.change()
	for _, s := range l.sources {
		delete(t.links, s)
	}
	l.sources = nil
	d.table.Store(t)
}

// stream says how packets get to an address over TCP, until it is called with nil.
func (d *door) stream(remote netip.AddrPort, f frames) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.change()
	if f == nil {
		delete(t.streams, remote)
	} else {
		t.streams[remote] = f
	}
	d.table.Store(t)
}

// change is a copy of the table to change. Needs d.mu.
func (d *door) change() *table {
	t := d.table.Load()
	return &table{links: maps.Clone(t.links), streams: maps.Clone(t.streams)}
}

// way finds how to send to an address.
func (d *door) way(to source) *way {
	if to.stream {
		return &way{from: to, frames: d.table.Load().streams[to.addr]}
	}
	return &way{from: to, conn: d.conns[int(to.addr.Port())%len(d.conns)]}
}

// way is how packets get to a peer.
type way struct {
	from   source // its far end, where packets come from, too
	conn   *socket.Conn
	frames frames // in place of conn
}

// send is one packet on its way. An error is the network's: the packet is lost like any other.
func (w *way) send(packet []byte) {
	switch {
	case w.frames != nil:
		w.frames(packet)
	case w.conn != nil:
		_ = w.conn.WriteTo(packet, w.from.addr)
	}
}

// ReadFromAddrPort is how Pion's ICE reads.
func (d *door) ReadFromAddrPort(b []byte) (int, netip.AddrPort, error) {
	select {
	case g := <-d.queue:
		n, from := copy(b, g.data[:g.n]), g.from
		d.free.Put(g)
		return n, from, nil
	case <-d.gone:
		return 0, netip.AddrPort{}, net.ErrClosed
	}
}

// WriteToAddrPort is how Pion's ICE writes.
func (d *door) WriteToAddrPort(b []byte, to netip.AddrPort) (int, error) {
	return len(b), d.conns[0].WriteTo(b, to)
}

// ReadFrom is part of net.PacketConn.
func (d *door) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := d.ReadFromAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// WriteTo is part of net.PacketConn.
func (d *door) WriteTo(b []byte, to net.Addr) (int, error) {
	addr, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, net.InvalidAddrError("not UDP")
	}
	return d.WriteToAddrPort(b, addr.AddrPort())
}

// LocalAddr is part of net.PacketConn.
func (d *door) LocalAddr() net.Addr { return &d.local }

// SetDeadline is part of net.PacketConn. Writing never waits, and nobody sets a time for reading.
func (d *door) SetDeadline(time.Time) error { return nil }

// SetReadDeadline is part of net.PacketConn, see SetDeadline.
func (d *door) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline is part of net.PacketConn, see SetDeadline.
func (d *door) SetWriteDeadline(time.Time) error { return nil }

// Close gives the port back and waits until nothing is read any more.
func (d *door) Close() error {
	d.mu.Lock()
	was := d.closed
	d.closed = true
	d.mu.Unlock()
	if was {
		return nil
	}
	close(d.gone)
	var errs []error
	for _, c := range d.conns {
		errs = append(errs, c.Close())
	}
	for _, c := range d.conns {
		c.Wait()
	}
	return errors.Join(errs...)
}
