package webrtc

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/interceptor"
	"github.com/pion/logging"
	"github.com/pion/transport/v4"
	"github.com/pion/transport/v4/stdnet"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/socket"
)

// What Accept refuses.
var (
	ErrOffer  = errors.New("offer cannot be taken")
	ErrFull   = errors.New("too many media connections")
	ErrClosed = errors.New("closed")
)

// Why a Peer's connection ended, see Peer.Err.
var (
	ErrConnectTimeout = errors.New("media connection was not set up in time")
	ErrLost           = errors.New("media connection lost")
	ErrFingerprint    = errors.New("the certificate is not the one that the session description names")
)

// certificateRest is how long a certificate must still last for a connection made with it.
const certificateRest = 7 * 24 * time.Hour

// networkAge is how old the list of the machine's interfaces may be.
const networkAge = 10 * time.Second

// Config of a Gateway. Only Listen must be given.
type Config struct {
	Listen         string        // UDP address and port that all peers share, e.g. "0.0.0.0:8189"
	ListenTCP      string        // TCP address and port for those whom no UDP reaches; "" is off
	Advertise      []netip.Addr  // addresses to name to peers in place of the local ones, e.g. behind NAT
	MaxPeers       int           // default 4096
	ConnectTimeout time.Duration // from answer to ICE and DTLS done, default 15 s
	LostAfter      time.Duration // without a sign of life, default 15 s

	Poller *socket.Poller // reads the port; by default the Gateway's own
}

func (c Config) withDefaults() Config {
	if c.MaxPeers == 0 {
		c.MaxPeers = 4096
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 15 * time.Second
	}
	if c.LostAfter == 0 {
		c.LostAfter = 15 * time.Second
	}
	if c.Poller == nil {
		c.Poller = socket.NewPoller(0)
	}
	return c
}

// Gateway answers offers and owns the UDP port of all its peers.
type Gateway struct {
	cfg    Config
	log    *slog.Logger
	door   *door
	mux    ice.UDPMux
	tcp    *tcpPort // nil is off
	engine pion.SettingEngine

	follower *follower

	mu     sync.Mutex
	cert   *pion.Certificate // of all peers; made anew before it expires
	net    transport.Net     // the machine's interfaces, as they were at netAt
	netAt  time.Time
	closed bool
	peers  map[*Peer]struct{}
}

// New opens the UDP port. Peers can be accepted at once; Close gives everything back.
func New(cfg Config, log *slog.Logger) (*Gateway, error) {
	cfg = cfg.withDefaults()
	d, err := openDoor(cfg.Listen, cfg.Poller)
	if err != nil {
		return nil, fmt.Errorf("media port: %w", err)
	}
	engine := commonSettings(cfg.LostAfter)
	mux := pion.NewICEUDPMux(silence, d)
	engine.SetICEUDPMux(mux)
	engine.SetLite(true)
	engine.SetIncludeLoopbackCandidate(d.local.IP.IsLoopback())
	// The offerer's side of ICE nominates, so it knows first when packets may flow: let it begin DTLS too.
	if err := engine.SetAnsweringDTLSRole(pion.DTLSRoleServer); err != nil {
		return nil, errors.Join(err, mux.Close(), d.Close())
	}
	tcp, err := listenTCP(cfg, &engine, d)
	if err != nil {
		return nil, errors.Join(err, mux.Close(), d.Close())
	}
	follower := useFollower(&engine)
	return &Gateway{cfg: cfg, log: log, door: d, mux: mux, tcp: tcp, engine: engine, follower: follower, peers: make(map[*Peer]struct{})}, nil
}

// Addr is the UDP address in use, with the port the system chose if Listen named none.
func (g *Gateway) Addr() netip.AddrPort {
	return g.door.conns[0].LocalAddr()
}

// Poller reads the port, and may read the sockets of others.
func (g *Gateway) Poller() *socket.Poller { return g.cfg.Poller }

// AddrTCP is the TCP address in use; not valid when there is none.
func (g *Gateway) AddrTCP() netip.AddrPort { return g.tcp.addr() }

// Peers counts the connections that stand or are being set up.
func (g *Gateway) Peers() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.peers)
}

// Accept answers an offer of one audio section. The peer's connection comes up by
// itself (Connected) or is given up after Config.ConnectTimeout (Done). Errors wrap
// ErrOffer when the offer is at fault, ErrFull or ErrClosed otherwise.
func (g *Gateway) Accept(ctx context.Context, offerSDP string) (*Peer, string, error) {
	offer, err := readOffer(offerSDP)
	if err != nil {
		return nil, "", err
	}
	peer, err := g.newPeer(offer.packetTime)
	if err != nil {
		return nil, "", err
	}
	answer, err := peer.answer(ctx, offer.sdp)
	if err != nil {
		_ = peer.Close()
		return nil, "", err
	}
	g.follower.add(peer, answer)
	if len(g.cfg.Advertise) > 0 {
		if answer, err = advertise(answer, g.cfg.Advertise, g.Addr().Port(), g.AddrTCP().Port()); err != nil {
			_ = peer.Close()
			return nil, "", err
		}
	}
	return peer, answer, nil
}

func (g *Gateway) newPeer(packetTime time.Duration) (*Peer, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, fmt.Errorf("gateway: %w", ErrClosed)
	}
	if len(g.peers) >= g.cfg.MaxPeers {
		return nil, fmt.Errorf("%d: %w", len(g.peers), ErrFull)
	}
	cert, err := g.certificate()
	if err != nil {
		return nil, err
	}
	network, err := g.network()
	if err != nil {
		return nil, err
	}
	l := &link{door: g.door, onCheck: g.follower.follow}
	engine := l.settings(g.engine)
	engine.SetNet(network)
	api, err := newAPI(engine)
	if err != nil {
		return nil, err
	}
	// Music and prompts are encoded for the agent in G.711: a thousandth of the cost of Opus.
	p, err := newPeer(api, peerConfig{
		link:           l,
		certificate:    cert,
		preferred:      []media.Codec{media.PCMU, media.PCMA, media.Opus},
		packetTime:     packetTime,
		connectTimeout: g.cfg.ConnectTimeout,
		log:            g.log,
		onFreed:        g.forget,
	})
	if err != nil {
		return nil, err
	}
	g.peers[p] = struct{}{}
	return p, nil
}

// certificate is what DTLS shows of us, whose fingerprint is in each answer. Needs g.mu.
func (g *Gateway) certificate() (*pion.Certificate, error) {
	if g.cert != nil && time.Until(g.cert.Expires()) > certificateRest {
		return g.cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	if g.cert, err = pion.GenerateCertificate(key); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return g.cert, nil
}

// network is what Pion knows of the machine's interfaces; without it every connection asks
// the system and keeps the answer. Needs g.mu.
func (g *Gateway) network() (transport.Net, error) {
	if g.net != nil && time.Since(g.netAt) < networkAge {
		return g.net, nil
	}
	network, err := stdnet.NewNet()
	if err != nil {
		return nil, fmt.Errorf("network interfaces: %w", err)
	}
	g.net, g.netAt = network, time.Now()
	return network, nil
}

func (g *Gateway) forget(p *Peer) {
	g.follower.remove(p)
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.peers, p)
}

// Close ends every peer and gives the port back.
func (g *Gateway) Close() error {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		return nil
	}
	g.closed = true
	peers := make([]*Peer, 0, len(g.peers))
	for p := range g.peers {
		peers = append(peers, p)
	}
	g.mu.Unlock()

	var wg sync.WaitGroup
	errs := make([]error, len(peers))
	for i, p := range peers {
		wg.Go(func() { errs[i] = p.Close() })
	}
	wg.Wait()
	return errors.Join(append(errs, g.mux.Close(), g.tcp.close(), g.door.Close())...)
}

// commonSettings are what both sides need of Pion.
func commonSettings(lostAfter time.Duration) pion.SettingEngine {
	engine := pion.SettingEngine{LoggerFactory: quiet{}}
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	engine.DisableActiveTCP(true)
	engine.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4, pion.NetworkTypeUDP6})
	engine.SetICETimeouts(lostAfter/3, lostAfter-lostAfter/3, min(2*time.Second, lostAfter/4))
	// AES-GCM costs a third of HMAC-SHA1 per packet; every browser has it.
	engine.SetSRTPProtectionProfiles(dtls.SRTP_AEAD_AES_128_GCM, dtls.SRTP_AES128_CM_HMAC_SHA1_80)
	engine.SetReceiveMTU(maxPacket)
	return engine
}

// newAPI registers the codecs and no interceptor. Opus is decoded at 16 kHz here, and
// the answer says so (RFC 7587 section 6.1): nothing above 8 kHz is worth sending.
func newAPI(engine pion.SettingEngine) (*pion.API, error) {
	var codecs pion.MediaEngine
	for _, c := range offeredCodecs() {
		if err := codecs.RegisterCodec(c, pion.RTPCodecTypeAudio); err != nil {
			return nil, fmt.Errorf("register %s: %w", c.MimeType, err)
		}
	}
	return pion.NewAPI(pion.WithMediaEngine(&codecs), pion.WithSettingEngine(engine),
		pion.WithInterceptorRegistry(&interceptor.Registry{})), nil
}

func offeredCodecs() []pion.RTPCodecParameters {
	return []pion.RTPCodecParameters{
		{PayloadType: 111, RTPCodecCapability: pion.RTPCodecCapability{
			MimeType: pion.MimeTypeOpus, ClockRate: 48000, Channels: 2,
			SDPFmtpLine: "minptime=10;useinbandfec=1;maxplaybackrate=16000",
		}},
		{PayloadType: 0, RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMU, ClockRate: 8000}},
		{PayloadType: 8, RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypePCMA, ClockRate: 8000}},
		{PayloadType: 9, RTPCodecCapability: pion.RTPCodecCapability{MimeType: pion.MimeTypeG722, ClockRate: 8000}},
		{PayloadType: 13, RTPCodecCapability: pion.RTPCodecCapability{MimeType: "audio/CN", ClockRate: 8000}},
		{PayloadType: 110, RTPCodecCapability: pion.RTPCodecCapability{MimeType: mimeTypeEvent, ClockRate: 48000}},
		{PayloadType: 126, RTPCodecCapability: pion.RTPCodecCapability{MimeType: mimeTypeEvent, ClockRate: 8000}},
	}
}

// preferred is offeredCodecs without those that the other side did not offer: Pion refuses
// to prefer what is not there.
func preferred(agreed []pion.RTPCodecParameters) []pion.RTPCodecParameters {
	return slices.DeleteFunc(offeredCodecs(), func(c pion.RTPCodecParameters) bool {
		return !slices.ContainsFunc(agreed, func(a pion.RTPCodecParameters) bool { return codecOf(a) == codecOf(c) })
	})
}

// codecOf names the codec of a MIME type, case-insensitively as RFC 8866 has it.
func codecOf(p pion.RTPCodecParameters) media.Codec {
	for _, c := range []media.Codec{media.PCMU, media.PCMA, media.G722, media.Opus, media.CN} {
		if strings.EqualFold(p.MimeType, "audio/"+c.String()) && int(p.ClockRate) == c.ClockRate() {
			return c
		}
	}
	return media.NoCodec
}

// quiet keeps Pion from printing: what matters of a connection's fate is in Peer.Err.
type quiet struct{}

func (quiet) NewLogger(string) logging.LeveledLogger { return silence }

// silence is one for all connections, which would have dozens each.
var silence = logging.NewDefaultLeveledLoggerForScope("", logging.LogLevelDisabled, io.Discard)
