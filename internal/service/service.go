package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/headset"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/password"
	"github.com/headroom-voice/headroom/internal/phone"
	"github.com/headroom-voice/headroom/internal/recordings"
	"github.com/headroom-voice/headroom/internal/store"
	"github.com/headroom-voice/headroom/internal/toll"
	"github.com/headroom-voice/headroom/internal/web"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/registrar"
	"github.com/headroom-voice/headroom/media/webrtc"
	"github.com/headroom-voice/headroom/media/webrtc/relay"
)

// portRest is how long a pair of RTP ports lies fallow after a call, so that a late packet
// of one call is not heard in the next.
const portRest = 10 * time.Second

// Config says what to run. Beyond the process's own file it holds what tests shorten.
type Config struct {
	Process config.Process
	Site    *model.Site // applied before anything starts; nil leaves the stored site as it is
	Call    call.Config // deadlines; the zero value has the product's
	Phones  phone.Config
	// Dialling says who may call where; nil: the rules of the site.
	Dialling call.Dialling
	Version  string
}

// Service is one running call centre. New opens what can fail early (store, ports); Run
// does the work; Close gives back what New took when Run is never called.
type Service struct {
	cfg Config
	log *slog.Logger

	store    *store.Store
	bus      *events.Bus
	verdicts *headset.Service
	pacer    *prompt.Pacer
	lobby    *call.Hall
	gateway  *webrtc.Gateway
	relay    *relay.Server // nil = off
	sip      *sip.Server
	carrier  *carrier.Carrier
	board    *call.Switchboard
	toll     *toll.Service
	api      *api.Server
	debug    net.Listener // nil = off

	recordings *recordings.Service

	registrar *registrar.Registrar
	phones    *phone.Lines

	site     model.Site // as last applied to the parts; owned by Run's site watcher after New
	draining atomic.Bool
	leaving  chan struct{} // closed when a drain begins
	hurry    chan struct{} // closed by Hurry
	hurried  sync.Once
	metering sync.WaitGroup // of calls out that go on
	over     chan struct{}  // closed when nothing runs any more that could end one
}

// New opens the store, closes the record of calls that died with an earlier process,
// applies the site and binds every socket. It starts nothing.
func New(ctx context.Context, cfg Config, log *slog.Logger) (_ *Service, err error) {
	if err := cfg.Process.Validate(); err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, log: log, bus: events.NewBus(), pacer: prompt.NewPacer(), leaving: make(chan struct{}), hurry: make(chan struct{}), over: make(chan struct{})}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if err := s.openStore(ctx); err != nil {
		return nil, err
	}
	if err := s.newRecordings(ctx); err != nil {
		return nil, err
	}
	s.verdicts = headset.NewService(s.store, s.site.Headset, time.Now)
	s.toll = toll.NewService(s.store, s.site, time.Now, log.With("component", "toll"))
	if s.gateway, err = webrtc.New(webrtcConfig(cfg.Process.WebRTC), log.With("component", "webrtc")); err != nil {
		return nil, fmt.Errorf("webrtc: %w", err)
	}
	if err := s.newRelay(); err != nil {
		return nil, err
	}
	if err := s.newBoard(); err != nil {
		return nil, err
	}
	if err := s.newRegistrar(ctx); err != nil {
		return nil, err
	}
	if err := s.newSIP(); err != nil {
		return nil, err
	}
	if err := s.newPhones(ctx); err != nil {
		return nil, err
	}
	if err := s.newCarrier(); err != nil {
		return nil, err
	}
	if err := s.newAPI(); err != nil {
		return nil, err
	}
	return s, s.listen(ctx)
}

// listen opens the sockets, so that a taken port is noticed before anything starts.
func (s *Service) listen(ctx context.Context) error {
	if err := s.sip.Listen(ctx); err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	if err := s.listenDebug(ctx); err != nil {
		return err
	}
	return s.api.Listen(ctx)
}

// openStore opens the database and brings record and site up to date.
func (s *Service) openStore(ctx context.Context) error {
	p := s.cfg.Process
	if p.Database.DSN == "" {
		if err := os.MkdirAll(p.Data, 0o700); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	var err error
	if s.store, err = store.Open(ctx, p.DSN()); err != nil {
		return err
	}
	// Before the dead calls are closed: they may be another service's live ones.
	if err := s.store.Claim(ctx); err != nil {
		return err
	}
	dead, err := s.store.CloseDeadCalls(ctx, model.CauseServiceLost)
	if err != nil {
		return fmt.Errorf("close calls that died with the last run: %w", err)
	}
	for _, id := range dead {
		s.log.Warn("call died with the last run and was closed in the record", "call_id", id)
	}
	if s.cfg.Site != nil {
		changes, err := s.store.ApplySite(ctx, *s.cfg.Site)
		if err != nil {
			return fmt.Errorf("apply site: %w", err)
		}
		if !changes.Empty() {
			s.log.Info("site applied", "added", changes.Added, "changed", changes.Changed, "removed", changes.Removed)
		}
	}
	s.site, err = s.store.Site(ctx)
	return err
}

func (s *Service) newBoard() (err error) {
	s.lobby = call.NewHall(s.pacer, s.log.With("component", "call"))
	s.lobby.SiteChanged(s.site)
	s.board, err = call.New(s.cfg.Call, call.Deps{
		Journal:  s.store,
		Evidence: s.verdicts,
		Headsets: s.store,
		Gateway: call.GatewayFunc(func(ctx context.Context, offer string) (call.Peer, string, error) {
			peer, answer, err := s.gateway.Accept(ctx, offer)
			if err != nil {
				return nil, "", err // not a Peer that holds a nil
			}
			return peer, answer, nil
		}),
		Bus:    s.bus,
		Music:  call.HoldMusic(s.pacer),
		Clock:  s.pacer,
		Lobby:  s.lobby,
		Relays: s.relays(),
		Log:    s.log.With("component", "call"),

		Dialling: s.dialling(), Dialer: metered{dialer{s}, s}, Ringback: call.Ringback(s.pacer),
		Recorder: s.recordings, Beep: call.Beep(s.pacer),
	})
	if err != nil {
		return err
	}
	s.board.SiteChanged(s.site)
	return nil
}

func (s *Service) newSIP() error {
	p := s.cfg.Process
	ports, err := rtp.NewPorts(p.RTP.Address, int(p.RTP.Ports.Low), int(p.RTP.Ports.High), portRest)
	if err != nil {
		return fmt.Errorf("rtp: %w", err)
	}
	ports.ReadBy(s.gateway.Poller())
	cfg := sipConfig(p, ports, s.cfg.Version)
	cfg.Trunks, cfg.Phones, cfg.Registrar = trunks(s.site), sipPhones(s.site), s.registrar
	cfg.PhonesSHA256 = s.site.Phones.Digest == model.PhoneSHA256
	s.sip, err = sip.New(cfg, incoming{s}, s.log.With("component", "sip"))
	if err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	return nil
}

// sipConfig is a process's side of SIP, without trunks.
func sipConfig(p config.Process, ports *rtp.Ports, version string) sip.Config {
	return sip.Config{
		UDP: p.SIP.UDP, TCP: p.SIP.TCP, Advertise: p.SIP.Advertise, AdvertiseAlso: p.SIP.AdvertiseAlso,
		TLS:   sip.TLS{Listen: p.SIP.TLS.Listen, Certificate: p.SIP.TLS.Certificate, Key: p.SIP.TLS.Key, Roots: p.SIP.TLS.Roots, Ask: p.SIP.TLS.AskClients},
		Ports: ports, UserAgent: "headroom/" + version,
		SessionExpires: p.SIP.SessionTimer.Expires, MinSE: p.SIP.SessionTimer.MinSE,
		Silent: p.SIP.Strangers == config.StrangersSilent,
	}
}

// incoming hands the SIP server's calls to the switchboard, and those of users' phones to
// their lines.
type incoming struct{ s *Service }

func (h incoming) Incoming(c *sip.Call) {
	if c.Phone() != "" {
		h.s.phones.Incoming(c)
		return
	}
	h.s.board.Incoming(c)
}

func (h incoming) PhoneTransfer(t *sip.Transfer) { h.s.phones.Transfer(t) }

func (s *Service) newAPI() error {
	p := s.cfg.Process.HTTP
	registry := prometheus.NewRegistry()
	registry.MustRegister(s.collectors()...)
	server, err := api.New(api.Config{
		Listen:         p.Listen,
		SecureCookie:   p.SecureCookies,
		TrustedProxies: p.TrustedProxies,
		TrustedOrigins: p.TrustedOrigins,
		MetricsToken:   p.MetricsToken,
	}, api.Deps{
		People: s.store, Calls: s.store, Headsets: s.store, Sessions: s.store.Sessions(),
		Passwords:   password.New(runtime.NumCPU()),
		Switchboard: api.FromSwitchboard(s.board),
		Bus:         s.bus,
		Metrics:     registry,
		Trunks:      trunkStates{s},
		Bans:        sipBans{s.sip},
		Refusals:    sipBans{s.sip},
		Desks:       desks{s},
		Recordings:  recorded{s},
		Keypad:      s.board,
		Ready:       s.ready,
		Pages:       web.Handler(),
		Log:         s.log.With("component", "api"),
	})
	if err != nil {
		return fmt.Errorf("http: %w", err)
	}
	s.api = server
	return nil
}

// ready says why calls cannot be taken, or nil.
func (s *Service) ready(ctx context.Context) error {
	switch {
	case s.draining.Load():
		return errors.New("draining")
	case !s.board.Running():
		return errors.New("the switchboard does not run")
	}
	return s.store.Ping(ctx)
}

// Run serves until ctx ends, then drains: new calls are refused with 503, live ones may go
// on for Process.Shutdown.Drain, and what is left is ended with that cause. It returns when
// everything has stopped.
func (s *Service) Run(ctx context.Context) error {
	defer s.Close()
	a := s.Addrs()
	s.log.Info("service started", "version", s.cfg.Version, "http", a.HTTP, "sip_udp", a.SIPUDP, "sip_tcp", a.SIPTCP, "sip_tls", a.SIPTLS, "webrtc", a.WebRTC)
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	g, work := errgroup.WithContext(work)
	edge, stopEdge := context.WithCancel(work) // what outlives the switchboard by a moment
	defer stopEdge()
	core, stopCore := context.WithCancel(work)
	defer stopCore()

	g.Go(func() error {
		defer stopEdge()
		return s.board.Run(core)
	})
	g.Go(func() error { return s.pacer.Run(edge) })
	g.Go(func() error { return s.recordings.Run(edge) })
	g.Go(func() error { return s.runEdge(edge) })
	g.Go(func() error { return s.api.Run(edge) })
	g.Go(func() error { return s.runDebug(edge) })
	g.Go(func() error { return s.watchSite(core) })
	g.Go(func() error { return s.registrar.Run(edge) })
	g.Go(func() error { return s.phones.Run(core) })
	g.Go(func() error {
		select {
		case <-ctx.Done():
			s.drain(work)
		case <-work.Done():
		}
		stopCore()
		return nil
	})
	err := g.Wait()
	close(s.over)
	s.metering.Wait() // every call is over; what it lasted is kept before the store goes
	if errors.Is(err, context.Canceled) {
		err = nil
	}
	s.log.Info("service stopped")
	return err
}

// Hurry ends a drain that is going on, or keeps one to come from waiting: the calls that
// are live are ended at once. It may be called more than once.
func (s *Service) Hurry() { s.hurried.Do(func() { close(s.hurry) }) }

func (s *Service) drain(ctx context.Context) {
	s.draining.Store(true)
	s.sip.Drain()
	close(s.leaving)
	live := len(s.board.Calls())
	s.log.Info("stopping", "live_calls", live, "drain", s.cfg.Process.Shutdown.Drain)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	patience := time.NewTimer(s.cfg.Process.Shutdown.Drain)
	defer patience.Stop()
	go func() { // ends with drain, if not before
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
		case <-s.hurry:
		}
		if live := len(s.board.Calls()); live > 0 {
			s.log.Warn("calls that are still live are ended", "live_calls", live)
		}
		cancel()
	}()
	_ = s.board.Drain(ctx) // that not every call ended by itself was said above
}

// Close gives back sockets and the store. Run does it by itself.
func (s *Service) Close() {
	if s.sip != nil {
		s.sip.Close()
	}
	if s.api != nil {
		s.api.Close()
	}
	if s.debug != nil {
		_ = s.debug.Close()
	}
	if s.relay != nil {
		if err := s.relay.Close(); err != nil {
			s.log.Warn("close the relay", "error", err)
		}
	}
	if s.gateway != nil {
		if err := s.gateway.Close(); err != nil {
			s.log.Warn("close agents' gateway", "error", err)
		}
	}
	s.bus.Close()
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			s.log.Error("close the store", "error", err)
		}
	}
}

// Addrs are where the service can be reached; what is off is not valid.
type Addrs struct {
	HTTP           string // host:port
	SIPUDP, SIPTCP netip.AddrPort
	SIPTLS         netip.AddrPort
	WebRTC         netip.AddrPort
	WebRTCTCP      netip.AddrPort
	Relay          netip.AddrPort
}

// Addrs gives the addresses bound by New, which matters when a port was left to the system.
func (s *Service) Addrs() Addrs {
	a := Addrs{HTTP: s.api.Addr().String(), WebRTC: s.gateway.Addr(), WebRTCTCP: s.gateway.AddrTCP()}
	a.SIPUDP, a.SIPTCP = s.sip.Addrs()
	a.SIPTLS = s.sip.TLSAddr()
	if s.relay != nil {
		a.Relay = s.relay.Addr()
	}
	return a
}

// Snapshot is the floor as it was a moment ago.
func (s *Service) Snapshot() *acd.Snapshot { return s.board.Snapshot() }

// Calls are the calls in progress.
func (s *Service) Calls() []model.Call { return s.board.Calls() }

// EmptySite reports whether nobody can call and nobody can sign in yet.
func (s *Service) EmptySite() bool {
	return len(s.site.Trunks) == 0 && len(s.site.Queues) == 0 && len(s.site.Users) == 0
}
