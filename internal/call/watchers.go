package call

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/bridge"
)

// watcher is a supervisor in a call. They are there for the agent: when the agent's part of the
// call is over, theirs is.
type watcher struct {
	agent *Agent
	peer  Peer
	mode  model.SuperviseMode
	guest *bridge.Guest
}

// supervise lets a supervisor in, on the call's goroutine.
func (c *call) supervise(a *Agent, peer Peer, mode model.SuperviseMode, answer func(error)) bool {
	return c.box.post(func() {
		w := &watcher{agent: a, peer: peer, mode: mode}
		if mode == model.TakeOver { // heard by nobody until it is theirs
			w.mode = model.Listen
		}
		var refused error
		switch {
		case c.bridge == nil || c.talk == nil || c.state != talking && c.state != passing:
			refused = errNotTalking
		case c.talk.agent == a:
			refused = errOwnCall
		default:
			refused = c.admit(w)
		}
		if refused != nil {
			a.box.post(func() { a.unwatched(c) })
			answer(refused)
			return
		}
		c.watchers = append(c.watchers, w)
		c.superviseStory("supervised", a.id, map[string]string{"mode": string(w.mode), "agent": string(c.talk.agent.id)})
		c.log.Info("call is supervised", "supervisor", a.id, "mode", w.mode)
		c.tellWatched(w)
		if mode == model.TakeOver {
			c.sb.floor.takeOver(a, c, answer)
			return
		}
		answer(nil)
	})
}

// admit puts a supervisor into the conference.
func (c *call) admit(w *watcher) error {
	g, err := c.bridge.Add(c.sb.deps.Clock, w.peer, role(w.mode))
	switch {
	case errors.Is(err, bridge.ErrFull):
		return errFull
	case err != nil:
		c.log.Error("supervisor could not be let in", "supervisor", w.agent.id, "err", err)
		return errNotTalking
	}
	w.guest = g
	return nil
}

// readmit lets the supervisors into the bridge with the agent's new leg.
func (c *call) readmit() {
	for _, w := range slices.Clone(c.watchers) {
		if err := c.admit(w); err != nil {
			c.dropWatcher(w, whyNoMedia)
		}
	}
}

func (c *call) watcher(a *Agent) *watcher {
	for _, w := range c.watchers {
		if w.agent == a {
			return w
		}
	}
	return nil
}

// changeMode changes who hears a supervisor.
func (c *call) changeMode(a *Agent, mode model.SuperviseMode, answer func(error)) bool {
	return c.box.post(func() {
		w := c.watcher(a)
		if w == nil || c.talk == nil {
			answer(errNotWatching)
			return
		}
		if w.mode != mode {
			w.mode = mode
			w.guest.SetRole(role(mode))
			c.superviseStory("supervised", a.id, map[string]string{"mode": string(mode), "agent": string(c.talk.agent.id)})
			c.tellWatched(w)
		}
		answer(nil)
	})
}

// superviseStory bounds what supervisors may write into the story.
func (c *call) superviseStory(kind string, who model.AgentID, detail map[string]string) {
	if c.watched++; c.watched <= superviseLines {
		c.story(kind, who, detail)
	}
}

// tellWatched tells the supervisor what they are part of, and the agent that somebody is there:
// of one who only listens, if the site wants that.
func (c *call) tellWatched(w *watcher) {
	w.agent.watches(c, c.info, w.mode, c.talk.agent.name)
	m := protocol.Supervised{CallID: string(c.id), Supervisor: string(w.agent.id), Name: w.agent.name, Mode: string(w.mode)}
	if w.mode == model.Listen && c.sb.quietListening.Load() {
		m.Mode = ""
	}
	c.talk.agent.supervised(m)
}

// tellAgain tells a supervisor whose client has come back.
func (c *call) tellAgain(a *Agent) {
	c.box.post(func() {
		if w := c.watcher(a); w != nil && c.talk != nil {
			a.watches(c, c.info, w.mode, c.talk.agent.name)
		}
	})
}

// watcherLeaves lets a supervisor go. Then, which may be nil, is what the supervisor's session does when it
// has its audio to itself.
func (c *call) watcherLeaves(a *Agent, why string, then func()) bool {
	return c.box.post(func() {
		if w := c.watcher(a); w != nil {
			c.dropWatcher(w, why)
		}
		if then != nil {
			a.box.post(then)
		}
	})
}

// dropWatcher ends a supervision, with one cause.
func (c *call) dropWatcher(w *watcher, why string) {
	c.watchers = slices.DeleteFunc(c.watchers, func(other *watcher) bool { return other == w })
	w.guest.Leave()
	c.superviseStory("supervision_ended", w.agent.id, map[string]string{"why": why})
	if c.talk != nil {
		c.talk.agent.supervised(protocol.Supervised{CallID: string(c.id), Supervisor: string(w.agent.id), Name: w.agent.name})
	}
	a := w.agent
	a.box.post(func() { a.unwatched(c) })
}

// dropWatchers ends all supervisions.
func (c *call) dropWatchers(why string) {
	for len(c.watchers) > 0 {
		c.dropWatcher(c.watchers[0], why)
	}
}

// watchOn goes on with another media connection of a supervisor.
func (c *call) watchOn(a *Agent, peer Peer) {
	c.box.post(func() {
		w := c.watcher(a)
		if w == nil {
			return
		}
		w.guest.Leave()
		w.peer = peer
		if c.bridge == nil {
			return // readmit comes
		}
		if err := c.admit(w); err != nil {
			c.dropWatcher(w, whyNoMedia)
		}
	})
}

// takeOver puts a supervisor in the place of the agent, who is let go. Caller and supervisor hear
// each other without a gap.
func (c *call) takeOver(l *agentLeg, answer func(error)) bool {
	return c.box.post(func() {
		w := c.watcher(l.agent)
		if w == nil || c.state != talking || c.bridge == nil {
			answer(errNotTalking)
			return
		}
		b, err := w.guest.TakeOver(c.taps(l))
		if err != nil {
			c.log.Error("call could not be taken over", "supervisor", l.agent.id, "err", err)
			answer(errNotTalking)
			return
		}
		c.watchers = slices.DeleteFunc(c.watchers, func(other *watcher) bool { return other == w })
		old := c.talk
		old.agent.supervised(protocol.Supervised{CallID: string(c.id), Supervisor: string(l.agent.id), Name: l.agent.name})
		c.endLeg(old, model.CauseTakenOver)
		c.bridge, c.talk = b, l
		forgetKeys(l.peer)
		c.hideTones()
		c.beginLeg(l)
		if c.held {
			c.held = false
			c.hush()
			b.Hold(false)
		}
		c.info.Agent = l.agent.id
		c.update()
		c.superviseStory("taken_over", l.agent.id, map[string]string{"from": string(old.agent.id), "headset": string(l.headset.ID())})
		c.log.Info("call taken over", "supervisor", l.agent.id, "from", old.agent.id, "leg", l.id)
		l.agent.hasTaken(c)
		c.sb.floor.tell(acd.CallTaken{Agent: l.agent.id, Call: c.id})
		c.letGo(old, model.CauseTakenOver)
		l.agent.joined(c.info)
		for _, other := range c.watchers { // they go on, with another agent
			c.tellWatched(other)
		}
		answer(nil)
	})
}

// beginLeg begins the record of an agent's leg.
func (c *call) beginLeg(l *agentLeg) {
	l.started = time.Now()
	l.base = l.peer.Stats()
	l.quietEars()
	l.listen()
	rec := l.record()
	c.journal.add("agent leg", func(ctx context.Context) error { return c.sb.deps.Journal.LegStarted(ctx, rec) })
}

// endLeg ends it; its meter finishes beside.
func (c *call) endLeg(l *agentLeg, cause model.Cause) {
	l.finish()
	c.writeShocks(l)
	ended := time.Now()
	rec := l.record()
	rec.EndedAt, rec.Cause, rec.Stats = &ended, cause, legStats(l.peer.Stats(), l.base)
	c.journal.add("agent leg", func(ctx context.Context) error { return c.sb.deps.Journal.LegEnded(ctx, rec) })
}

// letGo tells an agent that their part of the call is over.
func (c *call) letGo(l *agentLeg, cause model.Cause) {
	if s, ok := bare(l.peer).(Signalled); ok {
		c.keepSignalling(tried{party: s.Dialog(), leg: l.id})
	}
	l.agent.released(c.id, cause)
}

// taps are who listens in on caller and agent.
func (c *call) taps(l *agentLeg) bridge.Options {
	opt := bridge.Options{FadeIn: true}
	if l.meter != nil {
		opt.FromA, opt.FromB = []media.Tap{l.meter.Far()}, []media.Tap{l.near}
	}
	return c.heardBy(opt)
}
