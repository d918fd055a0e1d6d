package testenv

import (
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// Line is a UDP path to a service, as a home router makes it: every client behind it has a
// socket of the router's. It can be cut, be narrow, and give its clients other addresses.
type Line struct {
	t    testing.TB
	near *net.UDPConn
	to   netip.AddrPort

	mu      sync.Mutex
	closed  bool
	cut     bool
	up      narrow
	down    narrow
	clients map[netip.AddrPort]*net.UDPConn
	work    sync.WaitGroup
}

// longestQueue is how long a packet waits at the most in a narrow line, as in a cheap router.
const longestQueue = 400 * time.Millisecond

// narrow is one direction.
type narrow struct {
	bitRate int // bit/s with IP and UDP headers; 0 is any
	free    time.Time
	queue   chan parcel

	packets, dropped int
}

type parcel struct {
	due  time.Time
	send func()
}

// NewLine listens at listen, an address and port, and carries to and from to until the test ends.
func NewLine(t testing.TB, listen, to netip.AddrPort) *Line {
	t.Helper()
	near, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(listen))
	if err != nil {
		t.Fatal(err)
	}
	l := &Line{t: t, near: near, to: to, clients: make(map[netip.AddrPort]*net.UDPConn)}
	for _, n := range []*narrow{&l.up, &l.down} {
		n.queue = make(chan parcel, 1024)
		l.work.Go(func() { n.deliver() })
	}
	l.work.Go(l.carryUp)
	t.Cleanup(l.close)
	return l
}

func (l *Line) close() {
	l.mu.Lock()
	l.closed = true
	_ = l.near.Close()
	for _, c := range l.clients {
		_ = c.Close()
	}
	close(l.up.queue)
	close(l.down.queue)
	l.mu.Unlock()
	l.work.Wait()
}

// Cut takes the line away, or puts it back.
func (l *Line) Cut(on bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = on
}

// Narrow bounds both directions to a bit rate, 0 for none, and forgets what was counted.
func (l *Line) Narrow(bitRate int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range []*narrow{&l.up, &l.down} {
		n.bitRate, n.packets, n.dropped = bitRate, 0, 0
	}
}

// Lost is the share of packets that found the queue full since Narrow or the last call, up
// towards the service and down from it, and how many there were.
func (l *Line) Lost() (up, down float64, packets int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	share := func(n *narrow) float64 {
		s := float64(n.dropped) / float64(max(n.packets, 1))
		packets += n.packets
		n.packets, n.dropped = 0, 0
		return s
	}
	return share(&l.up), share(&l.down), packets
}

// Rebind gives every client another address, as a change of networks does; the old one is dark.
func (l *Line) Rebind() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for client, old := range l.clients {
		_ = old.Close()
		delete(l.clients, client)
	}
}

func (l *Line) carryUp() {
	buf := make([]byte, 2048)
	for {
		n, client, err := l.near.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		data := append([]byte(nil), buf[:n]...)
		l.mu.Lock()
		if far := l.far(client); far != nil && !l.cut {
			l.up.carry(len(data), func() { _, _ = far.Write(data) })
		}
		l.mu.Unlock()
	}
}

// far gives the client's socket. Needs l.mu.
func (l *Line) far(client netip.AddrPort) *net.UDPConn {
	if far := l.clients[client]; far != nil || l.closed {
		return far
	}
	far, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(l.to))
	if err != nil {
		l.t.Errorf("line: %v", err)
		return nil
	}
	l.clients[client] = far
	l.work.Go(func() {
		buf := make([]byte, 2048)
		for {
			n, err := far.Read(buf)
			if err != nil {
				return
			}
			data := append([]byte(nil), buf[:n]...)
			l.mu.Lock()
			if !l.closed && !l.cut {
				l.down.carry(n, func() { _, _ = l.near.WriteToUDPAddrPort(data, client) })
			}
			l.mu.Unlock()
		}
	})
	return far
}

// carry sends when those before have been sent, or drops what would wait too long. Needs the
// line's mutex.
func (n *narrow) carry(size int, send func()) {
	const headers = 20 + 8 // of IPv4 and UDP
	now := time.Now()
	n.packets++
	if n.bitRate == 0 {
		send()
		return
	}
	if n.free.Before(now) {
		n.free = now
	}
	if n.free.Sub(now) > longestQueue {
		n.dropped++
		return
	}
	n.free = n.free.Add(time.Duration(size+headers) * 8 * time.Second / time.Duration(n.bitRate))
	select {
	case n.queue <- parcel{n.free, send}:
	default:
		n.dropped++
	}
}

// deliver sends what is queued at its time.
func (n *narrow) deliver() {
	timer := time.NewTimer(0)
	<-timer.C
	for p := range n.queue {
		if wait := time.Until(p.due); wait > 0 {
			timer.Reset(wait)
			<-timer.C
		}
		p.send()
	}
}
