package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/emiago/sipgo/sip"
)

// ErrNoReply means that nothing at all came back from the address called.
var ErrNoReply = errors.New("sip: no reply")

// ErrUnreachable means that a message could not be brought to the address, so that nobody has
// read it: no connection, no handshake. ErrNoReply says less: it may have been read.
var ErrUnreachable = errors.New("sip: not reached")

// errNotConnected is what Client.Reach leads to where it leads nowhere.
var errNotConnected = errors.New("the connection that the phone registered by is gone")

// unreachable gives an error that is an ErrUnreachable, in its own words.
func unreachable(err error) error { return notReached{err} }

type notReached struct{ error }

func (e notReached) Unwrap() error        { return e.error }
func (e notReached) Is(target error) bool { return target == ErrUnreachable }

// silence watches over an INVITE that nobody has replied to. The first response ends it.
type silence struct {
	first *time.Timer     // after T1: sound the address out
	last  *time.Timer     // Outgoing.Patience
	fate  chan error      // what sounding it out brought, if that was bad news
	ctx   context.Context // of the sounding
	stop  context.CancelFunc
}

func newSilence(t1, patience time.Duration) *silence {
	s := &silence{first: time.NewTimer(t1), last: time.NewTimer(patience), fate: make(chan error, 1)}
	s.ctx, s.stop = context.WithCancel(context.Background())
	return s
}

func (s *silence) end() {
	s.first.Stop()
	s.last.Stop()
	s.stop()
}

// sound asks the network whether anybody listens at a UDP address. Only a connected socket
// is told of ICMP's "port unreachable" (RFC 1122 section 4.1.3.3), so this takes one of its
// own and sends an empty line, which SIP ignores (RFC 3261 section 7.5).
func (s *silence) sound(peer netip.AddrPort) {
	conn, err := (&net.Dialer{}).DialContext(s.ctx, "udp", peer.String())
	if err != nil {
		return
	}
	defer conn.Close()
	defer context.AfterFunc(s.ctx, func() { _ = conn.SetReadDeadline(time.Unix(1, 0)) })()
	if _, err = conn.Write([]byte("\r\n\r\n")); err == nil {
		_, err = conn.Read(make([]byte, 1))
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		s.fate <- fmt.Errorf("%w from %s: nobody listens on that UDP port", ErrNoReply, peer)
	}
}

// undelivered says in short why a message did not get out.
func undelivered(d *dialog, err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return unreachable(fmt.Errorf("sip: no connection to %s over %s: %w", d.peer, d.transport, op.Err))
	}
	if errors.Is(err, sip.ErrTransactionTimeout) {
		return fmt.Errorf("%w from %s over %s", ErrNoReply, d.peer, d.transport)
	}
	return unreachable(fmt.Errorf("sip: dial: %w", err))
}
