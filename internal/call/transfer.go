package call

import (
	"context"
	"strconv"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
)

// third is somebody whom a caller was passed on to.
type third struct {
	party Party
	leg   media.Leg
	rec   model.Leg
}

// holdLines bounds what hold may write into the story of a call.
const holdLines = 100

// What an agent is told who asks for what the call does not allow.
var (
	errNotYours = &Denial{Code: protocol.CodeStale, Text: "You are not in this call any more."}
	errPassing  = &Denial{Code: protocol.CodeNotNow, Text: "The caller is being passed on. Take the caller back first."}
	errNoOne    = &Denial{Code: protocol.CodeNotNow, Text: "Nobody has answered yet."}
	errSettled  = &Denial{Code: protocol.CodeNotNow, Text: "The caller is not being passed on."}
)

// with says why an agent cannot do something with the call now, or nil.
func (c *call) with(a *Agent) error {
	switch {
	case c.talk == nil || c.talk.agent != a:
		return errNotYours
	case c.state == passing:
		return errPassing
	case c.state != talking:
		return errNoOne
	}
	return nil
}

// toQueue passes the caller on to a queue. The agent is free at once.
func (c *call) toQueue(a *Agent, q model.Queue, answer func(error)) bool {
	return c.box.post(func() {
		if err := c.with(a); err != nil {
			answer(err)
			return
		}
		answer(nil)
		c.story("transferred", a.id, map[string]string{"queue": string(q.ID)})
		c.log.Info("caller passed on", "agent", a.id, "queue", q.ID)
		a.progress(protocol.Progress{
			CallID: string(c.id), Transfer: true, To: string(q.ID), State: protocol.Answered, Text: "The caller waits in " + title(q) + ".",
		})
		c.unbridge(model.CauseTransferred)
		c.info.Queue, c.closed = q.ID, false
		c.queueRecords()
		c.update()
		c.wait()
		c.sb.floor.tell(acd.CallMoved{Agent: a.id, Call: c.id, Queue: q.ID})
	})
}

func title(q model.Queue) string {
	if q.Title != "" {
		return q.Title
	}
	return string(q.ID)
}

// toNumber passes the caller on to a number. The agent stays until that is settled.
func (c *call) toNumber(a *Agent, p model.DialPermit, answer func(error)) bool {
	return c.box.post(func() {
		if err := c.with(a); err != nil {
			answer(err)
			return
		}
		answer(nil)
		c.state, c.held = passing, false
		c.transfers++
		c.bridge.Hold(true)
		c.play()
		c.story("transfer", a.id, map[string]string{"to": p.Number, "class": p.Class})
		c.log.Info("caller is being passed on", "agent", a.id, "class", p.Class)
		c.sb.floor.tell(acd.TransferBegan{Agent: a.id, Call: c.id})
		c.place(p, c.thirdLeg())
	})
}

// cancelTransfer gives the agent the caller back.
func (c *call) cancelTransfer(a *Agent, answer func(error)) bool {
	return c.box.post(func() {
		switch {
		case c.talk == nil || c.talk.agent != a:
			answer(errNotYours)
		case c.state != passing || c.out == nil:
			answer(errSettled)
		default:
			answer(nil)
			c.unplaced(outcome{cause: model.CauseCancelled, text: "You took the caller back."})
		}
	})
}

// notPassedOn goes on after a transfer that came to nothing: with the agent, or, if they have
// left, with whatever place acd has for the caller.
func (c *call) notPassedOn(d *dialled, o outcome, detail map[string]string) {
	c.story("transfer_failed", "", detail)
	c.log.Info("caller could not be passed on", "cause", o.cause, "status", o.status)
	if c.talk != nil {
		c.tellAgent(d, protocol.Failed, o.status, o.text)
		c.hush()
		c.bridge.Hold(false)
		c.hideTones(c.keypad.secret.isSet())
		c.state = talking
		c.deadline.clear()
	} else {
		c.adrift()
	}
	c.sb.floor.tell(acd.TransferFailed{Call: c.id})
}

// adrift waits for what acd says of a call whose agent has left and whose transfer failed.
func (c *call) adrift() {
	c.state = passing
	c.deadline.set(c.sb.cfg.ConnectTimeout)
}

// passedOn joins the caller with who was called, and lets the agent go.
func (c *call) passedOn(d *dialled, party Party, leg media.Leg) {
	c.out = nil
	c.third = &third{party: party, leg: leg, rec: c.trunkRecord(d.leg, party)}
	c.keepTried()
	c.limitTo(d.permit)
	c.sb.count.outbound(c.third.rec.Trunk, "answered")
	c.story("transferred", "", map[string]string{"to": d.permit.Number, "trunk": party.Trunk(), "sip_call_id": party.ID(), "sip_status": "200"})
	c.log.Info("caller passed on", "trunk", party.Trunk())
	c.tellAgent(d, protocol.Answered, 200, "The caller was put through.")
	c.unbridge(model.CauseTransferred)
	c.hush()
	c.state = bridged
	c.deadline.clear()
	c.sb.floor.tell(acd.CallGone{Call: c.id}) // nobody at a desk is needed any more
	c.recordIfDue("")
	var err error
	if c.pair, err = bridge.Join(c.leg, leg, c.heardBy(bridge.Options{})); err != nil {
		c.log.Error("caller and callee could not be joined", "err", err)
		c.end(model.CauseInternalError)
	}
}

// parted says that the agent of a transfer was lost; it goes on alone.
func (c *call) parted(agent model.AgentID) {
	c.box.post(func() {
		if c.talk == nil || c.talk.agent.id != agent || c.state != passing && c.state != talking {
			return
		}
		failed := c.state == talking // acd learns it in a moment, and has another place for the caller
		c.unbridge(model.CauseAgentLost)
		c.story("parted", agent, map[string]string{"why": acd.WhyAgentLost})
		if failed {
			c.play()
			c.adrift()
		}
	})
}

// partWith lets an agent go who hangs up while the caller is being passed on.
func (c *call) partWith(a *Agent) {
	c.unbridge(model.CauseAgentHungUp)
	c.story("parted", a.id, map[string]string{"why": "hung_up"})
	c.sb.floor.tell(acd.AgentParted{Agent: a.id, Call: c.id})
}

// hold parts agent and caller, who hears music, or joins them again.
func (c *call) hold(a *Agent, on bool, answer func(error)) bool {
	return c.box.post(func() {
		if err := c.with(a); err != nil {
			answer(err)
			return
		}
		answer(nil)
		if c.held == on {
			return
		}
		kind := "resumed"
		if on {
			kind = "held"
		}
		if c.holds++; c.holds <= holdLines {
			c.story(kind, a.id, nil)
		}
		c.held = on
		a.holds(on)
		if !on { // the music fades out before the voices come in
			c.hush()
		}
		c.bridge.Hold(on)
		c.hideTones(!on && c.keypad.secret.isSet())
		if on {
			c.play()
		}
	})
}

// rejoinParted goes on with another leg of an agent who does not hear the caller now: because
// of hold, of a transfer, or because the callee has not answered.
func (c *call) rejoinParted(l *agentLeg, cause model.Cause) error {
	before, d := c.state, c.out
	c.unbridge(cause)
	c.talk, c.held = l, before == talking
	if before == dialling {
		tone := c.stopTone != nil
		c.quiet()
		if d != nil {
			c.listen(d)
		}
		if tone {
			c.ringback()
		}
		return nil
	}
	if err := c.joinLegs(l); err != nil {
		return err
	}
	c.bridge.Hold(true)
	return nil
}

// thirdLeg is the identity of the leg of whoever the caller is passed on to.
func (c *call) thirdLeg() model.LegID {
	return c.trunkLeg() + model.LegID(".t"+strconv.Itoa(c.transfers))
}

// endTrunk closes the record of a party's leg and hangs it up.
func (c *call) endTrunk(p Party, leg media.Leg, rec model.Leg, cause model.Cause, own func(ended string, talking bool) model.Cause) {
	if p == nil {
		return
	}
	gone := false
	select {
	case <-p.Done():
		gone = true
		if how := p.Ended(); how == "remote_bye" || how == "media_timeout" {
			cause = own(how, cause != model.CauseAbandoned)
		}
	default:
	}
	if leg != nil {
		ended := time.Now()
		rec.EndedAt, rec.Cause, rec.Stats = &ended, cause, legStats(leg.Stats(), media.Stats{})
		c.journal.add("trunk leg", func(ctx context.Context) error { return c.sb.deps.Journal.LegEnded(ctx, rec) })
	}
	if !gone {
		c.hangUp(p)
	}
}
