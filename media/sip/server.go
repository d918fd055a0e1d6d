package sip

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/emiago/sipgo/sip"
)

// Server takes calls from trunks.
type Server struct {
	ep       *endpoint
	fw       *firewall
	gate     *gate
	handler  Handler
	draining atomic.Bool

	mu     sync.Mutex
	trunks []Trunk
	phones []Phone
	better bool // phones are offered SHA-256, too
	met    map[string][]netip.Addr
}

// Stats counts what a Server did. Refused strangers got 403, dropped ones nothing.
type Stats struct {
	Dialogs          int // live now
	StrangersRefused uint64
	StrangersDropped uint64
	Unreadable       uint64 // datagrams from trunks that are no SIP messages

	TLS TLSStats

	Refused map[string]uint64 // requests by why, those of strangers too; every reason is there
	Digest  map[string]uint64 // requests that needed a password, by what came of it; every outcome is there

	Banned int               // sources that are banned now
	Bans   map[string]uint64 // bans, by what for; every cause is there
}

// New checks cfg and starts nothing; a nil logger discards.
func New(cfg Config, handler Handler, log *slog.Logger) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{handler: handler, gate: newGate(cfg, log)}
	s.fw = &firewall{
		gate: s.gate,
		bans: s.gate.bans, silent: cfg.Silent,
		agent: cfg.UserAgent, limit: limiter{rate: float64(cfg.Refusals)},
		log: log, reply: s.sendText,
		refuse: s.sendRefusal, inCall: func(a netip.Addr) bool { return s.ep.inCall(a) },
	}
	s.fw.count = func(why error) { s.ep.refused.add(why) }
	s.fw.tag = func(req *sip.Request) string { return s.ep.tagFor(req) }
	s.trunks, s.phones, s.better = cfg.Trunks, cfg.Phones, cfg.PhonesSHA256
	s.fw.trunks.Store(newTrunkTable(cfg.Trunks, cfg.Phones...))
	s.gate.trunks = s.fw.trunks.Load
	s.gate.plain = s.onlyMD5
	if cfg.Registrar != nil {
		s.gate.near = cfg.Registrar.Near
	}
	if s.ep, err = newEndpoint(cfg, log, s.fw.filter); err != nil {
		return nil, err
	}
	s.ep.newCall = s.invited
	if h, ok := handler.(TransferHandler); ok {
		s.ep.transfers, s.ep.transfer = true, h.Transfer
	}
	s.ep.admit = s.admit
	if cfg.Silent {
		s.ep.hush, s.ep.hangUp = s.fw.hush, s.fw.hangUp
	}
	s.ep.registered = s.registered
	s.ep.healthy = func() bool { return !s.draining.Load() }
	s.ep.mayReach = s.fw.knows
	s.ep.whose = func(a netip.Addr) string {
		if k := s.fw.trunks.Load().find(a); k != nil {
			return k.id
		}
		return ""
	}
	s.ep.hasTrunk = func(id string) bool { return s.fw.trunks.Load().all[id] != nil }
	s.ep.limits = func(trunk string) Limits {
		if k := s.fw.trunks.Load().all[trunk]; k != nil && k.phone == "" {
			return k.limits
		}
		return Limits{}
	}
	return s, nil
}

// Listen opens the sockets, so that Addrs is known before Run. Run calls it if need be.
func (s *Server) Listen(ctx context.Context) error { return s.ep.listen(ctx) }

// Close gives back the sockets of a server that was opened by Listen and is never run.
func (s *Server) Close() { s.ep.close() }

// Run takes calls until ctx ends; then it ends the live ones with BYE and returns when
// they are gone, a few seconds later at most. It runs once.
func (s *Server) Run(ctx context.Context) error {
	if err := s.ep.listen(ctx); err != nil {
		return err
	}
	return s.ep.serve(ctx, s.fw.listener)
}

// Addrs gives the addresses listened on; not valid for what is off or not yet open.
func (s *Server) Addrs() (udp, tcp netip.AddrPort) {
	return s.ep.listening("UDP"), s.ep.listening("TCP")
}

// TLSAddr gives the address listened on for TLS; not valid if that is off or not yet open.
func (s *Server) TLSAddr() netip.AddrPort { return s.ep.listening("TLS") }

// SetTrunks replaces all trunks at once. Calls in progress are left alone.
func (s *Server) SetTrunks(trunks []Trunk) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(validTrunks(trunks), validPhones(s.phones, trunks)); err != nil {
		return err
	}
	s.trunks = trunks
	s.know()
	return nil
}

// SetMet says at which addresses trunks were found to be, by their IDs, such as those of the
// registrar that this side is registered at: calls from there are theirs, unless they are
// another trunk's sources. It replaces what was said before.
func (s *Server) SetMet(met map[string][]netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.met = met
	s.know()
}

// know puts the trunks and where they were found into force; s.mu is held.
func (s *Server) know() {
	table := newTrunkTable(s.trunks, s.phones...)
	table.meet(s.met)
	s.fw.trunks.Store(table)
}

// Client places calls and asks questions from the server's own sockets, which is what gets
// through a NAT and what carriers expect. It is listening and run as the server is; its own
// Listen and Run are not for use.
func (s *Server) Client() *Client { return &Client{ep: s.ep} }

// Drain refuses trunks' new calls from now on (503, Retry-After) and tells keep-alives so;
// calls in progress go on. Calls of users' phones are still handed on: they may be
// emergencies, which whoever takes them tells from others.
func (s *Server) Drain() { s.draining.Store(true) }

// Stats is a snapshot of the counters.
func (s *Server) Stats() Stats {
	secure := s.ep.streams.side.stats()
	secure.Handshakes = s.ep.streams.failed.Load()
	return Stats{TLS: secure, Dialogs: s.ep.count(), StrangersRefused: s.fw.refused.Load(), StrangersDropped: s.fw.dropped.Load(), Unreadable: s.fw.unread.Load(), Digest: s.gate.counts(),
		Banned: len(s.Bans()), Bans: s.fw.bans.byCause(),
		Refused: s.ep.refused.byName()}
}

// Messages counts what passed the sockets since New, repetitions too. What a firewall drops
// or answers by itself is in Stats. A message is its call's trunk's; outside of a call it is
// the trunk's that has the address.
func (s *Server) Messages() map[Kind]uint64 { return s.ep.tally.all() }

// invited looks at an INVITE that opens a dialog and refuses it, or makes it a Call.
func (s *Server) invited(req *sip.Request, tx *sip.ServerTx, trunk *knownTrunk) {
	id := ""
	if trunk != nil {
		id = trunk.id
	}
	refuse := func(why error, headers ...sip.Header) { _ = tx.Respond(s.ep.refusalKept(req, id, why, headers...)) }
	switch {
	case trunk == nil: // its trunk has just been taken away
		s.fw.refused.Add(1)
		refuse(errUnknownTrunk)
		return
	case s.draining.Load() && trunk.phone == "": // a phone may dial for help; what else it dials is refused behind
		refuse(errDraining)
		return
	case len(values(req, "Contact")) == 0:
		refuse(errNoContact)
		return
	}
	if !acceptsAnswer(req) {
		refuse(errAccept)
		return
	}
	if s.ep.tooShort(req) {
		refuse(errShortSession, minSE(s.ep.cfg.MinSE))
		return
	}
	body, isSDP := sdpBody(req)
	if !isSDP {
		refuse(errNotSDP, sip.NewHeader("Accept", "application/sdp"))
		return
	}
	var offered *stream
	if body != nil {
		var err error
		if offered, err = parseStream(body, terms{codecs: trunk.codecs, keys: &keyring{policy: trunk.keys}, soundOnly: trunk.keysBy == KeysInBand}); err != nil {
			s.ep.log.Info("call refused: no common audio", "sip_call_id", text(req.CallID()), "trunk", trunk.id, "error", err)
			refuse(err)
			return
		}
	}
	replaced, err := s.ep.replaced(req, trunk)
	if err != nil {
		refuse(err)
		return
	}
	c, err := s.ep.inbound(req, tx, trunk, offered)
	if err != nil {
		refuse(err)
		return
	}
	if l, ok := s.ep.admitCall(c, trunk.limits); !ok {
		s.ep.forget(c)
		row := limitTable[l]
		c.log.Warn("call refused: the trunk "+row.words, "limit", row.name)
		refuse(row.why)
		return
	}
	c.handler, c.replaces, c.transfers = s.handler, replaced, s.ep.transfer
	if h, ok := s.handler.(PhoneHandler); ok && c.phone != "" {
		c.transfers = h.PhoneTransfer
	}
	if !s.ep.begin(c) {
		s.ep.forget(c)
		refuse(errUnavailable)
	}
}

// sendRefusal writes a 403 to a stranger, past sipgo's tables.
func (s *Server) sendRefusal(info sip.TransportReadProps, res *sip.Response) {
	if info.Transport == "UDP" {
		_, _ = s.ep.udp.WriteTo([]byte(res.String()), info.RemoteAddr)
		return
	}
	if c := s.ep.tp.Pool(info.Transport).Get(info.RemoteAddr.String()); c != nil {
		_ = c.WriteMsg(res)
		_, _ = c.TryClose()
	}
}

// sendText writes a response that sipgo has no type for.
func (s *Server) sendText(info sip.TransportReadProps, text string) {
	if info.Transport == "UDP" {
		_, _ = s.ep.udp.WriteTo([]byte(text), info.RemoteAddr)
		return
	}
	if c := s.ep.tp.Pool(info.Transport).Get(info.RemoteAddr.String()); c != nil {
		if w, ok := c.(io.Writer); ok {
			_, _ = w.Write([]byte(text))
		}
		_, _ = c.TryClose()
	}
}

// TrunkIDs lists the trunks in force, in their order.
func (s *Server) TrunkIDs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]string, 0, len(s.trunks))
	for _, t := range s.trunks {
		out = append(out, t.ID)
	}
	return out
}
