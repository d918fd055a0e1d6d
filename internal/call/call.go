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
	dialling                    // an agent calls a number; the agent's leg until ConnectTimeout, the callee until DialTimeout
	passing                     // an agent passes the caller on to a number; until DialTimeout
	bridged                     // with who was called, without an agent; until somebody leaves
	over                        // ended; nothing happens any more
)

// endingSoon is how long a call that could not be answered has to say how it ended.
const endingSoon = time.Second

// Bounds on what a caller's keypad may write into the story.
const (
	digitGap  = 3 * time.Second // digits further apart are separate runs
	digitRuns = 100             // runs recorded per call
)

// call is one caller, from ring to hang-up, or one callee, from the dialling on. Its
// goroutine owns every field below box; methods that others call post a step and return at
// once.
type call struct {
	sb        *Switchboard
	in        Inbound // nil when an agent dialled
	order     *order  // nil when a caller came
	spent     bool    // its permit has led to a call
	id        model.CallID
	log       *slog.Logger
	journal   *journal
	published atomic.Pointer[model.Call]
	box       *mailbox

	state     callState
	info      model.Call
	party     Party // the caller, or the callee once answered
	trunk     model.Leg
	leg       media.Leg // the party's; nil until answered
	waitUntil time.Time
	closed    bool // the site no longer has the queue
	deadline  alarm
	stopMusic func() // nil while there is none
	welcomed  model.QueueID
	tellPlace func(n int) // tells a caller who waits their place; nil where that is not done
	tellEvery time.Duration
	tellDue   alarm
	expect    model.AgentID
	attempt   uint64    // of the Connect that is expected
	talk      *agentLeg // the agent's leg while talking
	bridge    *bridge.Bridge
	digits    int // of the run that goes on
	runs      int
	digitEnd  alarm
	keypad    keypad

	out       *dialled // under way: the call's own, or a transfer's
	tried     []tried  // whom it has called and who may be part of it
	earlyLeg  media.Leg
	listening *bridge.Listening // to early media; nil while there is none
	stopTone  func()            // of the agent's ringing tone; nil while there is none
	held      bool              // by the agent
	holds     int               // how often that changed
	transfers int               // to numbers, begun
	watchers  []*watcher        // supervisors who are part of it
	watched   int               // lines of the story about them
	third     *third            // whom the caller was passed on to
	pair      *bridge.Bridge    // of the caller with them
	tape      tape              // what is recorded
	limit     alarm             // on how long the call may last
	limitAt   time.Time
}

func newCall(s *Switchboard, in Inbound) *call {
	now := time.Now()
	number, name := in.From()
	c := &call{sb: s, in: in, party: in, id: newCallID(now), box: newMailbox()}
	c.info = model.Call{ID: c.id, Direction: model.Inbound, Trunk: model.TrunkID(in.Trunk()), From: number, FromName: name, To: in.To(), StartedAt: now}
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
	if c.order != nil {
		c.setOut()
	} else {
		c.arrive()
	}
	for c.state != over {
		select {
		case <-c.box.wake:
			c.box.run()
		case <-left(c.party):
			c.end(c.partyCause(c.party.Ended(), c.state == talking || c.state == passing || c.state == bridged))
		case <-c.thirdLeft():
			c.end(calleeCause(c.third.party.Ended(), true))
		case <-c.limit.C:
			c.limit.clear()
			c.end(model.CauseTimeLimit)
		case key := <-digits(c.party):
			c.consentByKey(key)
			c.pressed(key)
		case key := <-c.agentDigits():
			c.agentPressed(key)
		case <-c.keypad.secret.C:
			c.endSecret("", "time")
		case <-c.digitEnd.C:
			c.writeDigits()
		case <-c.tape.beep.C:
			c.beepDue()
		case <-c.tellDue.C:
			c.sayPlace()
		case <-c.deadline.C:
			c.expired()
		}
	}
}

// left and digits are a party's channels; nil, which never is ready, without one.
func left(p Party) <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.Done()
}

func digits(p Party) <-chan rune {
	if p == nil {
		return nil
	}
	return p.Digits()
}

func (c *call) thirdLeft() <-chan struct{} {
	if c.third == nil {
		return nil
	}
	return c.third.party.Done()
}

// partyCause is the cause of a call whose caller, or callee, ended it.
func (c *call) partyCause(ended string, talking bool) model.Cause {
	if c.order != nil {
		return calleeCause(ended, talking)
	}
	return callerCause(ended, talking)
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
		c.deadline.set(endingSoon) // a caller who gave up just now is over in a moment, and says so
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
	c.entertain()
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
		c.stopMusic, c.tellPlace = nil, nil
		c.tellDue.clear()
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
	case dialling, passing:
		if c.out != nil {
			c.unplaced(unanswered(c.sb.cfg.DialTimeout))
			return
		}
		c.log.Error("nobody came", "agent", c.expect) // neither the agent's leg nor acd's word
		c.end(model.CauseAgentLost)
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
	c.giveUp()
	c.hush()
	c.unbridge(cause)
	if c.pair != nil {
		c.pair.Close()
	}
	c.stopRecording("")
	if cause == model.CauseAbandoned {
		c.sb.count.abandoned.Add(1)
	}
	c.endTrunk(c.party, c.leg, c.trunk, cause, c.partyCause)
	if c.third != nil {
		c.endTrunk(c.third.party, c.third.leg, c.third.rec, cause, calleeCause)
	}
	c.close(cause, nil)
}

// close writes the end of the story and lets everybody go.
func (c *call) close(cause model.Cause, detail map[string]string) {
	c.deadline.clear()
	c.limit.clear()
	c.writeDigits()
	c.endSecret("", "call_over")
	now := time.Now()
	c.info.EndedAt, c.info.Cause = &now, cause
	c.show()
	if cause == model.CauseRejected {
		c.sb.count.rejected.Add(1)
	}
	if c.order != nil && !c.spent {
		c.sb.unused(c.id, c.order.permit)
	}
	d := map[string]string{"cause": string(cause)}
	for k, v := range detail {
		d[k] = v
	}
	c.story("ended", "", d)
	id := c.id
	c.journal.add("call ended", func(ctx context.Context) error { return c.sb.deps.Journal.CallEnded(ctx, id, now, cause) })
	c.log.Info("call ended", "cause", cause, "duration", now.Sub(c.info.StartedAt).Round(time.Millisecond))
	if c.in != nil {
		c.keepSignalling(tried{party: c.in, leg: c.trunkLeg()})
	}
	for _, t := range c.tried {
		c.keepSignalling(t)
	}
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
	for _, run := range []struct {
		kind   string
		agent  model.AgentID
		keys   int
		detail map[string]string
	}{
		{"dtmf", "", c.digits, map[string]string{"count": strconv.Itoa(c.digits)}},
		{"dtmf_sent", c.keypad.by, c.keypad.sent, map[string]string{"count": strconv.Itoa(c.keypad.sent)}},
	} {
		if run.keys > 0 && c.runs < digitRuns {
			c.runs++
			c.story(run.kind, run.agent, run.detail)
		}
	}
	if c.keypad.hidden && c.runs < digitRuns { // not even how many: that may be the length of a password
		c.runs++
		c.story("dtmf", "", map[string]string{"secret": "true"})
	}
	c.digits, c.keypad.sent, c.keypad.hidden = 0, 0, false
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
		switch c.state {
		case waiting, connecting, talking, passing:
		default:
			return
		}
		if c.out != nil { // the agent was lost before acd knew of the transfer
			c.story("transfer_failed", "", map[string]string{"to": c.out.permit.Number, "cause": string(model.CauseCancelled)})
			c.sb.count.outbound(c.out.trunk, string(model.CauseCancelled))
			c.giveUp()
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
