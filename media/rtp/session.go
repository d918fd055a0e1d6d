package rtp

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	pionrtp "github.com/pion/rtp"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/socket"
)

const (
	defaultPTime = 20 * time.Millisecond
	headerSize   = 12
)

// Params is what the two sides agreed on (an SDP answer).
type Params struct {
	Remote          netip.AddrPort        // where the party says it listens; zero: wait for its first packets
	RemoteRTCP      netip.AddrPort        // zero: Remote's port + 1
	Codecs          []media.Codec         // both sides can, the preferred one first; [0] is what to encode
	PayloadTypes    map[media.Codec]uint8 // both directions; PCMU, PCMA and G722 default to 0, 8 and 9 (RFC 3551)
	PTime           time.Duration         // the party asked for, 10 to 60 ms; 20 ms by default
	DTMFPayloadType uint8                 // of telephone-event (RFC 4733) in a clock of 8 kHz; 0: none
	DTMF48          uint8                 // the same in 48 kHz, beside Opus
	InBand          bool                  // keys are listened for in the party's voice
	Quiet           bool                  // the party does not listen (hold): nothing is sent
	Mux             bool                  // RTCP goes over the RTP port, both ways (RFC 5761)

	// How the audio is encrypted; not at all if none is set. Send and Receive are keys that
	// both sides know, DTLS agrees on them with the party. Until there are keys nothing is
	// sent and nothing heard; afterwards nothing but SRTP.
	Send, Receive Key
	DTLS          *DTLS

	// Host is where the party's signalling comes from, where its packets may well come from,
	// too; not valid if it is not known.
	Host netip.Addr

	// Aliases are payload types that the party may use in place of others, if they stand for
	// nothing else: what we offered, where it answered with another number (RFC 3264 section 5.1).
	Aliases map[uint8]uint8

	// Heard are payload types that are understood besides, and never sent: what the party
	// offered, of which we chose another. Gateways change to it without a word.
	Heard map[uint8]media.Codec
}

// agreed is Params as the packet paths need them; never changed once published.
type agreed struct {
	params Params
	codecs [128]media.Codec // by payload type, incoming
	types  [256]int16       // by codec, outgoing; -1: not accepted
	dtmf   int              // payload type, or -1
	dtmf48 int              // the same
	crypt  *crypt           // nil: plain RTP
	dtls   *association     // that gives crypt its keys; nil: none is needed
	proven netip.AddrPort   // where dtls found the party

	aliases payloadTypes
}

// source is where the party's packets are expected from.
func (a *agreed) source() netip.AddrPort {
	if a.proven.IsValid() {
		return a.proven
	}
	return a.params.Remote
}

// Session is one party's RTP and RTCP over a pair of UDP ports: a media.Leg. The source
// is symmetric: packets go to where the party's packets come from, once it is known.
type Session struct {
	ports     *Ports
	port      int
	rtpConn   *socket.Conn
	rtcpConn  *socket.Conn
	closeOnce sync.Once
	rtcpEvery time.Duration // rtcpInterval, but in tests
	shakeTime time.Duration // handshakeTime, but in tests

	agreed   atomic.Pointer[agreed]
	sink     atomic.Pointer[media.Sink]
	onDigit  func(rune)
	receiver Receiver
	sender   *Sender
	stranger atomic.Uint64
	refused  atomic.Uint64
	forged   atomic.Uint64
	replayed atomic.Uint64
	theirs   atomic.Pointer[Quality] // what the party says of our voice; nil before it did
	reported atomic.Int64            // when the party's last RTCP report came, Unix nanoseconds; 0 before

	sendMu   sync.Mutex
	dest     netip.AddrPort // guarded by sendMu, as the buffer
	destRTCP netip.AddrPort
	reserved Reservation
	buf      [headerSize + maxPayload + sealRoom]byte

	life       context.Context // until Close
	end        context.CancelFunc
	handshakes sync.WaitGroup // associations that run; none starts after life has ended
	failed     error          // why there are no keys; guarded by sendMu

	in reader // owned by the reader goroutine
}

// reader is what the reader goroutine works with, which is a shard of the Poller's.
type reader struct {
	gate   gate
	digits Keys
	inband inBand
	header pionrtp.Header
	packet media.Packet
	params *agreed    // the gate was made for these
	plain  [2048]byte // a packet decrypted
}

var _ media.Leg = (*Session)(nil)

// Open takes a port pair. Close it, or Run it to its end.
func Open(ports *Ports) (*Session, error) {
	rtpConn, rtcpConn, port, err := ports.listen()
	if err != nil {
		return nil, err
	}
	s := &Session{
		ports: ports, port: port, rtpConn: rtpConn, rtcpConn: rtcpConn,
		rtcpEvery: rtcpInterval, shakeTime: handshakeTime, sender: NewSender(rand.Uint32()),
	}
	a, err := agree(Params{})
	if err != nil {
		return nil, err
	}
	s.agreed.Store(a)
	s.life, s.end = context.WithCancel(context.Background())
	return s, nil
}

// LocalPort is the RTP port; RTCP is on the next.
func (s *Session) LocalPort() int { return s.port }

// LocalAddr is the address and port RTP is received on.
func (s *Session) LocalAddr() netip.AddrPort {
	return netip.AddrPortFrom(s.ports.Addr(), uint16(s.port))
}

// Configure sets or changes what was agreed on. A changed Remote unlocks the source.
func (s *Session) Configure(p Params) error {
	a, err := agree(p)
	if err != nil {
		return err
	}
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	a.inherit(s.agreed.Load())
	if err := s.secure(a, s.agreed.Load()); err != nil {
		return err
	}
	was := s.agreed.Swap(a).params
	if was.Remote != a.params.Remote {
		s.dest, s.destRTCP = a.params.Remote, a.params.RemoteRTCP
	} else if was.RemoteRTCP != a.params.RemoteRTCP {
		s.destRTCP = a.params.RemoteRTCP
	}
	if was.Quiet && !p.Quiet {
		s.sender.Resume()
	}
	return nil
}

func agree(p Params) (*agreed, error) {
	a := &agreed{params: p, dtmf: -1, dtmf48: -1}
	if a.params.PTime == 0 {
		a.params.PTime = defaultPTime
	}
	if p.DTLS == nil && p.Send.suite != p.Receive.suite {
		return nil, fmt.Errorf("rtp: configure: keys for %v and %v: one suite for both directions", p.Send.suite, p.Receive.suite)
	}
	if p.PTime < 0 || p.PTime > 120*time.Millisecond {
		return nil, fmt.Errorf("rtp: configure: packet time %v", p.PTime)
	}
	a.params.Remote = unmap(p.Remote)
	a.params.RemoteRTCP = unmap(p.RemoteRTCP)
	if !p.RemoteRTCP.IsValid() && p.Remote.IsValid() {
		a.params.RemoteRTCP = netip.AddrPortFrom(a.params.Remote.Addr(), p.Remote.Port()+1)
	}
	for i := range a.types {
		a.types[i] = -1
	}
	for _, c := range p.Codecs {
		pt, ok := p.PayloadTypes[c]
		switch {
		case ok:
		case c == media.PCMU:
			pt = 0
		case c == media.PCMA:
			pt = 8
		case c == media.G722:
			pt = 9
		default:
			return nil, fmt.Errorf("rtp: configure: no payload type for %v", c)
		}
		if pt > 127 || a.codecs[pt] != media.NoCodec {
			return nil, fmt.Errorf("rtp: configure: payload type %d for %v is out of range or taken", pt, c)
		}
		a.codecs[pt], a.types[c] = c, int16(pt)
	}
	if p.DTMFPayloadType != 0 {
		a.dtmf = int(p.DTMFPayloadType)
	}
	if p.DTMF48 != 0 {
		a.dtmf48 = int(p.DTMF48)
	}
	for pt, c := range p.Heard {
		if pt <= 127 && a.codecs[pt] == media.NoCodec && int(pt) != a.dtmf && int(pt) != a.dtmf48 {
			a.codecs[pt] = c
		}
	}
	return a, a.alias(p.Aliases)
}

func unmap(a netip.AddrPort) netip.AddrPort {
	if a.Addr().Is4In6() {
		return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
	}
	return a
}

// OnDigit has every key press reported once, as '0'-'9', '*', '#', 'A'-'D', on the
// reader goroutine: the function must not block. Call it before Run.
func (s *Session) OnDigit(digit func(rune)) { s.onDigit = digit }

// Run receives until ctx ends or the session is closed, then closes the sockets and
// gives the ports back. It ends with ErrHandshake or ErrFingerprint when DTLS brings no keys.
func (s *Session) Run(ctx context.Context) error {
	defer s.handshakes.Wait()
	defer func() { _ = s.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	err := errors.Join(s.rtpConn.Serve(s.incoming), s.rtcpConn.Serve(s.incomingRTCP))
	if err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("rtp: read: %w", err)
	}
	s.runRTCP(s.life.Done())
	s.rtpConn.Wait()
	s.rtcpConn.Wait()
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	return s.failed
}

// Close closes the sockets and gives the ports back. Closing again does nothing.
func (s *Session) Close() error {
	s.closeOnce.Do(func() {
		s.sendMu.Lock()
		s.end() // under the lock: see handshakes
		s.sendMu.Unlock()
		_ = s.rtpConn.Close()
		_ = s.rtcpConn.Close()
		s.ports.release(s.port)
	})
	return nil
}

// incoming handles one datagram on the RTP port.
func (s *Session) incoming(data []byte, from netip.AddrPort, now time.Time) {
	in := &s.in
	a := s.agreed.Load()
	if a != in.params {
		in.gate.host = a.params.Host
		in.gate.announce(a.source())
		in.params = a
	}
	switch {
	case a.dtls != nil && isDTLS(data):
		a.dtls.deliver(data, from)
		return
	case a.params.Mux && isMuxedRTCP(data):
		s.incomingRTCP(data, from, now)
		return
	case a.crypt != nil:
		var ok bool
		if data, ok = s.decrypt(a, data, from, now); !ok {
			return
		}
	}
	payload, ok := parse(&in.header, data)
	if !ok {
		return
	}
	was := in.gate.addr
	if !in.gate.admit(from, &in.header, now) {
		s.stranger.Add(1)
		return
	}
	if in.gate.addr != was {
		s.redirect(in.gate.addr)
	}
	pt := int(a.aliases[in.header.PayloadType&0x7f])
	c := a.codecs[pt]
	if len(payload) == 0 {
		c = media.NoCodec // keeps a NAT binding open
	}
	if !s.receiver.Accept(&in.header, payload, now, c, &in.packet) {
		return
	}
	if c == media.NoCodec {
		if clock, is := a.isEvent(pt); is {
			s.telephoneEvent(payload, clock)
		}
		return
	}
	if a.params.InBand && s.onDigit != nil {
		in.inband.hear(&in.packet, s.onDigit)
	}
	if sink := s.sink.Load(); sink != nil {
		(*sink).Packet(&in.packet)
	}
}

// telephoneEvent handles the event just accepted.
func (s *Session) telephoneEvent(payload []byte, clock int) {
	in := &s.in
	digit, ok := in.digits.Packet(payload, in.packet.Source, in.header.Timestamp, in.header.Marker, clock)
	if ok && s.onDigit != nil {
		s.onDigit(digit)
	}
}

// parse reads an RTP packet that is not, or no longer, encrypted.
func parse(h *pionrtp.Header, data []byte) (payload []byte, ok bool) {
	n, ok := header(h, data)
	if !ok {
		return nil, false
	}
	payload = data[n:]
	if h.Padding {
		if len(payload) == 0 {
			return nil, false
		}
		pad := int(payload[len(payload)-1])
		if pad == 0 || pad > len(payload) {
			return nil, false
		}
		payload = payload[:len(payload)-pad]
	}
	return payload, true
}

// redirect sends to where the party's packets really come from.
func (s *Session) redirect(addr netip.AddrPort) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	if s.dest != addr {
		s.dest, s.destRTCP = addr, netip.AddrPortFrom(addr.Addr(), addr.Port()+1)
	}
}

// Accepts is part of media.Leg.
func (s *Session) Accepts(c media.Codec) bool { return s.agreed.Load().types[c] >= 0 }

// Preferred is part of media.Leg.
func (s *Session) Preferred() media.Codec {
	if codecs := s.agreed.Load().params.Codecs; len(codecs) > 0 {
		return codecs[0]
	}
	return media.NoCodec
}

// PacketTime is part of media.Leg.
func (s *Session) PacketTime() time.Duration { return s.agreed.Load().params.PTime }

// Send is part of media.Leg. What cannot be sent yet, because the party's address is
// not known, is dropped.
func (s *Session) Send(p *media.Packet) {
	s.sendMu.Lock()
	defer s.sendMu.Unlock()
	a := s.agreed.Load() // under the lock: no packet may be sent as was agreed on before
	if a.params.Quiet {
		return
	}
	pt := a.types[p.Codec]
	if pt < 0 || len(p.Payload) > maxPayload {
		s.refused.Add(1)
		return
	}
	if s.reserved.Bars(p) || !s.ready(a) {
		return
	}
	seq, ts, marker, ok := s.sender.Next(p)
	if !ok {
		return
	}
	s.transmit(a, &pionrtp.Header{
		Version: 2, Marker: marker, PayloadType: uint8(pt),
		SequenceNumber: seq, Timestamp: ts, SSRC: s.sender.SSRC(),
	}, p.Payload)
}

// ready says that the party can be sent something now. sendMu is held, here and in transmit.
func (s *Session) ready(a *agreed) bool {
	if a.params.Quiet || !s.dest.IsValid() || s.dest.Addr().IsUnspecified() || s.dest.Port() == 0 {
		return false
	}
	return a.crypt == nil || a.crypt.seal != nil // no keys yet
}

// transmit writes one packet.
func (s *Session) transmit(a *agreed, h *pionrtp.Header, payload []byte) {
	n, err := h.MarshalTo(s.buf[:])
	if err != nil {
		return
	}
	n += copy(s.buf[n:], payload)
	if a.crypt != nil {
		var ok bool
		if n, ok = a.crypt.seal.packet(s.buf[:], n); !ok {
			return
		}
	}
	// An error is the network's (no route, no buffer): the packet is lost like any other.
	_ = s.rtpConn.WriteTo(s.buf[:n], s.dest)
}

// LastHeard is when the party last gave a sign of life, RTP or RTCP (RFC 3550 section
// 6.3.5): one that suppresses silence or is muted still reports. Zero before the first.
func (s *Session) LastHeard() time.Time {
	last := s.receiver.Stats().LastIn
	if ns := s.reported.Load(); ns != 0 && time.Unix(0, ns).After(last) {
		return time.Unix(0, ns)
	}
	return last
}

// SetSink is part of media.Leg.
func (s *Session) SetSink(sink media.Sink) {
	if sink == nil {
		s.sink.Store(nil)
		return
	}
	s.sink.Store(&sink)
}

// Stats is part of media.Leg.
func (s *Session) Stats() media.Stats {
	stats := s.receiver.Stats()
	stats.PacketsOut, stats.BytesOut = s.sender.Counters()
	stats.RoundTrip = s.sender.RoundTrip()
	stats.Stranger, stats.Refused = s.stranger.Load(), s.refused.Load()
	stats.Forged, stats.Duplicate = s.forged.Load(), stats.Duplicate+s.replayed.Load()
	return stats
}
