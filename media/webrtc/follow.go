package webrtc

import (
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
	pion "github.com/pion/webrtc/v4"
)

// followAfter is how long nothing may have come over the path in use before a check from
// elsewhere is followed. A check that somebody took down and sends again from another
// address is as authentic as the first time: while the agent is heard it changes nothing.
const followAfter = 500 * time.Millisecond

// follower keeps a connection whose client's address has changed: it went from Wi-Fi to
// cable, or its NAT gave it another port. A full ICE agent would need to nominate anew
// (RFC 8445 section 8.1.1); here its next check (RFC 7675) does, which is authenticated
// by the connection's password (RFC 8445 section 7.3). What is sent follows at once, and no
// word is needed over the WebSocket, which is as lost as the old address.
type follower struct {
	mu     sync.Mutex
	ufrags map[*Peer]string
	routes sync.Map // our ufrag -> *route
}

// route is what is known of one connection. Only its ICE agent's goroutine comes here.
type route struct {
	peer     *Peer
	far      ice.Candidate // the far side of the path in use; nil before there is one
	priority uint64        // of the path
}

// useFollower makes engine ask it. A nomination of a path no better than the one in use, which
// may be one of the past sent again, has no effect but by follow.
func useFollower(engine *pion.SettingEngine) *follower {
	f := &follower{ufrags: make(map[*Peer]string)}
	engine.SetICEUseCandidateCheckPriority(true)
	return f
}

// add begins to follow a peer by the ufrag of our answer, until remove.
func (f *follower) add(p *Peer, answer string) {
	_, ufrag, _ := strings.Cut(answer, "\na=ice-ufrag:")
	ufrag, _, _ = strings.Cut(ufrag, "\r\n")
	f.mu.Lock()
	f.ufrags[p] = ufrag
	f.mu.Unlock()
	f.routes.Store(ufrag, &route{peer: p})
	select {
	case <-p.done:
		f.remove(p) // it may have been called already
	default:
	}
}

func (f *follower) remove(p *Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.routes.Delete(f.ufrags[p])
	delete(f.ufrags, p)
}

// follow is asked about every authentic check, once it was answered; true makes its pair the
// path. A nomination has had its effect already.
func (f *follower) follow(m *stun.Message, local, far ice.Candidate, _ *ice.CandidatePair) bool {
	name, err := m.Get(stun.AttrUsername)
	if err != nil {
		return false
	}
	ufrag, _, _ := strings.Cut(string(name), ":")
	known, ok := f.routes.Load(ufrag)
	if !ok {
		return false
	}
	r := known.(*route)
	priority := pairPriority(far.Priority(), local.Priority())
	nominated := m.Contains(stun.AttrUseCandidate) && (r.far == nil || priority > r.priority)
	moved := !nominated && r.far != nil && !r.far.Equal(far) && time.Since(r.far.LastReceived()) >= followAfter &&
		r.peer.cfg.link.quietFor(followAfter)
	if nominated || moved {
		r.far, r.priority = far, priority
	}
	return moved
}

// pairPriority orders pairs as RFC 8445 section 6.1.2.3 does, without its overflow.
func pairPriority(controlling, controlled uint32) uint64 {
	p := (1<<32-1)*uint64(min(controlling, controlled)) + 2*uint64(max(controlling, controlled))
	if controlling > controlled {
		p++
	}
	return p
}

// roaming is the client's UDP: one socket of each family, bound to no interface. The
// system routes every packet, so it leaves by the interface that there is, whichever there
// was before.
type roaming struct{ muxes []ice.UDPMux }

// oneAddress keeps a mux from making a candidate of every interface: all would be the same socket.
type oneAddress struct {
	ice.UDPMux
	addr net.Addr
}

func (o oneAddress) GetListenAddresses() []net.Addr { return []net.Addr{o.addr} }

// roam gives engine its sockets. close is to be called when the connection is gone.
func roam(engine *pion.SettingEngine) (closeAll func(), err error) {
	var r roaming
	for _, network := range []string{"udp4", "udp6"} {
		addr := anyAddress(network == "udp6")
		if !addr.IsValid() {
			continue // a machine without this family
		}
		conn, e := net.ListenUDP(network, nil)
		if e != nil {
			err = e
			continue
		}
		port := conn.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		r.muxes = append(r.muxes, oneAddress{
			UDPMux: pion.NewICEUDPMux(silence, conn),
			addr:   net.UDPAddrFromAddrPort(netip.AddrPortFrom(addr, port)),
		})
	}
	if len(r.muxes) == 0 {
		return nil, err
	}
	engine.SetICEUDPMux(ice.NewMultiUDPMuxDefault(r.muxes...))
	return r.close, nil
}

func (r roaming) close() {
	for _, m := range r.muxes {
		_ = m.Close() // its socket goes either way
	}
}

// anyAddress is one of this machine's, to stand in a candidate; of IPv6 a global one.
func anyAddress(six bool) netip.Addr {
	found := netip.Addr{}
	if !six {
		found = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	addrs, _ := net.InterfaceAddrs() // none is an answer, too
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		if !ok {
			continue
		}
		addr, ok := netip.AddrFromSlice(n.IP)
		if addr = addr.Unmap(); ok && addr.Is6() == six && addr.IsGlobalUnicast() {
			return addr
		}
	}
	return found
}
