package call

import (
	"context"
	"math"
	"time"

	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
)

// join hands over the leg of the agent who accepted.
func (c *call) join(l *agentLeg, attempt uint64) bool {
	return c.box.post(func() {
		if c.state == dialling && attempt == c.attempt && c.talk == nil {
			c.talk, c.expect = l, ""
			c.place(c.order.permit, c.trunkLeg())
			return
		}
		if c.state != connecting || attempt != c.attempt {
			cause := model.CauseRequeued // too late: somebody else has the caller,
			if c.state == over {
				cause = c.info.Cause // or nobody has
			}
			l.agent.released(c.id, cause)
			return
		}
		if err := c.bridgeWith(l); err != nil {
			c.log.Error("caller and agent could not be joined", "agent", l.agent.id, "err", err)
			l.agent.released(c.id, model.CauseInternalError)
			c.play()
			c.connectFailed()
			return
		}
		c.connected()
	})
}

// rejoin goes on with another leg of the same agent: a new media connection or headset.
func (c *call) rejoin(l *agentLeg, cause model.Cause) bool {
	return c.box.post(func() {
		if c.talk == nil || c.talk.agent != l.agent {
			return
		}
		goOn := c.bridgeWith
		if c.held || c.state != talking {
			goOn = func(l *agentLeg) error { return c.rejoinParted(l, cause) }
		} else {
			c.unbridge(cause)
		}
		if err := goOn(l); err != nil {
			c.log.Error("call could not go on with the new leg", "agent", l.agent.id, "err", err)
			l.agent.end(endMedia()) // acd requeues the caller
			return
		}
		c.story("rejoined", l.agent.id, map[string]string{"why": string(cause), "headset": string(l.headset.ID())})
	})
}

// bridgeWith stops the music and joins the legs in one step, so that audio flows at once.
func (c *call) bridgeWith(l *agentLeg) error {
	c.hush()
	c.recordIfDue(l.agent.id)
	if err := c.joinLegs(l); err != nil {
		return err
	}
	c.state, c.expect = talking, ""
	c.deadline.clear()
	return nil
}

// joinLegs joins the legs and begins the record of the agent's.
func (c *call) joinLegs(l *agentLeg) error {
	b, err := bridge.Join(c.leg, l.peer, c.taps(l))
	if err != nil {
		return err
	}
	c.bridge, c.talk = b, l
	forgetKeys(l.peer)
	c.hideTones(c.keypad.secret.isSet())
	c.beginLeg(l)
	c.readmit()
	return nil
}

// connected writes that caller and agent hear each other.
func (c *call) connected() {
	agent := c.talk.agent
	c.info.Agent = agent.id
	if c.info.AnsweredAt == nil {
		at := time.Now()
		c.info.AnsweredAt = &at
		if c.in != nil {
			c.sb.count.callsAnswered.Add(1)
		}
	}
	c.update()
	c.story("connected", agent.id, map[string]string{"headset": string(c.talk.headset.ID())})
	c.log.Info("call connected", "agent", agent.id, "leg", c.talk.id)
	agent.joined(c.info)
}

// update shows and records what has changed about the call.
func (c *call) update() {
	c.show()
	info := c.info
	c.journal.add("call updated", func(ctx context.Context) error { return c.sb.deps.Journal.CallUpdated(ctx, info) })
}

// comfort plays to the caller while the agent's program is gone and nobody knows yet
// whether it comes back, so that the line is never dead.
func (c *call) comfort(a *Agent, on bool) {
	c.box.post(func() {
		switch {
		case c.state != talking || c.talk == nil || c.talk.agent != a:
		case on:
			c.play()
		case !c.held:
			c.hush()
		}
	})
}

// unbridge parts the legs and ends the agent's with the cause; its meter finishes beside.
func (c *call) unbridge(cause model.Cause) {
	if c.talk == nil {
		c.dropWatchers(string(cause))
		return
	}
	l := c.talk
	c.beepEnds()
	if c.bridge != nil { // not before a callee's answer
		c.bridge.Close()
		c.endLeg(l, cause)
	}
	goesOn := cause == model.CauseMediaReplaced || cause == model.CauseNewHeadset
	if !goesOn {
		c.dropWatchers(string(cause))
	}
	c.talk, c.bridge, c.held = nil, nil, false
	if !goesOn {
		c.letGo(l, cause)
	}
}

// hangup is the agent ending the call.
func (c *call) hangup(a *Agent) {
	c.box.post(func() {
		switch {
		case c.state == talking && c.talk != nil && c.talk.agent == a:
			c.end(model.CauseAgentHungUp)
		case c.state == dialling && (c.talk == nil && c.expect == a.id || c.talk != nil && c.talk.agent == a):
			if c.out != nil {
				c.unplaced(outcome{cause: model.CauseCancelled, text: "You hung up before the answer."})
				return
			}
			c.end(model.CauseCancelled)
		case c.state == passing && c.talk != nil && c.talk.agent == a:
			c.partWith(a)
		case c.state == connecting && c.expect == a.id:
			// Accepted and hung up before the legs were joined: nobody was spoken with,
			// and a caller who has waited is not thrown out for a slip.
			c.connectFailed()
		}
	})
}

// legStats is what a leg carried since base was taken.
func legStats(s, base media.Stats) model.LegStats {
	out := model.LegStats{
		PacketsIn: s.PacketsIn - base.PacketsIn, PacketsOut: s.PacketsOut - base.PacketsOut, Lost: s.Lost - base.Lost,
		JitterMS:  float64(s.Jitter) / float64(time.Millisecond),
		RoundTrip: float64(s.RoundTrip) / float64(time.Millisecond),
		Forged:    s.Forged - base.Forged,
	}
	if s.Codec != media.NoCodec {
		out.Codec = s.Codec.String()
	}
	if base.PacketsIn == 0 { // it is of everything the leg has heard
		out.MOS = math.Round(100*s.MOS) / 100
	}
	return out
}
