package service

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/headroom-voice/headroom/internal/config"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/internal/trunktest"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip/carrier"
)

// testPairs is how many pairs of RTP ports a test has: the last of the range, which a service
// that runs beside it takes last.
const testPairs = 8

// TrunkTest is what it takes to try a trunk the way a service with that file would use it, but
// from ports of its own: the same addresses, transports, certificate and DNS servers.
func TrunkTest(p config.Process, site model.Site, name, version string) (trunktest.Config, error) {
	outbound := outboundTrunks(site)
	at := slices.IndexFunc(outbound, func(t carrier.Trunk) bool { return t.ID == name })
	if at < 0 {
		return trunktest.Config{}, noSuchTrunk(site, name)
	}
	high := int(p.RTP.Ports.High)
	ports, err := rtp.NewPorts(p.RTP.Address, max(int(p.RTP.Ports.Low), high-2*testPairs+1), high, 0)
	if err != nil {
		return trunktest.Config{}, fmt.Errorf("rtp: %w", err)
	}
	dns, err := resolverConfig(p.SIP)
	if err != nil {
		return trunktest.Config{}, err
	}
	cfg := sipConfig(p, ports, version)
	for _, listen := range []*string{&cfg.UDP, &cfg.TCP, &cfg.TLS.Listen} {
		if a, err := netip.ParseAddrPort(*listen); err == nil {
			*listen = netip.AddrPortFrom(a.Addr(), 0).String()
		}
	}
	return trunktest.Config{Trunk: outbound[at], SIP: cfg, DNS: dns}, nil
}

// noSuchTrunk says why there is nothing to try.
func noSuchTrunk(site model.Site, name string) error {
	var names []string
	for _, t := range site.Trunks {
		if string(t.ID) == name {
			return fmt.Errorf("trunk %q has no outbound.targets in the site file: it is only called from, and nothing can be tried from here", name)
		}
		names = append(names, string(t.ID))
	}
	if len(names) == 0 {
		return errors.New("the site in force has no trunks; write one into the site file and apply it")
	}
	return fmt.Errorf("there is no trunk %q; the site in force has %s", name, strings.Join(names, ", "))
}
