package sip

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A stranger over TCP gets one request in, within this time, on one of so few connections.
const (
	strangerTimeout     = 5 * time.Second
	strangerConnections = 16
	writeTimeout        = 2 * time.Second // a peer that does not read its TCP stream loses it
)

// strangerLine is how long the log is silent after a line on a stranger: one is what says
// that a carrier calls from an address nobody has told us of, a scan's thousand say no more.
const strangerLine = 10 * time.Second

var errStranger = errors.New("sip: no trunk has this address")

// firewall keeps strangers away from sipgo, which would hold a transaction and a
// connection entry for each of them.
type firewall struct {
	trunks  atomic.Pointer[trunkTable]
	inCall  func(netip.Addr) bool
	refuse  func(info sip.TransportReadProps, res *sip.Response)
	reply   func(to net.Addr, text string) // over UDP
	log     *slog.Logger
	agent   string
	limit   limiter
	refused atomic.Uint64 // answered with 403
	dropped atomic.Uint64 // not answered: beyond the rate, or not a request
	unread  atomic.Uint64 // datagrams of trunks that could not be read
	tcp     atomic.Int32  // strangers' connections
	told    atomic.Int64  // when the log last named a stranger, ns since 1970
}

// knows says that signalling from a is let through: it is a trunk's, or was when the call
// it belongs to began.
func (f *firewall) knows(a netip.Addr) bool {
	_, ok := f.trunks.Load().find(a)
	return ok || f.inCall(a)
}

// filter is sipgo's read filter: it runs on the socket's reader, before anything else.
func (f *firewall) filter(info sip.TransportReadProps, data []byte) ([]byte, error) {
	if f.knows(addrPort(info.RemoteAddr).Addr()) {
		if info.Transport == "UDP" {
			data = bytes.TrimLeft(data, "\r\n") // RFC 3261 section 7.5; nothing else is a keep-alive
			if unreadable(data) {               // sipgo would drop it without a word
				f.garbled(info, data)
				return nil, nil
			}
		}
		return data, nil
	}
	if res := f.answer(data, info.RemoteAddr.String(), info.Transport); res != nil && f.limit.allow(time.Now()) {
		f.refused.Add(1)
		f.tell(info)
		f.refuse(info, res)
	} else {
		f.dropped.Add(1)
	}
	if info.Transport == "TCP" {
		return nil, errStranger // sipgo closes the connection
	}
	return nil, nil
}

// tell names a stranger in the log, now and then.
func (f *firewall) tell(info sip.TransportReadProps) {
	last, now := f.told.Load(), time.Now().UnixNano()
	if now-last >= int64(strangerLine) && f.told.CompareAndSwap(last, now) {
		f.log.Warn("refused: no trunk has this address", "source", info.RemoteAddr.String(), "transport", info.Transport)
	}
}

// garbled answers a trunk's message that cannot be read, within the same rate as strangers.
func (f *firewall) garbled(info sip.TransportReadProps, data []byte) {
	f.unread.Add(1)
	if !f.limit.allow(time.Now()) {
		return
	}
	f.log.Warn("message from a trunk cannot be read", "source", info.RemoteAddr.String(), "bytes", len(data))
	if res := badRequest(data, f.agent); res != "" {
		f.reply(info.RemoteAddr, res)
	}
}

// answer makes the 403 that a stranger's packet deserves; nil for what is no request, and
// for ACK, which is never answered.
func (f *firewall) answer(data []byte, src, transport string) *sip.Response {
	msg, err := sip.ParseMessage(data)
	if err != nil {
		return nil
	}
	req, ok := msg.(*sip.Request)
	if !ok || req.Method == sip.ACK || req.Via() == nil || req.CSeq() == nil {
		return nil
	}
	req.SetTransport(transport)
	req.SetSource(src)
	res := sip.NewResponseFromRequest(req, sip.StatusForbidden, "Forbidden", nil)
	res.AppendHeader(sip.NewHeader("Server", f.agent))
	res.SetDestination(src) // never to a third party that a Via names
	return res
}

// limiter is a token bucket of one second's worth.
type limiter struct {
	mu     sync.Mutex
	rate   float64
	tokens float64
	last   time.Time
}

func (l *limiter) allow(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last.IsZero() {
		l.tokens = l.rate
	} else if d := now.Sub(l.last); d > 0 {
		l.tokens = min(l.rate, l.tokens+d.Seconds()*l.rate)
	}
	l.last = now
	if l.tokens < 1 {
		return false
	}
	l.tokens--
	return true
}

// guardListener bounds what strangers' connections cost, and what a peer that has
// stopped reading can hold up.
type guardListener struct {
	net.Listener
	fw *firewall
}

// Accept hands on the next connection that may stay.
func (l guardListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g := &guardedConn{Conn: conn}
		if l.fw.knows(addrPort(conn.RemoteAddr()).Addr()) {
			return g, nil
		}
		if l.fw.tcp.Add(1) > strangerConnections {
			l.fw.tcp.Add(-1)
			l.fw.dropped.Add(1)
			conn.Close()
			continue
		}
		g.strangers = &l.fw.tcp
		_ = conn.SetReadDeadline(time.Now().Add(strangerTimeout))
		return g, nil
	}
}

type guardedConn struct {
	net.Conn
	strangers *atomic.Int32
	once      sync.Once
}

// Write gives up on a peer that does not read.
func (c *guardedConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.Conn.Write(b)
}

// Close closes the connection and gives a stranger's place back.
func (c *guardedConn) Close() error {
	c.once.Do(func() {
		if c.strangers != nil {
			c.strangers.Add(-1)
		}
	})
	return c.Conn.Close()
}

func (f *firewall) listener(l net.Listener) net.Listener { return guardListener{l, f} }
