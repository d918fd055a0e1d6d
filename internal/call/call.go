package call

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
)

// callState is where a caller is.
type callState int

const (
	answering  callState = iota // the trunk is being answered; until AnswerTimeout
	waiting                     // in a queue, with music, offered or not; until MaxWait
	connecting                  // an agent accepted and is about to be joined; until ConnectTimeout
	talking                     // joined with an agent; until somebody leaves
	over                        // ended; nothing happens any more
)

// Bounds on what a caller's keypad may write into the story.
const (
	digitGap  = 3 * time.Second // digits further apart are separate runs
	digitRuns = 100             // runs recorded per call
)

// call is one caller, from ring to hang-up. Its goroutine owns every field below box;
// methods that others call post a step and return at once.
type call struct {
	sb        *Switchboard
	in        Inbound
	id        model.CallID
	log       *slog.Logger
	journal   *journal
	published atomic.Pointer[model.Call]
	box       *mailbox

	state     callState
	info      model.Call
	trunk     model.Leg
	leg       media.Leg // nil until answered
	waitUntil time.Time
	closed    bool // the site no longer has the queue
	deadline  alarm
	stopMusic func() // nil while there is none
	expect    model.AgentID
	attempt   uint64    // of the Connect that is expected
	talk      *agentLeg // the agent's leg while talking
	bridge    *bridge.Bridge
	digits    int // of the run that goes on
	runs      int
	digitEnd  alarm
}

func newCall(s *Switchboard, in Inbound) *call {
	now := time.Now()
	number, name := in.From()
	c := &call{sb: s, in: in, id: newCallID(now), box: newMailbox()}
	c.info = model.Call{ID: c.id, Trunk: model.TrunkID(in.Trunk()), From: number, FromName: name, To: in.To(), StartedAt: now}
	c.info.Queue = (*s.numbers.Load())[model.Dialable(c.info.To)]
	c.log = s.log.With("call_id", c.id)
	c.journal = &journal{sb: s, call: c.id, log: c.log}
	c.show()
	return c
}

// show publishes the call as it is for everybody else.
func (c *call) show() {
	info := c.info
	c.published.Store(&info)
}

func (c *call) run() {
	defer c.box.close()
	c.arrive()
	digits := c.in.Digits()
	for c.state != over {
		select {
		case <-c.box.wake:
			c.box.run()
		case <-c.in.Done():
			c.end(callerCause(c.in.Ended(), c.state == talking))
		case _, ok := <-digits:
			if !ok {
				digits = nil
				break
			}
			c.digits++
			c.digitEnd.set(digitGap)
		case <-c.digitEnd.C:
			c.writeDigits()
		case <-c.deadline.C:
			c.expired()
		}
	}
}

// arrive refuses the caller or starts the answer.
func (c *call) arrive() {
	c.sb.count.callsOffered.Add(1)
	info := c.info
	c.journal.add("call started", func(ctx context.Context) error { return c.sb.deps.Journal.CallStarted(ctx, info) })
	c.story("arrived", "", map[string]string{"sip_call_id": c.in.ID(), "trunk": c.in.Trunk(), "to": c.info.To})
	c.log.Info("caller arrived", "trunk", c.info.Trunk, "queue", c.info.Queue, "sip_call_id", c.in.ID())
	c.sb.floor.callBegan(c) // before the look at draining: see Drain
	switch {
	case c.sb.draining.Load():
		c.refuse(statusUnavailable, c.sb.cfg.RetryAfter)
	case c.info.Queue == "":
		c.refuse(statusNotFound, 0)
	default:
		c.deadline.set(c.sb.cfg.AnswerTimeout)
		c.sb.beside(c.sb.cfg.AnswerTimeout, c.answer)
	}
}

func (c *call) refuse(status int, retryAfter time.Duration) {
	c.sb.goodbye(c.sb.cfg.HangupTimeout, func(context.Context) {
		if err := c.in.Reject(status, retryAfter); err != nil {
			c.log.Warn("caller could not be refused", "status", status, "err", err)
		}
	})
	c.state = over
	c.close(model.CauseRejected, map[string]string{"sip_status": strconv.Itoa(status)})
}

// answer runs beside the call.
func (c *call) answer(ctx context.Context) {
	if err := c.in.Ring(); err != nil {
		c.log.Warn("ringing could not be told", "err", err) // the answer may still get through
	}
	leg, err := c.in.Answer(ctx)
	c.box.post(func() { c.answered(leg, err) })
	// When the call has ended meanwhile, its end has hung up or will: nothing to undo here.
}

func (c *call) answered(leg media.Leg, err error) {
	if c.state != answering {
		return
	}
	if err != nil {
		c.log.Warn("trunk could not be answered", "err", err)
		select {
		case <-c.in.Done():
			c.end(callerCause(c.in.Ended(), false))
		default:
			c.end(model.CauseSignalling)
		}
		return
	}
	c.leg = leg
	c.trunk = model.Leg{ID: c.trunkLeg(), Call: c.id, Kind: model.TrunkLeg, Trunk: c.info.Trunk, StartedAt: time.Now()}
	trunk := c.trunk
	c.journal.add("trunk leg", func(ctx context.Context) error { return c.sb.deps.Journal.LegStarted(ctx, trunk) })
	c.story("queued", "", map[string]string{"queue": string(c.info.Queue)})
	c.wait()
	c.sb.floor.tell(acd.CallQueued{Call: c.id, Queue: c.info.Queue})
}

// wait begins a wait in the queue.
func (c *call) wait() {
	longest := c.sb.cfg.MaxWait
	if c.closed {
		longest = min(longest, c.sb.cfg.ClosedWait)
	}
	c.waitUntil = time.Now().Add(longest)
	c.resumeWait()
	c.play()
}

func (c *call) resumeWait() {
	c.state = waiting
	c.expect = ""
	c.deadline.set(max(time.Until(c.waitUntil), 0))
}

func (c *call) play() {
	if c.stopMusic == nil {
		c.stopMusic = c.sb.deps.Music.Play(c.leg)
	}
}

func (c *call) hush() {
	if c.stopMusic != nil {
		c.stopMusic()
		c.stopMusic = nil
	}
}

func (c *call) expired() {
	c.deadline.clear()
	switch c.state {
	case answering:
		c.end(model.CauseSignalling)
	case waiting:
		c.end(model.CauseWaitExpired)
	case connecting:
		c.log.Warn("agent did not join in time", "agent", c.expect)
		c.connectFailed()
	}
}

// connectFailed gives the accepted call back to acd, which requeues it.
func (c *call) connectFailed() {
	agent := c.expect
	c.resumeWait()
	c.sb.floor.tell(acd.ConnectFailed{Agent: agent, Call: c.id})
}

// end is the one way out: it is taken once, with one cause.
func (c *call) end(cause model.Cause) {
	if c.state == over {
		return
	}
	c.state = over
	c.hush()
	c.unbridge(cause)
	if cause == model.CauseAbandoned {
		c.sb.count.abandoned.Add(1)
	}
	if c.leg != nil {
		ended := time.Now()
		trunk := c.trunk
		trunk.EndedAt, trunk.Cause, trunk.Stats = &ended, cause, legStats(c.leg.Stats(), media.Stats{})
		c.journal.add("trunk leg", func(ctx context.Context) error { return c.sb.deps.Journal.LegEnded(ctx, trunk) })
	}
	select {
	case <-c.in.Done():
	default:
		c.sb.goodbye(c.sb.cfg.HangupTimeout, func(ctx context.Context) {
			if err := c.in.Hangup(ctx); err != nil {
				c.log.Warn("trunk could not be hung up", "err", err)
			}
		})
	}
	c.close(cause, nil)
}

// close writes the end of the story and lets everybody go.
func (c *call) close(cause model.Cause, detail map[string]string) {
	c.deadline.clear()
	c.writeDigits()
	now := time.Now()
	c.info.EndedAt, c.info.Cause = &now, cause
	c.show()
	if cause == model.CauseRejected {
		c.sb.count.rejected.Add(1)
	}
	d := map[string]string{"cause": string(cause)}
	for k, v := range detail {
		d[k] = v
	}
	c.story("ended", "", d)
	id := c.id
	c.journal.add("call ended", func(ctx context.Context) error { return c.sb.deps.Journal.CallEnded(ctx, id, now, cause) })
	c.log.Info("call ended", "cause", cause, "duration", now.Sub(c.info.StartedAt).Round(time.Millisecond))
	c.keepSignalling()
	c.sb.floor.callOver(c)
}

// story writes a line of what happened, for the record and for screens.
func (c *call) story(kind string, agent model.AgentID, detail map[string]string) {
	e := model.CallEvent{Call: c.id, At: time.Now(), Kind: kind, Agent: agent, Detail: detail}
	c.journal.add(kind, func(ctx context.Context) error { return c.sb.deps.Journal.AddEvent(ctx, e) })
	c.sb.publish(EventCall, CallChange{Call: c.info, Event: e})
}

// writeDigits tells that keys were pressed and how many, never which: they may be a card's.
func (c *call) writeDigits() {
	c.digitEnd.clear()
	if c.digits > 0 && c.runs < digitRuns {
		c.runs++
		c.story("dtmf", "", map[string]string{"count": strconv.Itoa(c.digits)})
	}
	c.digits = 0
}

// What the floor says.

func (c *call) offered(a acd.Offer, headset model.HeadsetID, verdict model.VerdictState) {
	c.box.post(func() {
		if c.state == over {
			return
		}
		c.story("offered", a.Agent, map[string]string{
			"headset": string(headset), "verdict": string(verdict), "last_resort": strconv.FormatBool(a.LastResort),
		})
		c.log.Info("call offered", "agent", a.Agent, "headset", headset, "verdict", verdict, "last_resort", a.LastResort)
	})
}

func (c *call) declined(agent model.AgentID) {
	c.box.post(func() {
		if c.state != over {
			c.story("declined", agent, nil)
		}
	})
}

func (c *call) withdrawn(a acd.OfferWithdrawn) {
	c.box.post(func() {
		if c.state == over {
			return
		}
		if a.Why == acd.WhyExpired {
			c.story("offer_expired", a.Agent, nil)
			return
		}
		c.story("offer_withdrawn", a.Agent, map[string]string{"why": a.Why})
	})
}

// connecting says that an agent accepted; their leg comes as join with the same attempt.
func (c *call) connecting(agent model.AgentID, attempt uint64) bool {
	return c.box.post(func() {
		if c.state != waiting {
			return // over: acd learns it from callOver
		}
		c.story("accepted", agent, nil)
		c.state, c.expect, c.attempt = connecting, agent, attempt
		c.deadline.set(c.sb.cfg.ConnectTimeout)
	})
}

func (c *call) requeued(why string) {
	c.box.post(func() {
		if c.state != waiting && c.state != connecting && c.state != talking {
			return
		}
		c.log.Info("caller requeued", "why", why)
		agent := c.expect
		if c.talk != nil {
			agent = c.talk.agent.id
		}
		cause := model.CauseRequeued
		if why == acd.WhyAgentLost {
			cause = model.CauseAgentLost
		}
		c.unbridge(cause)
		c.story("requeued", agent, map[string]string{"why": why})
		c.wait()
	})
}

// queueListed says whether the site has the call's queue. In one that it has no longer,
// those who served it go on to do so while they are here, but nobody new comes to.
func (c *call) queueListed(listed bool) {
	c.box.post(func() {
		if c.closed == !listed {
			return
		}
		c.closed = !listed
		if c.state != waiting || !c.closed {
			return
		}
		if by := time.Now().Add(c.sb.cfg.ClosedWait); by.Before(c.waitUntil) {
			c.waitUntil = by
			c.deadline.set(c.sb.cfg.ClosedWait)
		}
	})
}

func (c *call) drained() { c.box.post(func() { c.end(model.CauseDrained) }) }
