package webrtc

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/rtcp"
	rtpwire "github.com/pion/rtp"
	"github.com/pion/stun/v4"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

// link is the packets of one peer of a Gateway's, past Pion: its connection is Pion's (SDP,
// ICE, DTLS), but with the keys that DTLS gave, packets are encrypted and decrypted here.
// They are taken from addresses that ICE has checked and go to the pair it selected.
type link struct {
	peer *Peer
	door *door
	ring keyring

	crypt atomic.Pointer[rtp.Crypt] // nil until DTLS is done: nothing is heard or sent
	way   atomic.Pointer[way]       // nil until ICE has selected a pair
	heard atomic.Int64              // when an authentic packet last came over way, Unix nanoseconds

	onCheck func(*stun.Message, ice.Candidate, ice.Candidate, *ice.CandidatePair) bool // says that a pair is to be selected; nil: Pion does

	sources []source // guarded by door.mu, as gone
	gone    bool

	out [maxPacket + rtp.Room]byte // guarded by voice.mu

	mu     sync.Mutex // of what arrives: mostly on one goroutine, but a peer may move
	closed bool
	wire   rtpwire.Packet
	packet media.Packet
}

// settings adds the peer's own to those of all.
func (l *link) settings(engine pion.SettingEngine) pion.SettingEngine {
	engine.SetDTLSKeyLogWriter(&l.ring)
	engine.SetDTLSServerHelloMessageHook(l.ring.hello)
	engine.SetICEBindingRequestHandler(l.bindingRequest)
	return engine
}

// follow lets the link know what becomes of the connection, before it begins.
func (l *link) follow(transport *pion.DTLSTransport) {
	transport.OnStateChange(func(s pion.DTLSTransportState) {
		if s == pion.DTLSTransportStateConnected {
			l.keyed()
		}
	})
	transport.ICETransport().OnSelectedCandidatePairChange(func(pair *pion.ICECandidatePair) {
		if pair == nil || pair.Remote == nil {
			return
		}
		if to, ok := sourceOf(pair.Remote.Address, int(pair.Remote.Port), pair.Remote.Protocol == pion.ICEProtocolTCP); ok {
			l.way.Store(l.door.way(to))
		}
	})
}

// bindingRequest is a check of the peer's, which proved by its integrity that it comes
// from whom we answered (RFC 8445 section 7.3). Which pair is selected is Pion's business.
func (l *link) bindingRequest(m *stun.Message, local, remote ice.Candidate, pair *ice.CandidatePair) bool {
	if from, ok := sourceOf(remote.Address(), remote.Port(), remote.NetworkType().IsTCP()); ok {
		l.door.checked(l, from)
	}
	return l.onCheck != nil && l.onCheck(m, local, remote, pair)
}

func sourceOf(address string, port int, stream bool) (source, bool) {
	ip, err := netip.ParseAddr(address)
	if err != nil || port <= 0 || port > 65535 {
		return source{}, false
	}
	return source{addr: netip.AddrPortFrom(ip.Unmap(), uint16(port)), stream: stream}, true
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// keyed puts the keys into effect: DTLS is done, the certificate is the one of the offer.
func (l *link) keyed() {
	client, server, err := l.ring.keys()
	if err != nil {
		l.peer.end(err)
		return
	}
	crypt, err := rtp.NewCrypt(server, client) // we are DTLS's server
	if err != nil {
		l.peer.end(err)
		return
	}
	l.crypt.Store(crypt)
}

// receive takes a packet of the peer's. Payloads are heard only if they are authentic.
func (l *link) receive(from source, data []byte, now time.Time) {
	crypt := l.crypt.Load()
	if crypt == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if rtp.IsReport(data) {
		if plain, ok := crypt.OpenReport(data, now); ok {
			l.note(from, now)
			l.peer.tookReport(plain, now)
		}
		return
	}
	var ok bool
	if l.wire.Payload, ok = crypt.Open(data, &l.wire.Header, now); ok {
		l.note(from, now)
		l.peer.in.packet(&l.wire, &l.packet, now)
	}
}

func (l *link) note(from source, now time.Time) {
	if way := l.way.Load(); way != nil && way.from == from {
		l.heard.Store(now.UnixNano())
	}
}

// quietFor says that nothing authentic has come over the path in use for so long.
func (l *link) quietFor(d time.Duration) bool {
	return time.Now().UnixNano()-l.heard.Load() >= int64(d)
}

// WriteRTP sends a packet; it is the stream of the peer's voice.
func (l *link) WriteRTP(h *rtpwire.Header, payload []byte) (int, error) {
	crypt, way := l.crypt.Load(), l.way.Load()
	if crypt == nil || way == nil || len(payload) > maxPacket-h.MarshalSize() {
		return 0, nil
	}
	n, err := h.MarshalTo(l.out[:])
	if err != nil {
		return 0, err
	}
	n += copy(l.out[n:], payload)
	if n, ok := crypt.Seal(l.out[:], n); ok {
		way.send(l.out[:n])
	}
	return len(payload), nil
}

// Write is part of Pion's TrackLocalWriter; nobody calls it.
func (l *link) Write([]byte) (int, error) { return 0, nil }

// writeReport sends a compound RTCP packet.
func (l *link) writeReport(packets []rtcp.Packet) {
	crypt, way := l.crypt.Load(), l.way.Load()
	if crypt == nil || way == nil {
		return
	}
	data, err := rtcp.Marshal(packets)
	if err != nil {
		return
	}
	if data, ok := crypt.SealReport(data); ok {
		way.send(data)
	}
}

// close returns when nothing is handed to the peer any more.
func (l *link) close() {
	l.door.forget(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

// refused adds to the counters what the keys did not fit.
func (l *link) refused(s *media.Stats) {
	if crypt := l.crypt.Load(); crypt != nil {
		forged, replayed := crypt.Refused()
		s.Forged, s.Duplicate = s.Forged+forged, s.Duplicate+replayed
	}
}
