package webrtc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/dtls/v3"
	"github.com/pion/ice/v4"
	"github.com/pion/logging"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media"
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

// Config of a Gateway. Only Listen must be given.
type Config struct {
	Listen         string        // UDP address and port that all peers share, e.g. "0.0.0.0:8189"
	ListenTCP      string        // TCP address and port for those whom no UDP reaches; "" is off
	Advertise      []netip.Addr  // addresses to name to peers in place of the local ones, e.g. behind NAT
	MaxPeers       int           // default 4096
	ConnectTimeout time.Duration // from answer to ICE and DTLS done, default 15 s
	LostAfter      time.Duration // without a sign of life, default 15 s
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
	return c
}

// Gateway answers offers and owns the UDP port of all its peers.
type Gateway struct {
	cfg  Config
	log  *slog.Logger
	conn *net.UDPConn
	mux  ice.UDPMux
	tcp  *tcpPort // nil is off
	api  *pion.API

	follower *follower

	mu     sync.Mutex
	closed bool
	peers  map[*Peer]struct{}
}

// New opens the UDP port. Peers can be accepted at once; Close gives everything back.
func New(cfg Config, log *slog.Logger) (*Gateway, error) {
	cfg = cfg.withDefaults()
	addr, err := net.ResolveUDPAddr("udp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("media port: %w", err)
	}
	conn, err := net.ListenUDP("udp", addr)
	if err != nil {
		return nil, fmt.Errorf("media port: %w", err)
	}
	// One socket carries every agent: room for 100 ms of 1000 peers. Best effort, the kernel may cap it.
	_ = conn.SetReadBuffer(2 << 20)
	_ = conn.SetWriteBuffer(2 << 20)

	engine := commonSettings(cfg.LostAfter)
	mux := pion.NewICEUDPMux(silence, conn)
	engine.SetICEUDPMux(mux)
	engine.SetLite(true)
	engine.SetIncludeLoopbackCandidate(conn.LocalAddr().(*net.UDPAddr).IP.IsLoopback())
	// The offerer's side of ICE nominates, so it knows first when packets may flow: let it begin DTLS too.
	if err := engine.SetAnsweringDTLSRole(pion.DTLSRoleServer); err != nil {
		return nil, errors.Join(err, mux.Close(), conn.Close())
	}
	tcp, err := listenTCP(cfg, &engine)
	if err != nil {
		return nil, errors.Join(err, mux.Close(), conn.Close())
	}
	follower := useFollower(&engine)
	api, err := newAPI(engine)
	if err != nil {
		return nil, errors.Join(err, mux.Close(), conn.Close(), tcp.close())
	}
	return &Gateway{cfg: cfg, log: log, conn: conn, mux: mux, tcp: tcp, api: api, follower: follower, peers: make(map[*Peer]struct{})}, nil
}

// Addr is the UDP address in use, with the port the system chose if Listen named none.
func (g *Gateway) Addr() netip.AddrPort {
	return g.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

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
	// Music and prompts are encoded for the agent in G.711: a thousandth of the cost of Opus.
	p, err := newPeer(g.api, peerConfig{
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
	err := errors.Join(append(errs, g.mux.Close(), g.tcp.close())...)
	if cerr := g.conn.Close(); cerr != nil && !errors.Is(cerr, net.ErrClosed) {
		err = errors.Join(err, cerr)
	}
	return err
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
	return pion.NewAPI(pion.WithMediaEngine(&codecs), pion.WithSettingEngine(engine)), nil
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
	}
}

// codecOf names the codec of a MIME type, case-insensitively as RFC 8866 has it.
func codecOf(p pion.RTPCodecParameters) media.Codec {
	for _, c := range []media.Codec{media.PCMU, media.PCMA, media.G722, media.Opus} {
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
