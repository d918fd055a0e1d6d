package webrtc

import (
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"
	rtpwire "github.com/pion/rtp"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/rtp"
)

// connectWith is connect with a client that is set up otherwise.
func connectWith(t *testing.T, g *Gateway, setUp func(*pion.SettingEngine)) (client, service *Peer) {
	t.Helper()
	engine := commonSettings(15 * time.Second)
	engine.SetIncludeLoopbackCandidate(true)
	setUp(&engine)
	api, err := newAPI(engine)
	if err != nil {
		t.Fatal(err)
	}
	client, err = newPeer(api, peerConfig{
		preferred: []media.Codec{media.Opus}, packetTime: 20 * time.Millisecond,
		connectTimeout: patience, log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	sdp, err := client.offer()
	if err != nil {
		t.Fatal(err)
	}
	service, answer, err := g.Accept(t.Context(), sdp)
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Answered(answer); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Peer{client, service} {
		await(t, "connection", p.Connected())
	}
	return client, service
}

// hearEachOther has both say something and the other hear it.
func hearEachOther(t *testing.T, client, service *Peer) {
	t.Helper()
	up, down := make(heard, 64), make(heard, 64)
	service.SetSink(up)
	client.SetSink(down)
	defer speak(client, media.Opus)()
	defer speak(service, media.PCMU)()
	for range 5 {
		if p := next(t, up); !strings.HasPrefix(string(p.Payload), "opus packet ") {
			t.Fatalf("service heard %v %q", p.Codec, p.Payload)
		}
		if p := next(t, down); !strings.HasPrefix(string(p.Payload), "PCMU packet ") {
			t.Fatalf("client heard %v %q", p.Codec, p.Payload)
		}
	}
	if s := service.Stats(); s.Forged != 0 || s.Lost != 0 {
		t.Errorf("service: %+v", s)
	}
}

func TestEveryCipherThatAClientMayChooseIsHeard(t *testing.T) {
	for name, setUp := range map[string]func(*pion.SettingEngine){
		"SRTP AES-CM, SHA-1":   func(e *pion.SettingEngine) { e.SetSRTPProtectionProfiles(dtls.SRTP_AES128_CM_HMAC_SHA1_80) },
		"SRTP AES-GCM":         func(e *pion.SettingEngine) { e.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM) },
		"DTLS AES-256 SHA-384": func(e *pion.SettingEngine) { e.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384) },
		"DTLS AES-256 SHA-1":   func(e *pion.SettingEngine) { e.SetDTLSCipherSuites(dtls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA) },
		"no extended master secret": func(e *pion.SettingEngine) {
			e.SetDTLSExtendedMasterSecret(dtls.DisableExtendedMasterSecret)
		},
	} {
		t.Run(name, func(t *testing.T) {
			client, service := connectWith(t, newGateway(t, Config{}), setUp)
			hearEachOther(t, client, service)
			ring := &service.cfg.link.ring
			ring.mu.Lock()
			defer ring.mu.Unlock()
			if ring.secret != nil {
				t.Error("the secret is still held")
			}
		})
	}
}

func TestWhoWasOverTCPIsForgottenByTheDoor(t *testing.T) {
	g := newGateway(t, Config{ListenTCP: "127.0.0.1:0"})
	tcp := []pion.NetworkType{pion.NetworkTypeTCP4}
	client, service := connectWith(t, g, func(e *pion.SettingEngine) {
		e.DisableActiveTCP(false)
		e.SetNetworkTypes(tcp)
	})
	hearEachOther(t, client, service)
	_ = service.Close()
	if tab := g.door.table.Load(); len(tab.links) != 0 || len(tab.streams) != 0 {
		t.Errorf("the door still knows %v, %d streams", tab.links, len(tab.streams))
	}
}

// bare is a link without a connection: a peer's packets and nothing else of it, and the
// far side's socket and keys.
type bare struct {
	peer  *Peer
	link  *link
	far   *net.UDPConn
	crypt *rtp.Crypt
}

func newBare(t *testing.T) *bare {
	t.Helper()
	g := newGateway(t, Config{})
	far, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(g.Addr()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = far.Close() })
	key := func(seed byte) rtp.Key {
		material := make([]byte, rtp.AEADAES128GCM.KeyLen()+rtp.AEADAES128GCM.SaltLen())
		for i := range material {
			material[i] = seed + byte(i)
		}
		k, err := rtp.NewKey(rtp.AEADAES128GCM, material, nil)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	ours, err := rtp.NewCrypt(key(1), key(99))
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := rtp.NewCrypt(key(99), key(1))
	if err != nil {
		t.Fatal(err)
	}
	l := &link{door: g.door}
	p := &Peer{cfg: peerConfig{link: l}}
	l.peer = p
	l.crypt.Store(ours)
	where := source{addr: far.LocalAddr().(*net.UDPAddr).AddrPort()}
	g.door.checked(l, where)
	l.way.Store(g.door.way(where))
	t.Cleanup(l.close)
	var codecs [128]media.Codec
	codecs[0] = media.PCMU
	p.in.codecs.Store(&codecs)
	p.out.offer(media.PCMU, 0)
	p.out.stream, p.out.sender = l, rtp.NewSender(7)
	p.out.open()
	return &bare{peer: p, link: l, far: far, crypt: theirs}
}

// echo says what it hears.
type echo struct{ p *Peer }

func (e echo) Packet(p *media.Packet) { e.p.Send(p) }

func TestPacketThereAndBackAllocatesNothing(t *testing.T) {
	b := newBare(t)
	b.peer.SetSink(echo{b.peer})
	out, in := make([]byte, maxPacket), make([]byte, maxPacket)
	h := rtpwire.Header{Version: 2, SSRC: 5, SequenceNumber: 1000}
	var got rtpwire.Header
	_ = b.far.SetReadDeadline(time.Now().Add(patience))
	once := func() {
		h.SequenceNumber++
		h.Timestamp += 160
		n, err := h.MarshalTo(out)
		if err != nil {
			t.Fatal(err)
		}
		n, ok := b.crypt.Seal(out, n+160)
		if !ok {
			t.Fatal("not sealed")
		}
		if _, err := b.far.Write(out[:n]); err != nil {
			t.Fatal(err)
		}
		if n, err = b.far.Read(in); err != nil {
			t.Fatal(err)
		}
		if payload, ok := b.crypt.Open(in[:n], &got, time.Time{}); !ok || len(payload) != 160 {
			t.Fatalf("%d bytes came back, %v", len(payload), ok)
		}
	}
	once() // a source's first packet
	if n := testing.AllocsPerRun(500, once); n >= 1 {
		t.Errorf("%v allocations there and back", n)
	}
}

func TestOnlyWhatIsAuthenticAndFromACheckedAddressIsHeard(t *testing.T) {
	b := newBare(t)
	up := make(heard, 8)
	b.peer.SetSink(up)
	seal := func(seq uint16) []byte {
		h := rtpwire.Header{Version: 2, SSRC: 5, SequenceNumber: seq, Timestamp: uint32(seq) * 160}
		buf := make([]byte, maxPacket)
		n, err := h.MarshalTo(buf)
		if err != nil {
			t.Fatal(err)
		}
		n, _ = b.crypt.Seal(buf, n+copy(buf[n:], strings.Repeat("x", 160)))
		return buf[:n]
	}
	stranger, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(
		netip.MustParseAddr("127.0.0.1"), b.link.door.conns[0].LocalAddr().Port())))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stranger.Close() }()
	if _, err := stranger.Write(seal(100)); err != nil { // authentic, but from nowhere
		t.Fatal(err)
	}
	forged := seal(101)
	forged[len(forged)-1] ^= 1
	genuine := seal(102)
	for _, data := range [][]byte{forged, {0x80}, genuine[:20], genuine, genuine} {
		if _, err := b.far.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	last := seal(103)
	if _, err := b.far.Write(last); err != nil {
		t.Fatal(err)
	}
	first, second := next(t, up), next(t, up)
	if second.Seq-first.Seq != 1 || len(first.Payload) != 160 {
		t.Errorf("heard %d and %d, %d bytes", first.Seq, second.Seq, len(first.Payload))
	}
	var s media.Stats
	b.link.refused(&s)
	if s.Forged < 1 || s.Duplicate != 1 || len(up) != 0 {
		t.Errorf("forged %d, duplicate %d, %d more heard", s.Forged, s.Duplicate, len(up))
	}
	b.link.close()
	if b.link.door.checked(b.link, source{addr: stranger.LocalAddr().(*net.UDPAddr).AddrPort()}); len(b.link.door.table.Load().links) != 0 {
		t.Error("a peer that is gone is still known")
	}
}

func TestPeerHasAFewAddressesAtMost(t *testing.T) {
	b := newBare(t)
	for i := range 3 * maxSources {
		b.link.door.checked(b.link, source{addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+i))})
	}
	links := b.link.door.table.Load().links
	if n := len(links); n != maxSources {
		t.Errorf("%d addresses are known, want %d", n, maxSources)
	}
	if links[b.link.way.Load().from] != b.link {
		t.Error("the address in use was pushed out")
	}
	other := &link{door: b.link.door}
	taken := source{addr: netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(1000+3*maxSources-1))}
	b.link.door.checked(other, taken)
	if b.link.door.table.Load().links[taken] != other || len(b.link.sources) != maxSources-1 {
		t.Error("an address that another peer has now is still the first's")
	}
	b.link.door.forget(other)
}
