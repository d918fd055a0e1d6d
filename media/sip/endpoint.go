package sip

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/emiago/sipgo/sip"
	"golang.org/x/sync/errgroup"

	"github.com/headroom-voice/headroom/media/dtmf"
)

// tuneSipgo sets, once per process, what sipgo keeps in variables of its package. A response
// goes back the way its request came whatever its size (RFC 3261 section 18.2.2), so its
// limit of 1300 bytes on UDP is lifted. Its log is turned off: it holds whole messages,
// numbers and all; what matters is logged here by cause.
var tuneSipgo = sync.OnceFunc(func() {
	sip.UDPMTUSize = 65535
	sip.SetDefaultLogger(slog.New(slog.DiscardHandler))
	sip.SIPDebugTracer(&tap)
	sip.SIPDebug = true // without it there is no tracer
})

// dialogID names a dialog as this side sees it (RFC 3261 section 12).
type dialogID struct {
	callID, localTag, remoteTag string
}

// inviteID names an INVITE apart from the way it took (RFC 3261 section 8.2.2.2).
type inviteID struct {
	callID, fromTag string
	cseq            uint32
}

// endpoint is the sockets, sipgo's two layers over them, and the table of dialogs:
// what Server and Client have in common.
type endpoint struct {
	cfg     Config
	log     *slog.Logger
	secret  [16]byte
	tp      *sip.TransportLayer
	txl     *sip.TransactionLayer
	udp     net.PacketConn
	tcp     net.Listener
	streams *streams           // TLS
	pinned  *sip.UDPConnection // udp, as an entry of our own in sipgo's table

	// admit says whose a request is and whether it may be looked at; nil lets all in. A
	// client, and who calls from where no trunk is, has no trunk.
	admit      func(*sip.Request, *Call) (*knownTrunk, *sip.Response)
	hush       func(*sip.Request) bool                        // nothing but a challenge is the answer; nil = never
	hasTrunk   func(string) bool                              // nil = there are none
	hangUp     func(netip.AddrPort)                           // closes the connection of who is not answered
	newCall    func(*sip.Request, *sip.ServerTx, *knownTrunk) // an INVITE outside of any dialog
	registered func(*sip.Request, *knownTrunk) *sip.Response  // answers REGISTER; nil = it is refused
	transfers  bool                                           // the handler decides about them
	transfer   func(*Transfer)                                // of the handler; nil where it does not
	healthy    func() bool                                    // what OPTIONS answers
	limits     func(trunk string) Limits                      // of a call that is placed; nil = none
	mayReach   func(netip.Addr) bool                          // whether an address from a Contact or Route may be sent to
	whose      func(netip.Addr) string                        // the trunk that has an address, to count by; nil = none

	keys *dtmf.Player // sends keys to all parties

	stopping chan struct{} // closed when calls must end
	wg       sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	calls   map[dialogID]*Call
	invites map[inviteID]struct{}
	peers   map[netip.Addr]int // live calls and open questions per signalling address
	quotas  map[string]*quota  // by trunk
	ladders ladders
	tally   tally
	refused refusalCounts
	turned  refusedCalls
}

func newEndpoint(cfg Config, log *slog.Logger, filter sip.TransportReadFilter) (*endpoint, error) {
	tuneSipgo()
	side, err := newTLSSide(cfg.TLS, log)
	if err != nil {
		return nil, err
	}
	e := &endpoint{
		streams: newStreams(side),
		cfg:     cfg, log: log,
		keys:     dtmf.NewPlayer(),
		stopping: make(chan struct{}),
		calls:    make(map[dialogID]*Call),
		invites:  make(map[inviteID]struct{}),
		peers:    make(map[netip.Addr]int),
		quotas:   make(map[string]*quota),
	}
	_, _ = rand.Read(e.secret[:])
	var opts []sip.TransportLayerOption
	if filter != nil {
		opts = append(opts, sip.WithTransportLayerReadFilter(filter))
	}
	opts = append(opts, sip.WithTransportLayerTransports(givenTLS()))
	e.tp = sip.NewTransportLayer(net.DefaultResolver, sip.NewParser(), nil, opts...)
	// Before the transaction layer: its goroutines must find the To tag in place.
	e.tp.OnMessage(e.prepare)
	e.txl = sip.NewTransactionLayer(e.tp, sip.WithTransactionLayerUnhandledResponseHandler(func(*sip.Response) {}))
	e.txl.OnRequest(e.handle)
	return e, nil
}

// listen opens the sockets; Addrs is known from then on.
func (e *endpoint) listen(ctx context.Context) error {
	if e.udp != nil || e.tcp != nil || e.streams.listen != nil {
		return nil
	}
	var lc net.ListenConfig
	if e.cfg.UDP != "" {
		conn, err := lc.ListenPacket(ctx, "udp", e.cfg.UDP)
		if err != nil {
			return fmt.Errorf("sip: listen: %w", err)
		}
		e.udp = conn
		// sipgo enters the socket only once it reads from it; a call placed before that
		// must go out by the same one.
		e.pinned = &sip.UDPConnection{PacketConn: conn, PacketAddr: conn.LocalAddr().String(), Listener: true}
		e.tp.Pool("udp").Add(e.pinned.PacketAddr, e.pinned)
	}
	if e.cfg.TCP != "" {
		l, err := lc.Listen(ctx, "tcp", e.cfg.TCP)
		if err != nil {
			if e.udp != nil {
				_ = e.udp.Close()
				e.udp = nil
			}
			return fmt.Errorf("sip: listen: %w", err)
		}
		e.tcp = l
	}
	if e.cfg.TLS.Listen != "" {
		l, err := lc.Listen(ctx, "tcp", e.cfg.TLS.Listen)
		if err != nil {
			e.close()
			e.udp, e.tcp = nil, nil
			return fmt.Errorf("sip: listen: %w", err)
		}
		e.streams.listen = l
	}
	tap.listen(e)
	return nil
}

// close gives the sockets back; whoever reads them notices.
func (e *endpoint) close() {
	tap.endpoints.Delete(e)
	if e.udp != nil {
		_ = e.udp.Close()
	}
	if e.tcp != nil {
		_ = e.tcp.Close()
	}
	_ = e.streams.Close()
}

// serve runs the sockets until ctx ends, then ends the calls that are left, and returns
// when they are gone. wrap, if any, stands between the TCP listeners and sipgo.
func (e *endpoint) serve(ctx context.Context, wrap func(net.Listener) net.Listener) error {
	var g errgroup.Group
	died := make(chan error, 4)
	if e.udp != nil {
		g.Go(func() error { died <- e.tp.ServeUDP(e.udp); return nil })
	}
	if e.tcp != nil {
		l := e.tcp
		if wrap != nil {
			l = wrap(l)
		}
		g.Go(func() error { died <- e.tp.ServeTCP(l); return nil })
	}
	g.Go(func() error { died <- e.tp.ServeTLS(e.streams); return nil })
	if l := e.streams.listen; l != nil {
		if wrap != nil {
			l = wrap(l)
		}
		g.Go(func() error { died <- e.streams.accept(l); return nil })
	}
	playing, hush := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error { return e.keys.Run(playing) })
	var err error
	select {
	case <-ctx.Done():
	case err = <-died:
		err = fmt.Errorf("sip: a listener ended: %w", errors.Join(err, net.ErrClosed))
	}
	e.stop()
	e.wg.Wait()
	hush()
	e.close()
	_ = g.Wait()
	e.txl.Close()
	_ = e.tp.Pool("tls").Clear()
	_ = e.tp.Pool("tcp").Clear() // the UDP socket is closed, its entries must stay: see prepare
	return err
}

// stop tells every call to end; none begins after it.
func (e *endpoint) stop() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.stopped {
		e.stopped = true
		close(e.stopping)
	}
}

// prepare sees each message on the transport's reader, before sipgo starts a goroutine on
// it. It gives an INVITE that opens a dialog the To tag of this side, and its CANCEL the
// same (RFC 3261 section 9.2). And it ties the source to the listening socket by an entry
// that outlives the reader: for a request still on its way to a transaction when the
// socket is closed, sipgo would open another and never close it.
func (e *endpoint) prepare(msg sip.Message) {
	e.received(msg)
	tidyParams(msg)
	req, ok := msg.(*sip.Request)
	if !ok {
		return
	}
	if e.pinned != nil && req.Transport() == "UDP" {
		e.tp.Pool("udp").Add(req.Source(), e.pinned)
	}
	if req.Method != sip.INVITE && req.Method != sip.CANCEL {
		return
	}
	if to := req.To(); to != nil && !to.Params.Has("tag") {
		to.Params.Add("tag", e.tagFor(req))
	}
}

// tagFor derives the tag of an INVITE's dialog: the same for each retransmission, and
// for nothing else.
func (e *endpoint) tagFor(req *sip.Request) string {
	mac := hmac.New(sha256.New, e.secret[:])
	for _, part := range []string{text(req.CallID()), tagOf(req.From()), branchOf(req)} {
		mac.Write([]byte(part))
		mac.Write([]byte{0})
	}
	return hex.EncodeToString(mac.Sum(nil)[:10])
}

// register puts a call's dialog into the table; false if the endpoint is stopping or
// has that dialog already.
func (e *endpoint) register(c *Call, id dialogID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, taken := e.calls[id]; taken || e.stopped {
		return false
	}
	if len(c.ids) == 0 {
		e.peers[c.dlg.peer.Addr()]++
	}
	c.ids = append(c.ids, id)
	e.calls[id] = c
	return true
}

// merged says that the same INVITE is here already, having come another way (RFC 3261
// section 8.2.2.2); if not, it is noted as c's.
func (e *endpoint) merged(c *Call, id inviteID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, here := e.invites[id]; here {
		return true
	}
	c.inviteID = id
	e.invites[id] = struct{}{}
	return false
}

// begin starts the goroutine that owns c; false if the endpoint is stopping.
func (e *endpoint) begin(c *Call) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopped {
		return false
	}
	e.wg.Go(c.run)
	return true
}

// forget takes a call out of every table.
func (e *endpoint) forget(c *Call) {
	e.ladders.close(c.dlg.callID)
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range c.ids {
		delete(e.calls, id)
	}
	if len(c.ids) > 0 {
		e.released(c.dlg.peer.Addr())
	}
	if c.expecting {
		e.released(c.dlg.peer.Addr())
	}
	e.uncount(c)
	c.ids, c.expecting = nil, false
	if c.inviteID != (inviteID{}) {
		delete(e.invites, c.inviteID)
	}
}

func (e *endpoint) find(id dialogID) *Call {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.calls[id]
}

// inCall says that a live call is with this address, whatever the trunks say by now.
func (e *endpoint) inCall(a netip.Addr) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.peers[a] > 0
}

func (e *endpoint) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.calls)
}

// addrFacing is the address this side gives to a peer.
func (e *endpoint) addrFacing(peer netip.Addr, bound netip.Addr) netip.Addr {
	if a := e.advertised(peer, bound); a.IsValid() {
		return a
	}
	if bound.IsValid() && !bound.IsUnspecified() {
		return bound.Unmap()
	}
	// Connecting a UDP socket sends nothing; it asks the routing table.
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(context.Background(), "udp", netip.AddrPortFrom(peer, 9).String())
	if err != nil {
		return netip.IPv6Unspecified()
	}
	defer conn.Close()
	return addrPort(conn.LocalAddr()).Addr().Unmap()
}

// advertised is the address that peers are told instead, if there is one: of the family that
// is listened in, or of the peer's where both are.
func (e *endpoint) advertised(peer, bound netip.Addr) netip.Addr {
	like := peer.Unmap()
	if bound.IsValid() && !bound.IsUnspecified() {
		like = bound.Unmap()
	}
	for _, a := range []netip.Addr{e.cfg.Advertise, e.cfg.AdvertiseAlso} {
		if a.IsValid() && a.Is4() == like.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

// facing is where a peer is told to reach this side: the listening port of the transport, or
// where nobody listens on TLS this end of the connection that it is.
func (e *endpoint) facing(transport string, peer netip.AddrPort) netip.AddrPort {
	bound := e.listening(transport)
	if !bound.IsValid() {
		if c := e.streams.find(peer); transport == "TLS" && c != nil {
			bound = addrPort(c.LocalAddr())
		}
	}
	return netip.AddrPortFrom(e.addrFacing(peer.Addr(), bound.Addr()), bound.Port())
}

// listens says that a transport has a socket of this side's.
func (e *endpoint) listens(transport string) bool { return e.listening(transport).IsValid() }

// listening is the bound address of a transport, "UDP", "TCP" or "TLS".
func (e *endpoint) listening(transport string) netip.AddrPort {
	switch {
	case transport == "TCP" && e.tcp != nil:
		return addrPort(e.tcp.Addr())
	case transport == "UDP" && e.udp != nil:
		return addrPort(e.udp.LocalAddr())
	case transport == "TLS" && e.streams.listen != nil:
		return addrPort(e.streams.listen.Addr())
	default:
		return netip.AddrPort{}
	}
}

func addrPort(a net.Addr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
