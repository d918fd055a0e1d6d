package service

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/headroom-voice/headroom/internal/api"
	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/carrier"
	"github.com/headroom-voice/headroom/media/sip/e164"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// newCarrier makes the outbound side of the trunks, over the sockets of the SIP server.
func (s *Service) newCarrier() error {
	cfg, err := resolverConfig(s.cfg.Process.SIP)
	if err != nil {
		return err
	}
	resolver, err := locate.New(cfg)
	if err != nil {
		return err
	}
	s.carrier = carrier.New(carrier.Config{Phone: s.sip.Client(), Locator: resolver, Met: s.sip.SetMet, Log: s.log.With("component", "carrier")})
	return s.carrier.SetTrunks(outboundTrunks(s.site))
}

// resolverConfig says whom to ask where trunks are, and what can be spoken to them.
func resolverConfig(p config.SIP) (locate.Config, error) {
	cfg := locate.Config{Transports: []string{"UDP", "TCP", "TLS"}}
	for _, server := range p.DNS {
		a, err := netip.ParseAddrPort(server)
		if err != nil {
			return cfg, fmt.Errorf("sip: dns: %w", err)
		}
		cfg.Servers = append(cfg.Servers, a)
	}
	if p.UDP == "" {
		cfg.Transports = []string{"TCP", "TLS"}
	}
	if p.TCP == "" { // without a port that is listened on, only TLS goes out
		cfg.Transports = without(cfg.Transports, "TCP")
	}
	return cfg, nil
}

func without(list []string, word string) []string {
	var out []string
	for _, w := range list {
		if w != word {
			out = append(out, w)
		}
	}
	return out
}

// takeUpTrunks puts a site's trunks into force, in both directions or in none.
func (s *Service) takeUpTrunks(site model.Site) error {
	if err := s.carrier.SetTrunks(outboundTrunks(site)); err != nil {
		return err
	}
	return s.sip.SetSite(trunks(site), sipPhones(site), site.Phones.Digest == model.PhoneSHA256)
}

// runEdge runs the SIP server and, while it runs, the trunks' outbound side: that says
// goodbye to its registrars when a drain begins, and before the sockets go.
func (s *Service) runEdge(ctx context.Context) error {
	served, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	tended, leave := context.WithCancel(ctx)
	defer leave()
	left := make(chan struct{})
	go func() {
		defer close(left)
		_ = s.carrier.Run(tended) // it has no way to fail
	}()
	go func() { // ends with the server, if not before
		select {
		case <-s.leaving:
			leave()
		case <-served.Done():
		}
	}()
	defer context.AfterFunc(ctx, func() { <-left; stop() })()
	err := s.sip.Run(served)
	stop()
	leave()
	<-left
	return err
}

// trunks translates the site's trunks for the SIP server. Unknown words cannot occur:
// internal/config refuses them.
func trunks(site model.Site) []sip.Trunk {
	out := make([]sip.Trunk, 0, len(site.Trunks))
	for _, t := range site.Trunks {
		trunk := sip.Trunk{ID: string(t.ID), Sources: t.Sources, Codecs: codecs(t), Numbers: plan(t), MediaKeys: sip.MediaKeys(t.MediaKeys), KeysBy: keysBy(t),
			Limits: sip.Limits{Calls: t.Limits.Calls, PerSecond: t.Limits.PerSecond}, Doubted: t.DistrustIdentity, Registered: t.Outbound.Contact()}
		trunk.Digest.Username, trunk.Digest.Password = t.Digest.Username, string(t.Digest.Password)
		trunk.Digest.Realm = t.Digest.Realm
		trunk.Login.Username, trunk.Login.Password = t.Outbound.Username, string(t.Outbound.Password)
		out = append(out, trunk)
	}
	return out
}

// outboundTrunks translates those that calls go out by.
func outboundTrunks(site model.Site) []carrier.Trunk {
	var out []carrier.Trunk
	for _, t := range site.Trunks {
		o := t.Outbound
		if len(o.Targets) == 0 {
			continue
		}
		trunk := carrier.Trunk{ID: string(t.ID), Domain: o.Domain, Codecs: codecs(t), Keys: sip.MediaKeys(t.MediaKeys), KeysBy: keysBy(t), Prefixes: o.Prefixes, Priority: o.Priority, Weight: o.Weight,
			Numbers: plan(t), Style: style(o.NumberFormat), KeepAlive: o.KeepAlive, FirstReply: o.FirstReply,
			Caller:   carrier.Caller{Assert: assertion(o.Identity), Account: o.FromAccount, History: o.HistoryInfo},
			Register: carrier.Registration{On: o.Register.Enabled, Registrar: o.Register.Registrar, User: o.Register.User, Expires: o.Register.Expires}}
		trunk.Login.Username, trunk.Login.Password = o.Username, string(o.Password)
		for _, x := range o.Targets {
			trunk.Targets = append(trunk.Targets, carrier.Target{URI: x.URI, Priority: x.Priority, Weight: x.Weight})
		}
		out = append(out, trunk)
	}
	return out
}

func codecs(t model.Trunk) []media.Codec {
	var out []media.Codec
	for _, name := range t.Codecs {
		switch name {
		case media.PCMU.String():
			out = append(out, media.PCMU)
		case media.PCMA.String():
			out = append(out, media.PCMA)
		case media.G722.String():
			out = append(out, media.G722)
		}
	}
	return out
}

func keysBy(t model.Trunk) sip.KeysBy {
	if t.DTMF == "auto" {
		return sip.KeysAuto
	}
	return sip.KeysBy(t.DTMF)
}

func plan(t model.Trunk) e164.Plan {
	bare := map[string]e164.Bare{"e164": e164.BareE164, "national": e164.BareNational}[t.Numbers.Bare]
	return e164.Plan{Country: t.Numbers.Country, National: t.Numbers.National, International: t.Numbers.International, Bare: bare, Short: t.Numbers.Short}
}

func style(word string) e164.Style {
	return map[string]e164.Style{"digits": e164.Digits, "dialled": e164.Dialled, "prefixed": e164.Prefixed}[word]
}

func assertion(word string) carrier.Assertion {
	return map[string]carrier.Assertion{"asserted": carrier.AssertAsserted, "preferred": carrier.AssertPreferred, "remote": carrier.AssertRemote}[word]
}

// trunkStates shows the trunks to the API.
type trunkStates struct{ s *Service }

// Trunks joins what the server has counted with how the outbound side is.
func (t trunkStates) Trunks() []api.Trunk {
	counts := t.s.sip.Trunks()
	states := make(map[string]carrier.State)
	for _, state := range t.s.carrier.States() {
		states[state.Trunk] = state
	}
	var out []api.Trunk
	for _, id := range t.s.sip.TrunkIDs() {
		n, state := counts[id], states[id]
		shown := api.Trunk{ID: model.TrunkID(id), Calls: n.Calls, In: n.In, Out: n.Out, RefusedCalls: n.Refused["calls"], RefusedRate: n.Refused["rate"]}
		if r := state.Registration; r != nil {
			shown.Registration = &api.TrunkRegistration{State: string(r.State), Server: r.Server, Since: instant(r.Since), Until: instant(r.Until),
				Next: instant(r.Next), Status: r.Status, Error: r.Error, Failures: r.Failures}
		}
		for _, x := range state.Servers {
			shown.Servers = append(shown.Servers, api.TrunkServer{Target: x.Target, Address: x.Address, State: string(x.State), Since: x.Since,
				Checked: instant(x.Checked), Status: x.Status, RoundTripMS: float64(x.RoundTrip) / float64(time.Millisecond), Why: x.Words})
		}
		out = append(out, shown)
	}
	return out
}

// instant is a time that may be none.
func instant(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
