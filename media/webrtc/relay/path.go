package relay

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/pion/turn/v5"
)

// path is one address of the media port: as agents are told, and where it is from here.
// They differ behind NAT, whose outer address can often not be reached from inside.
type path struct{ told, real netip.AddrPort }

// Errors of an allocation; the client gets 508.
var (
	errNoPath = errors.New("relay: the media port has no address of this family")
	errNotUs  = errors.New("relay: only the media port can be reached")
	errOther  = errors.New("relay: UDP to the media port is all there is")
)

// paths are the addresses of one family that the relay leads to, and no others.
func paths(media netip.AddrPort, advertise []netip.Addr, six bool) []path {
	ours := func(a netip.Addr) bool { return a.Unmap().Is4() != six }
	real := netip.AddrPortFrom(media.Addr().Unmap(), media.Port())
	everywhere := media.Addr().IsUnspecified()
	if everywhere { // the socket answers on every address of the machine, loopback included
		loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		if six {
			loopback = netip.IPv6Loopback()
		}
		real = netip.AddrPortFrom(loopback, media.Port())
	}
	if !ours(real.Addr()) {
		return nil
	}
	if len(advertise) > 0 {
		i := slices.IndexFunc(advertise, ours)
		if i < 0 {
			return nil
		}
		return []path{{told: netip.AddrPortFrom(advertise[i].Unmap(), media.Port()), real: real}}
	}
	if !everywhere {
		return []path{{told: real, real: real}}
	}
	var all []path
	addrs, _ := net.InterfaceAddrs() // none is an answer, too
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		if addr, ok := netip.AddrFromSlice(n.IP); ok && ours(addr) && !addr.IsLinkLocalUnicast() {
			own := netip.AddrPortFrom(addr.Unmap(), media.Port())
			all = append(all, path{told: own, real: own})
		}
	}
	return all
}

// addresses makes the relay's sockets. It is a turn.RelayAddressGenerator.
type addresses struct {
	media     netip.AddrPort
	advertise []netip.Addr
}

var _ turn.RelayAddressGenerator = addresses{}

// Validate has nothing to do.
func (addresses) Validate() error { return nil }

// AllocatePacketConn opens one socket. A request without a user is the library's own, for a
// reservation (RFC 8656 section 7.2) that nobody needs for audio.
func (a addresses) AllocatePacketConn(cfg turn.AllocateListenerConfig) (net.PacketConn, net.Addr, error) {
	if cfg.UserID == "" || cfg.RequestedPort != 0 {
		return nil, nil, errOther
	}
	leads := paths(a.media, a.advertise, cfg.Network == "udp6")
	if len(leads) == 0 {
		return nil, nil, errNoPath
	}
	bind := &net.UDPAddr{}
	if len(leads) == 1 {
		bind.IP = leads[0].real.Addr().AsSlice()
	}
	socket, err := net.ListenUDP(cfg.Network, bind)
	if err != nil {
		return nil, nil, fmt.Errorf("relay: %w", err)
	}
	here := socket.LocalAddr().(*net.UDPAddr).AddrPort()
	told := net.UDPAddrFromAddrPort(netip.AddrPortFrom(leads[0].told.Addr(), here.Port()))
	return &socketTo{UDPConn: socket, leads: leads}, told, nil
}

// AllocateListener refuses: there is no TCP to the media port.
func (addresses) AllocateListener(turn.AllocateListenerConfig) (net.Listener, net.Addr, error) {
	return nil, nil, errOther
}

// AllocateConn refuses, too.
func (addresses) AllocateConn(turn.AllocateConnConfig) (net.Conn, error) { return nil, errOther }

// socketTo sends to the media port and hears it, and nobody else.
type socketTo struct {
	*net.UDPConn
	leads []path
}

// WriteTo sends to an address as told, or refuses.
func (s *socketTo) WriteTo(b []byte, to net.Addr) (int, error) {
	u, ok := to.(*net.UDPAddr)
	if !ok {
		return 0, errNotUs
	}
	told := u.AddrPort()
	told = netip.AddrPortFrom(told.Addr().Unmap(), told.Port())
	for _, p := range s.leads {
		if p.told == told {
			return s.WriteToUDPAddrPort(b, p.real)
		}
	}
	return 0, errNotUs
}

// ReadFrom drops what does not come from the media port. It fails only when closed.
func (s *socketTo) ReadFrom(b []byte) (int, net.Addr, error) {
	for {
		n, from, err := s.ReadFromUDPAddrPort(b)
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return 0, nil, err
			}
			time.Sleep(time.Millisecond) // an ICMP error of the past
			continue
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		for _, p := range s.leads {
			if p.real == from {
				return n, net.UDPAddrFromAddrPort(p.told), nil
			}
		}
	}
}
