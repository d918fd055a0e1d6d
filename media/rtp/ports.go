package rtp

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media/socket"
)

// ErrNoPorts means that every port pair is in use or still resting.
var ErrNoPorts = errors.New("rtp: no free port pair")

// Ports gives out pairs of UDP ports, RTP on the even one and RTCP on the next (RFC
// 3550 section 11). A pair given back rests for a while before it is given out again,
// so that the last packets of one call are never heard in the next.
type Ports struct {
	addr   netip.Addr
	rest   time.Duration
	poller *socket.Poller

	mu   sync.Mutex
	free []restingPair // longest rested first
	used int
}

type restingPair struct {
	port int
	from time.Time // may be used again from here on
}

// NewPorts offers the pairs within [low, high] on addr. A pair rests for rest after use.
func NewPorts(addr netip.Addr, low, high int, rest time.Duration) (*Ports, error) {
	low += low & 1
	if !addr.IsValid() || low < 2 || high > 65535 || low+1 > high {
		return nil, fmt.Errorf("rtp: ports %d-%d on %v: not a range of port pairs", low, high, addr)
	}
	p := &Ports{addr: addr, rest: rest, poller: socket.NewPoller(0)}
	for port := low; port+1 <= high; port += 2 {
		p.free = append(p.free, restingPair{port: port})
	}
	return p, nil
}

// ReadBy has the ports read by a Poller that others use, too. Call it before the first is opened.
func (p *Ports) ReadBy(poller *socket.Poller) { p.poller = poller }

// Addr is the local address of every pair.
func (p *Ports) Addr() netip.Addr { return p.addr }

// InUse counts the pairs given out and not given back.
func (p *Ports) InUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

// listen opens the sockets of a free pair. Pairs that another program holds go to the
// end of the line.
func (p *Ports) listen() (rtpConn, rtcpConn *socket.Conn, port int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	for range len(p.free) {
		pair := p.free[0]
		if now.Before(pair.from) {
			break // the rest have rested even less
		}
		p.free = append(p.free[:0], p.free[1:]...)
		rtpConn, rtcpConn, err = p.bind(pair.port)
		if err == nil {
			p.used++
			return rtpConn, rtcpConn, pair.port, nil
		}
		p.free = append(p.free, restingPair{port: pair.port, from: now.Add(p.rest)})
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%w: %w", ErrNoPorts, err)
	}
	return nil, nil, 0, ErrNoPorts
}

func (p *Ports) bind(port int) (rtpConn, rtcpConn *socket.Conn, err error) {
	rtpConn, err = p.poller.Listen(net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.addr, uint16(port))), socket.Option{})
	if err != nil {
		return nil, nil, err
	}
	rtcpConn, err = p.poller.Listen(net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.addr, uint16(port+1))), socket.Option{})
	if err != nil {
		_ = rtpConn.Close()
		return nil, nil, err
	}
	return rtpConn, rtcpConn, nil
}

// release gives a pair back whose sockets are closed.
func (p *Ports) release(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	p.free = append(p.free, restingPair{port: port, from: time.Now().Add(p.rest)})
}
