package service

import (
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/webrtc"
	"github.com/headroom-voice/headroom/media/webrtc/relay"
)

// webrtcConfig is a process's side of the agents' audio.
func webrtcConfig(w config.WebRTC) webrtc.Config {
	return webrtc.Config{Listen: w.Listen, ListenTCP: w.TCP, Advertise: w.Advertise}
}

// newRelay opens the way over TLS, if there is to be one.
func (s *Service) newRelay() (err error) {
	w := s.cfg.Process.WebRTC
	if w.Relay.Listen == "" {
		return nil
	}
	s.relay, err = relay.New(relay.Config{
		Listen: w.Relay.Listen, Certificate: w.Relay.Certificate, Key: w.Relay.Key, Address: w.Relay.Address,
		Media: s.gateway.Addr(), Advertise: w.Advertise,
	}, s.log.With("component", "relay"))
	return err
}

// relays hands out tickets, and others when half of their time is over.
func (s *Service) relays() call.Relays {
	if s.relay == nil {
		return nil
	}
	return func(agent model.AgentID) ([]protocol.ICEServer, time.Duration) {
		t := s.relay.Ticket(string(agent))
		return []protocol.ICEServer{{URLs: []string{t.URL}, Username: t.Username, Credential: t.Credential}}, time.Until(t.Expires) / 2
	}
}
