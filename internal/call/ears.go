package call

import (
	"context"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/guard"
)

// guarded is an agent's connection whose ears are protected, whoever sends to it.
type guarded struct {
	Peer
	ears *guard.Leg
}

func (s *Switchboard) guarded(p Peer) Peer { return &guarded{Peer: p, ears: s.ears.Wrap(p)} }

// Send is part of media.Leg.
func (g *guarded) Send(p *media.Packet) { g.ears.Send(p) }

// Unwrap gives the connection itself, for what it can do besides.
func (g *guarded) Unwrap() media.Leg { return g.Peer }

// bare gives the connection behind the guard.
func bare(p Peer) Peer {
	if g, ok := p.(*guarded); ok {
		return g.Peer
	}
	return p
}

// quietEars forgets what an agent's ears were protected from before this leg.
func (l *agentLeg) quietEars() {
	if g, ok := l.peer.(*guarded); ok {
		g.ears.Shocks()
	}
}

// writeShocks tells what the agent's ears were protected from on this leg.
func (c *call) writeShocks(l *agentLeg) {
	g, ok := l.peer.(*guarded)
	if !ok {
		return
	}
	shocks, missed := g.ears.Shocks()
	for _, s := range shocks {
		e := model.CallEvent{Call: c.id, At: s.At, Kind: "shock", Agent: l.agent.id, Detail: map[string]string{"kind": s.Kind.String()}}
		c.journal.add(e.Kind, func(ctx context.Context) error { return c.sb.deps.Journal.AddEvent(ctx, e) })
		c.sb.publish(EventCall, CallChange{Call: c.info, Event: e})
	}
	if len(shocks) > 0 {
		c.log.Info("ears protected", "agent", l.agent.id, "leg", l.id, "shocks", len(shocks)+missed, "first", shocks[0].Kind)
	}
}
