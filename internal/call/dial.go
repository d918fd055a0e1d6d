package call

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
)

// order is a call that an agent may place.
type order struct {
	id     model.CallID
	agent  *Agent
	queue  model.QueueID
	to     string // as it was typed
	permit model.DialPermit
	answer func(dialResult)
}

// dialled is a call on its way to a number, until it is answered or comes to nothing. It
// belongs to its call.
type dialled struct {
	permit model.DialPermit
	leg    model.LegID
	cancel context.CancelFunc
	begun  int             // attempts
	trunk  model.TrunkID   // of the last
	told   map[string]bool // states of progress, each of which is told once
	heard  bool            // early media comes
}

// tried is a party that was called, whose ladder is kept when the call is over.
type tried struct {
	party Party
	leg   model.LegID
}

// newOutbound makes a call that an agent places; the attempt is that of the agent's leg.
func newOutbound(s *Switchboard, o order, attempt uint64) *call {
	c := &call{sb: s, id: o.id, box: newMailbox(), state: dialling, order: &o, expect: o.agent.id, attempt: attempt}
	c.info = model.Call{
		ID: o.id, Direction: model.Outbound, Queue: o.queue, To: o.permit.Number, Agent: o.agent.id, StartedAt: time.Now(),
	}
	c.info.From, c.info.FromName = s.shown(o.permit, o.queue)
	c.log = s.log.With("call_id", c.id)
	c.journal = &journal{sb: s, call: c.id, log: c.log}
	c.show()
	return c
}

// shown is the number, and the name, that a callee is to see.
func (s *Switchboard) shown(p model.DialPermit, queue model.QueueID) (number, name string) {
	if p.From != "" {
		return p.From, p.FromName
	}
	if q, ok := (*s.queues.Load())[queue]; ok && len(q.Numbers) > 0 {
		return q.Numbers[0], p.FromName
	}
	return "", p.FromName
}

// setOut begins the record of a call that is to be dialled and waits for the agent's leg.
func (c *call) setOut() {
	c.sb.count.dialled.Add(1)
	info, p := c.info, c.order.permit
	c.journal.add("call started", func(ctx context.Context) error { return c.sb.deps.Journal.CallStarted(ctx, info) })
	detail := map[string]string{"to": info.To, "class": p.Class}
	if info.Queue != "" {
		detail["queue"] = string(info.Queue)
	}
	if p.Emergency {
		detail["emergency"] = "true"
	}
	c.story("dialled", info.Agent, detail)
	c.log.Info("agent dials", "agent", info.Agent, "queue", info.Queue, "class", p.Class, "emergency", p.Emergency)
	c.deadline.set(c.sb.cfg.ConnectTimeout)
}

// place calls a number, beside the call.
func (c *call) place(p model.DialPermit, leg model.LegID) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.sb.work)) // ends with c.out, which the call gives up as it ends
	d := &dialled{permit: p, leg: leg, cancel: cancel, told: map[string]bool{}}
	c.out, c.spent = d, true
	c.deadline.set(c.sb.cfg.DialTimeout)
	c.progress(d, protocol.Trying, 0, "The call is being placed.")
	number, name := c.sb.shown(p, c.info.Queue)
	out := Outgoing{
		Call: c.id, Permit: p, From: number, FromName: name,
		Begun:      func(party Party) { c.box.post(func() { c.begun(d, party) }) },
		Progress:   func(status int) { c.box.post(func() { c.rings(d, status) }) },
		EarlyMedia: func(leg media.Leg) { c.box.post(func() { c.early(d, leg) }) },
	}
	c.sb.owners.Go(func() {
		defer cancel()
		party, leg, err := c.sb.deps.Dialer.Dial(ctx, out)
		if !c.box.post(func() { c.placed(d, party, leg, err) }) && err == nil {
			c.hangUp(party)
		}
	})
}

// begun notes an attempt; the first is the leg's own.
func (c *call) begun(d *dialled, party Party) {
	d.begun++
	d.trunk = model.TrunkID(party.Trunk())
	leg := d.leg
	if d.begun > 1 {
		leg += model.LegID("." + strconv.Itoa(d.begun))
	}
	t := tried{party: party, leg: leg}
	if c.out != d { // given up meanwhile
		c.keepSignalling(t)
		return
	}
	c.tried = append(c.tried, t)
	if c.state == dialling && c.info.Trunk != d.trunk {
		c.info.Trunk = d.trunk
		c.update()
	}
}

// keepTried has the ladders recorded of those who were called and are no part of the call.
func (c *call) keepTried() {
	c.tried = slices.DeleteFunc(c.tried, func(t tried) bool {
		if t.party == c.party || c.third != nil && t.party == c.third.party {
			return false
		}
		c.keepSignalling(t)
		return true
	})
}

// rings takes a provisional response.
func (c *call) rings(d *dialled, status int) {
	if c.out != d {
		return
	}
	state, text := progressOf(status)
	c.progress(d, state, status, text)
	if state == protocol.Ringing && c.state == dialling && !d.heard {
		c.ringback()
	}
}

// early lets the agent hear the callee's side before the answer.
func (c *call) early(d *dialled, leg media.Leg) {
	if c.out != d || c.state != dialling {
		return // a caller who is passed on keeps the music
	}
	c.earlyLeg = leg
	c.listen(d)
	c.progress(d, protocol.EarlyMedia, 0, "The other side can be heard.")
}

// listen passes early media to the agent. The ringing tone stops when something comes: some
// announce media that they never send.
func (c *call) listen(d *dialled) {
	if c.listening != nil {
		c.listening.Close()
	}
	if c.earlyLeg == nil {
		return
	}
	l, err := bridge.Listen(c.earlyLeg, c.talk.peer, func() {
		c.box.post(func() {
			if c.out == d {
				d.heard = true
				c.quiet()
			}
		})
	})
	if err != nil {
		c.log.Error("early media cannot be heard", "err", err)
		return
	}
	c.listening = l
}

// ringback plays the ringing tone to the agent.
func (c *call) ringback() {
	if c.stopTone == nil && c.sb.deps.Ringback != nil {
		c.stopTone = c.sb.deps.Ringback.Play(c.talk.peer)
	}
}

func (c *call) quiet() {
	if c.stopTone != nil {
		c.stopTone()
		c.stopTone = nil
	}
}

// progress tells the agent and the record how a dialled call gets on.
func (c *call) progress(d *dialled, state string, status int, text string) {
	if d.told[state] {
		return
	}
	d.told[state] = true
	detail := map[string]string{"state": state}
	if status != 0 {
		detail["sip_status"] = strconv.Itoa(status)
	}
	if c.state == passing {
		detail["transfer"] = "true"
	}
	c.story("progress", "", detail)
	c.tellAgent(d, state, status, text)
}

func (c *call) tellAgent(d *dialled, state string, status int, text string) {
	if c.talk != nil {
		c.talk.agent.progress(protocol.Progress{
			CallID: string(c.id), Transfer: c.state == passing, To: d.permit.Number, State: state, Status: status, Text: text,
		})
	}
}

// placed takes what came of a dialled call.
func (c *call) placed(d *dialled, party Party, leg media.Leg, err error) {
	switch {
	case c.out != d: // given up
		if err == nil {
			c.hangUp(party)
		}
	case err != nil:
		c.log.Info("dialled call came to nothing", "err", err)
		c.unplaced(outcomeOf(err))
	case c.state == dialling:
		c.answeredBy(d, party, leg)
	default:
		c.passedOn(d, party, leg)
	}
}

// unplaced ends what is dialled with its outcome.
func (c *call) unplaced(o outcome) {
	d := c.out
	c.giveUp()
	c.sb.count.outbound(d.trunk, string(o.cause))
	detail := map[string]string{"to": d.permit.Number, "cause": string(o.cause), "text": o.text}
	if o.detail != "" {
		detail["error"] = o.detail
	}
	if o.status != 0 {
		detail["sip_status"] = strconv.Itoa(o.status)
	}
	if c.state == passing {
		c.notPassedOn(d, o, detail)
		return
	}
	c.story("failed", "", detail)
	c.tellAgent(d, protocol.Failed, o.status, o.text)
	c.end(o.cause)
}

// giveUp cancels what is being dialled; an answer that comes all the same is hung up.
func (c *call) giveUp() {
	if c.out != nil {
		c.out.cancel()
		c.out = nil
		c.keepTried()
	}
	c.unlisten()
}

func (c *call) unlisten() {
	c.quiet()
	if c.listening != nil {
		c.listening.Close()
		c.listening = nil
	}
	c.earlyLeg = nil
}

// hangUp sends somebody away whom nobody wants any more, beside the call.
func (c *call) hangUp(p Party) {
	c.sb.goodbye(c.sb.cfg.HangupTimeout, func(ctx context.Context) {
		if err := p.Hangup(ctx); err != nil {
			c.log.Warn("trunk could not be hung up", "err", err)
		}
	})
}

// answeredBy joins the callee with the agent.
func (c *call) answeredBy(d *dialled, party Party, leg media.Leg) {
	c.out = nil
	c.unlisten()
	c.party, c.leg = party, leg
	c.info.Trunk = model.TrunkID(party.Trunk())
	c.trunk = c.trunkRecord(d.leg, party)
	c.keepTried()
	c.limitTo(d.permit)
	c.sb.count.outbound(c.info.Trunk, "answered")
	c.story("answered", "", map[string]string{"trunk": party.Trunk(), "sip_call_id": party.ID(), "sip_status": "200"})
	c.sb.floor.tell(acd.DialAnswered{Call: c.id})
	if err := c.bridgeWith(c.talk); err != nil {
		c.log.Error("callee and agent could not be joined", "agent", c.talk.agent.id, "err", err)
		c.end(model.CauseInternalError)
		return
	}
	c.tellAgent(d, protocol.Answered, 200, "Answered.")
	c.connected()
}

// trunkRecord begins the record of a party's leg. The ladder of a party that was called more
// than once is that of the attempt which was answered.
func (c *call) trunkRecord(id model.LegID, party Party) model.Leg {
	for _, t := range c.tried {
		if t.party == party {
			id = t.leg
		}
	}
	l := model.Leg{ID: id, Call: c.id, Kind: model.TrunkLeg, Trunk: model.TrunkID(party.Trunk()), StartedAt: time.Now()}
	c.journal.add("trunk leg", func(ctx context.Context) error { return c.sb.deps.Journal.LegStarted(ctx, l) })
	return l
}

// limitTo bounds how long the call may last from now on; a limit that is nearer stays.
func (c *call) limitTo(p model.DialPermit) {
	if p.LongestFor <= 0 {
		return
	}
	if at := time.Now().Add(p.LongestFor); c.limitAt.IsZero() || at.Before(c.limitAt) {
		c.limitAt = at
		c.limit.set(p.LongestFor)
	}
}

// dropped says that nobody is left who could have the call.
func (c *call) dropped(why string) {
	c.box.post(func() {
		if why == acd.WhyTransferFailed {
			c.end(model.CauseTransferFailed)
			return
		}
		c.end(model.CauseAgentLost)
	})
}
