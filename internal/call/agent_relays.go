package call

import (
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
)

// Relays gives what an agent's client needs to be connected where the network lets nothing but
// HTTPS through, and in how long it needs another; none is none. It must not block.
type Relays func(agent model.AgentID) (servers []protocol.ICEServer, renew time.Duration)

// handOutRelays is for the Welcome, and sets the clock for the next ones.
func (a *Agent) handOutRelays() []protocol.ICEServer {
	if a.sb.deps.Relays == nil {
		return nil
	}
	servers, renew := a.sb.deps.Relays(a.id)
	a.relays.set(renew)
	return servers
}

// renewRelays hands out others before the last ones end. A client without a link gets them with
// its Welcome.
func (a *Agent) renewRelays() {
	a.relays.clear()
	if a.link != nil {
		a.send("", protocol.ICEServers{ICEServers: a.handOutRelays()})
	}
}
