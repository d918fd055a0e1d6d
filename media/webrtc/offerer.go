package webrtc

import (
	"crypto/x509"
	"fmt"
	"log/slog"
	"time"

	"github.com/pion/ice/v4"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media"
)

// OfferConfig is the client's side. The zero value is complete.
type OfferConfig struct {
	Relays         []Relay        // for networks that let nothing else through
	Roots          *x509.CertPool // whose certificates a relay may show; nil is the system's
	ConnectTimeout time.Duration  // from Offer to ICE and DTLS done, default 15 s
	LostAfter      time.Duration  // without a sign of life, default 15 s
}

// Relay is a TURN server (RFC 8656) and what it takes to use it.
type Relay struct {
	URLs                 []string // such as turns:media.example:443?transport=tcp
	Username, Credential string
}

// Offer makes the client's side of a connection: full ICE from one UDP socket that stays when
// the machine changes networks, and one audio section. Give the SDP to the service
// and its answer to Answered. The SDP names no candidates: an ICE-lite service learns
// them from the checks.
func Offer(cfg OfferConfig, log *slog.Logger) (*Peer, string, error) {
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = 15 * time.Second
	}
	if cfg.LostAfter == 0 {
		cfg.LostAfter = 15 * time.Second
	}
	engine := commonSettings(cfg.LostAfter)
	engine.SetIncludeLoopbackCandidate(true)
	engine.DisableActiveTCP(false) // for a service whose UDP port does not answer
	engine.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4, pion.NetworkTypeUDP6, pion.NetworkTypeTCP4, pion.NetworkTypeTCP6})
	engine.SetICEMulticastDNSMode(ice.MulticastDNSModeDisabled)
	// A change of the client's address is noticed by the service at its next check.
	engine.SetICETimeouts(cfg.LostAfter/3, cfg.LostAfter-cfg.LostAfter/3, min(time.Second, cfg.LostAfter/4))
	freeSockets, err := roam(&engine)
	if err != nil {
		return nil, "", fmt.Errorf("offer: %w", err)
	}
	if cfg.Relays = usable(cfg.Relays); len(cfg.Relays) > 0 {
		engine.SetICEProxyDialer(relayDialer{cfg.Roots})
	}
	api, err := newAPI(engine)
	if err != nil {
		freeSockets()
		return nil, "", err
	}
	// What a person says goes up wide-band, for the meters.
	p, err := newPeer(api, peerConfig{
		preferred:      []media.Codec{media.Opus, media.PCMU, media.PCMA},
		packetTime:     20 * time.Millisecond,
		connectTimeout: cfg.ConnectTimeout,
		log:            log,
		relays:         cfg.Relays,
		onFreed:        func(*Peer) { freeSockets() },
	})
	if err != nil {
		freeSockets()
		return nil, "", err
	}
	p.strain.trips = true
	sdp, err := p.offer()
	if err != nil {
		_ = p.Close()
		return nil, "", err
	}
	return p, sdp, nil
}

func (p *Peer) offer() (string, error) {
	if err := p.attach(); err != nil {
		return "", fmt.Errorf("offer: %w", err)
	}
	offer, err := p.pc.CreateOffer(nil)
	if err != nil {
		return "", fmt.Errorf("offer: %w", err)
	}
	if err := p.pc.SetLocalDescription(offer); err != nil {
		return "", fmt.Errorf("offer: %w", err)
	}
	return offer.SDP, nil
}

// Answered completes an Offer with the service's answer; the connection then comes up
// by itself (Connected, Done).
func (p *Peer) Answered(answerSDP string) error {
	if len(answerSDP) > maxSDP {
		return fmt.Errorf("answer of %d bytes: %w", len(answerSDP), ErrOffer)
	}
	if err := p.pc.SetRemoteDescription(pion.SessionDescription{Type: pion.SDPTypeAnswer, SDP: answerSDP}); err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return p.negotiated()
}
