package sip

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emiago/sipgo/sip"
)

// A stranger over TCP gets one request in, or, where trunks may call from anywhere, what it
// takes to show a password, within this time and so many bytes, on one of so few connections
// (slots.go).
const (
	strangerTimeout = 5 * time.Second
	strangerBytes   = 64 << 10
	writeTimeout    = 2 * time.Second // a peer that does not read its TCP stream loses it
)

// strangerLine is how long the log is silent after a line on a stranger: one is what says
// that a carrier calls from an address nobody has told us of, a scan's thousand say no more.
const strangerLine = 10 * time.Second

var errStranger = errors.New("sip: no trunk has this address")

// firewall keeps strangers away from sipgo, which would hold a transaction and a
// connection entry for each of them.
type firewall struct {
	trunks  atomic.Pointer[trunkTable]
	gate    *gate
	inCall  func(netip.Addr) bool
	count   func(why error)           // of what is refused here
	tag     func(*sip.Request) string // of this side, for a request without one
	refuse  func(info sip.TransportReadProps, res *sip.Response)
	reply   func(to sip.TransportReadProps, text string)
	log     *slog.Logger
	agent   string
	limit   limiter
	bans    *bans
	silent  bool          // strangers get no answer but the challenge that they may answer
	refused atomic.Uint64 // answered with 403
	dropped atomic.Uint64 // not answered: beyond the rate, or not a request
	unread  atomic.Uint64 // datagrams of trunks that could not be read
	slots   slots         // of strangers' connections
	told    atomic.Int64  // when the log last named a stranger, ns since 1970
	conns   sync.Map      // netip.AddrPort of a stranger over TCP to its *guardedConn
	streams sync.Map      // netip.AddrPort of a trunk over TCP to its *frames
}

// knows says that signalling from a is let through: it is a trunk's, or was when the call
// it belongs to began.
func (f *firewall) knows(a netip.Addr) bool {
	return f.trunks.Load().find(a) != nil || f.inCall(a)
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
			return data, nil
		}
		return f.framed(info, data), nil
	}
	if f.shutOut(addrPort(info.RemoteAddr).Addr()) {
		f.dropped.Add(1)
		if info.Transport != "UDP" {
			return nil, errStranger
		}
		return nil, nil
	}
	if f.gate.open() {
		if info.Transport != "UDP" {
			if f.silent && len(bytes.Trim(data, "\r\n")) == 0 {
				return nil, nil // sipgo would answer a ping (RFC 5626 section 3.5.1)
			}
			return data, nil // a stream cannot be judged by its pieces; Server.admit does it
		}
		data = bytes.TrimLeft(data, "\r\n")
		if req := requestOf(data, info); req != nil && f.mayProveItself(info, req) {
			return data, nil
		} else if req != nil && f.gate.asksOf(req) || req != nil && req.Method == sip.ACK {
			return nil, nil // challenged, or the ACK to that
		}
	}
	f.turnAway(info, data)
	if info.Transport != "UDP" {
		return nil, errStranger // sipgo closes the connection
	}
	return nil, nil
}

// shutOut says that a stranger is banned.
func (f *firewall) shutOut(from netip.Addr) bool {
	now := time.Now()
	return f.bans.holds(from, f.gate.open(), now) && !f.gate.welcome(from, now) && !f.spares(from)
}

// spares says that a ban has no force on a source: who knows one of its passwords, or is in a
// call, is not to be kept out by who stands behind the same address.
func (f *firewall) spares(from netip.Addr) bool { return f.inCall(from) || f.gate.spares(from) }

// offends counts what a stranger does, unless it has shown a password of late.
func (f *firewall) offends(from netip.Addr, what offence, proven bool) {
	if now := time.Now(); !f.gate.welcome(from, now) && !f.spares(from) {
		f.bans.note(from, what, proven, f.gate.open(), now)
	}
}

// deaf says that a stranger's connection is closed without a word, and counts it.
func (f *firewall) deaf(from netip.Addr) bool {
	if !f.silent || f.gate.open() {
		return false
	}
	f.offends(from, offenceUnknown, true)
	return true
}

// hush says that a request gets no answer but a challenge (Config.Silent).
func (f *firewall) hush(req *sip.Request) bool {
	from := source(req).Addr()
	return f.silent && !f.knows(from) && !f.gate.welcome(from, time.Now())
}

// hangUp closes a stranger's connection.
func (f *firewall) hangUp(from netip.AddrPort) {
	f.dropped.Add(1)
	if c, ok := f.conns.Load(from); ok {
		_ = c.(*guardedConn).Close()
	}
}

// turnAway refuses a stranger's message, within a rate and where strangers are answered at all.
func (f *firewall) turnAway(info sip.TransportReadProps, data []byte) {
	from, stream := addrPort(info.RemoteAddr).Addr(), info.Transport != "UDP"
	if len(bytes.Trim(data, "\r\n\x00")) == 0 { // keeps a NAT's binding
		f.dropped.Add(1)
		return
	}
	if res := f.answer(data, info); res == nil {
		if stream || garbage(data) {
			f.offends(from, offenceGarbage, stream)
		}
		f.dropped.Add(1)
	} else if !f.limit.allow(time.Now()) {
		f.offends(from, offenceFlood, stream)
		f.dropped.Add(1)
	} else {
		f.offends(from, offenceUnknown, stream)
		f.tell(slog.LevelWarn, "refused: no trunk has this address", info)
		if f.silent {
			f.dropped.Add(1)
			return
		}
		f.refused.Add(1)
		f.count(errUnknownTrunk)
		f.refuse(info, res)
	}
}

// garbage says that what deserves no answer is not what may just come late either: a response,
// or an ACK.
func garbage(data []byte) bool {
	msg, err := sip.ParseMessage(data)
	req, ok := msg.(*sip.Request)
	return err != nil || ok && req.Method != sip.ACK
}

// mayProveItself lets a stranger's request through that carries an answer to a challenge, or
// ends what such a one began. Any other is challenged here, which costs no transaction.
func (f *firewall) mayProveItself(info sip.TransportReadProps, req *sip.Request) bool {
	from, now := source(req).Addr(), time.Now()
	switch {
	case req.Method == sip.ACK || req.Method == sip.CANCEL:
		return f.gate.welcome(from, now)
	case !f.gate.asksOf(req):
		return false
	case f.gate.answersUs(req, now):
		return true
	case !f.gate.mayAsk(from, now):
		f.dropped.Add(1)
		return false
	}
	trunk, o := f.gate.judge(req, nil, now)
	if o == accepted { // a right answer beside it has just ended the lock: Server.admit asks for another
		return true
	}
	if f.silent && (!outcomeTable[o].asks() || req.SipVersion != sipVersion) {
		f.gate.record(source(req), nil, trunk, o, now)
		f.dropped.Add(1)
		return false
	}
	f.tell(slog.LevelInfo, "asked for a password: no trunk has this address", info) // as every phone is
	f.refuse(info, f.gate.answer(req, nil, trunk, o, now, func(why error, headers ...sip.Header) *sip.Response {
		f.count(why)
		return f.response(req, why, headers...)
	}))
	return false
}

// settle makes a stranger at home on its connection that has shown a password, or to be a live
// call's other side.
func (f *firewall) settle(from netip.AddrPort) {
	if c, ok := f.conns.Load(from); ok {
		c.(*guardedConn).settle()
	}
}

// tell names a stranger in the log, now and then.
func (f *firewall) tell(level slog.Level, what string, info sip.TransportReadProps) {
	last, now := f.told.Load(), time.Now().UnixNano()
	if now-last >= int64(strangerLine) && f.told.CompareAndSwap(last, now) {
		f.log.Log(context.Background(), level, what, "source", info.RemoteAddr.String(), "transport", info.Transport)
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
		f.count(errUnreadable)
		f.reply(info, res)
	}
}

// answer makes the 403 that a stranger's packet deserves; nil for what is no request, and
// for ACK, which is never answered.
func (f *firewall) answer(data []byte, info sip.TransportReadProps) *sip.Response {
	req := requestOf(data, info)
	if req == nil || req.Method == sip.ACK {
		return nil
	}
	return f.response(req, errUnknownTrunk)
}

// requestOf reads a request well enough to be answered; nil if it is none.
func requestOf(data []byte, info sip.TransportReadProps) *sip.Request {
	msg, err := sip.ParseMessage(data)
	if err != nil {
		return nil
	}
	req, ok := msg.(*sip.Request)
	if !ok || req.Via() == nil || req.CSeq() == nil {
		return nil
	}
	req.SetTransport(info.Transport)
	req.SetSource(info.RemoteAddr.String())
	return req
}

// response is an answer to a stranger: never to a third party that a Via names, and with the
// same tag for the same request (RFC 3261 section 8.2.7).
func (f *firewall) response(req *sip.Request, why error, headers ...sip.Header) *sip.Response {
	if to := req.To(); to != nil && !to.Params.Has("tag") {
		to.Params.Add("tag", f.tag(req))
	}
	status := statusOf(why)
	res := sip.NewResponseFromRequest(req, status, reason(status), nil)
	res.SipVersion = sipVersion
	res.AppendHeader(sip.NewHeader("Server", f.agent))
	for _, h := range headers {
		res.AppendHeader(h)
	}
	res.SetDestination(req.Source())
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

// Accept hands on the next connection that may stay. Only a trunk's address is trusted: behind
// that of a phone or of a call's other side there may be anybody.
func (l guardListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		g := &guardedConn{Conn: conn, fw: l.fw, from: addrPort(conn.RemoteAddr())}
		from := g.from.Addr()
		if l.fw.trunks.Load().find(from) != nil {
			l.fw.frame(g.from)
			return g, nil
		}
		if !l.fw.inCall(from) && (l.fw.shutOut(from) || l.fw.deaf(from)) {
			l.fw.dropped.Add(1)
			conn.Close()
			continue
		}
		g.place = place{source: visitorOf(from), likely: l.fw.spares(from)}
		if ok, offence := l.fw.slots.take(g.place, time.Now()); !ok {
			if offence {
				l.fw.offends(from, offenceFlood, true)
			}
			l.fw.dropped.Add(1)
			conn.Close()
			continue
		}
		g.stranger.Store(true)
		l.fw.conns.Store(g.from, g)
		_ = conn.SetReadDeadline(time.Now().Add(strangerTimeout))
		return g, nil
	}
}

type guardedConn struct {
	net.Conn
	fw       *firewall
	from     netip.AddrPort
	stranger atomic.Bool
	place    place // while a stranger's
	heard    int   // bytes, while a stranger's; of the one goroutine that reads
}

// Read ends for a stranger that says more than it has to.
func (c *guardedConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.stranger.Load() {
		if c.heard += n; c.heard > strangerBytes {
			return 0, errStranger
		}
	}
	return n, err
}

// unwelcome says that it is not worth a handshake: a stranger's, where nobody may call from
// anywhere.
func (c *guardedConn) unwelcome() bool {
	if !c.stranger.Load() || c.fw.gate.open() || c.fw.inCall(c.from.Addr()) {
		return false
	}
	c.fw.dropped.Add(1)
	c.fw.offends(c.from.Addr(), offenceUnknown, true)
	c.fw.tell(slog.LevelWarn, "dropped: no trunk has this address", sip.TransportReadProps{Transport: "TLS", RemoteAddr: c.RemoteAddr()})
	return true
}

// settle gives the stranger's place to another, and the connection no more limit.
func (c *guardedConn) settle() {
	if c.stranger.CompareAndSwap(true, false) {
		c.fw.slots.free(c.place)
		c.fw.conns.Delete(c.from)
		_ = c.SetReadDeadline(time.Time{})
	}
}

// Write gives up on a peer that does not read.
func (c *guardedConn) Write(b []byte) (int, error) {
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	return c.Conn.Write(b)
}

// Close closes the connection and gives a stranger's place back. It has had its chance to show
// a password.
func (c *guardedConn) Close() error {
	if c.stranger.Load() && c.fw.gate.open() {
		c.fw.offends(c.from.Addr(), offenceUnknown, true)
	}
	c.settle()
	c.fw.streams.Delete(c.from)
	return c.Conn.Close()
}

func (f *firewall) listener(l net.Listener) net.Listener { return guardListener{l, f} }
