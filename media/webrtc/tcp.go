package webrtc

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/pion/ice/v4"
	pion "github.com/pion/webrtc/v4"

	"github.com/headroom-voice/headroom/media/webrtc/guard"
)

// Bounds of the TCP port, for agents whose network lets no UDP through (ICE-TCP, RFC 6544).
const (
	tcpPerSource = 256             // connections from one address: an office behind NAT
	firstCheck   = 5 * time.Second // from connecting to the first check
	unclaimed    = 5 * time.Second // for a connection whose check names no peer of ours
	tcpReadAhead = 32              // packets that wait for their peer's reader
	// What waits for a slow network, in bytes; then packets are lost, as they are over UDP. Audio
	// that comes a second late is worth nothing: this is a second of G.711.
	tcpWriteBehind = 10 << 10
)

// tcpPort is one TCP port for all peers; nil is none.
type tcpPort struct {
	listener *guard.Listener
	mux      ice.TCPMux
}

// listenTCP opens the port and makes it known to engine.
func listenTCP(cfg Config, engine *pion.SettingEngine, d *door) (*tcpPort, error) {
	if cfg.ListenTCP == "" {
		return nil, nil //nolint:nilnil // nil is off
	}
	addr, err := net.ResolveTCPAddr("tcp", cfg.ListenTCP)
	if err != nil {
		return nil, fmt.Errorf("media port: %w", err)
	}
	l, err := net.ListenTCP("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("media port: %w", err)
	}
	p := &tcpPort{listener: guard.New(l, guard.Limits{Total: 2 * cfg.MaxPeers, PerSource: tcpPerSource, Backlog: tcpWriteBehind})}
	p.mux = ice.NewTCPMuxDefault(ice.TCPMuxParams{
		Listener: p.listener, Logger: silence,
		ReadBufferSize: tcpReadAhead, WriteBufferSize: tcpWriteBehind,
		FirstStunBindTimeout: firstCheck, AliveDurationForConnFromStun: unclaimed,
	})
	engine.SetICETCPMux(d.overTCP(p.mux))
	engine.SetNetworkTypes([]pion.NetworkType{pion.NetworkTypeUDP4, pion.NetworkTypeUDP6, pion.NetworkTypeTCP4, pion.NetworkTypeTCP6})
	return p, nil
}

func (p *tcpPort) addr() netip.AddrPort {
	if p == nil {
		return netip.AddrPort{}
	}
	return p.listener.Addr().(*net.TCPAddr).AddrPort()
}

func (p *tcpPort) close() error {
	if p == nil {
		return nil
	}
	return p.mux.Close()
}
