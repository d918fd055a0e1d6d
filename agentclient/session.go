package agentclient

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// dial keeps a WebSocket open until ctx ends (nil) or the service refuses for good.
func (c *Client) dial(ctx context.Context) error {
	var resume string
	for attempt := 0; ; attempt++ {
		began := time.Now()
		err := c.converse(ctx, &resume)
		if errors.As(err, new(errFatal)) {
			return err
		}
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > c.cfg.Backoff.Max {
			attempt = 0 // it stood for a while
		}
		wait := c.cfg.Backoff.delay(attempt)
		c.do(func() { c.linkLost(err, wait) })
		if !sleep(ctx, wait) {
			return nil
		}
	}
}

// converse is one WebSocket, from sign-in to its end.
func (c *Client) converse(ctx context.Context, resume *string) error {
	conn, err := c.door.open(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.CloseNow() }() // whatever is left of it
	hello := *c.hello.Load()
	hello.Resume = *resume
	welcome, err := c.door.greet(ctx, conn, hello)
	if err != nil {
		return err
	}
	*resume = welcome.Resume
	l := newLink(ctx, conn)
	defer l.end(nil)
	c.do(func() { c.welcomed(l, welcome) })
	return c.door.serve(ctx, l, func(id string, m protocol.Message) error {
		if e, ok := m.(protocol.Error); ok && id == "" && protocol.Fatal(e.Code) {
			return refusal(e, true)
		}
		c.do(func() { c.hear(id, m) })
		return nil
	})
}

func (c *Client) linkLost(err error, wait time.Duration) {
	if c.leaving {
		c.link = nil
		return
	}
	if c.link != nil {
		c.log.Warn("connection to the service lost", "err", err)
	} else {
		c.log.Info("service not reached", "err", err, "retry_in", wait.Round(time.Millisecond))
	}
	c.link = nil
	c.cfg.OnEvent(LinkLost{Err: err, RetryIn: wait})
}

// welcomed takes up a session, the old one or a new one.
func (c *Client) welcomed(l *link, w protocol.Welcome) {
	c.link = l
	c.relaysGiven(w.ICEServers)
	c.log.Info("signed in", "name", w.Name, "resumed", w.Resumed, "state", w.State.State)
	if !w.Resumed {
		c.outbox.newSession()
		c.answer = ""
	}
	for _, k := range slices.Clone(c.outbox.kept) { // write gives up what cannot be encoded
		c.write(k.id, k.m)
	}
	c.cfg.OnEvent(SignedIn{Agent: w.Agent, Name: w.Name, Resumed: w.Resumed})
	switch {
	case w.Call != nil && w.Call.ID != c.call:
		c.startCall(*w.Call)
	case w.Call == nil && c.call != "":
		c.endCall(c.call, "lost") // it ended, or the service did, while we were away
	}
	if c.dialled != "" && (!w.Resumed || w.State.State != "on-call") {
		c.unanswered("lost")
	}
	if c.voice.muted.Load() && !c.outbox.holds(protocol.Mute{}) {
		c.request(protocol.Mute{On: true})
	}
	c.stateChanged(w.State)
	if !w.Resumed {
		c.dropMedia()
	}
	if c.media.current == nil || c.media.offerID != "" {
		c.offerMedia()
	} else if c.state.State == "break" {
		c.wishAgain()
	}
}

// hear takes in what the service says.
func (c *Client) hear(id string, m protocol.Message) {
	switch m := m.(type) {
	case protocol.Ack:
		c.outbox.answered(id)
	case protocol.Error:
		c.refused(id, m)
	case protocol.ICEServers:
		c.relaysGiven(m.ICEServers)
	case protocol.SDPAnswer:
		c.mediaAnswered(id, m.SDP)
	case protocol.State:
		c.stateChanged(m)
		if m.State == "break" {
			c.wishAgain()
		}
	case protocol.Offer:
		c.rings(m)
	case protocol.OfferWithdrawn:
		if c.answer == m.CallID {
			c.notAnswering()
		}
		c.cfg.OnEvent(RingingStopped{CallID: m.CallID, Why: m.Why})
	case protocol.Connected:
		if c.call != m.Call.ID {
			c.startCall(m.Call)
		}
	case protocol.Progress:
		c.progressed(m)
	case protocol.Supervised:
		c.log.Info("supervised", "call_id", m.CallID, "supervisor", m.Supervisor, "mode", m.Mode)
		c.cfg.OnEvent(Supervised{m})
	case protocol.Supervising:
		c.supervising(m)
	case protocol.Ended:
		if c.call == m.CallID {
			c.endCall(m.CallID, m.Cause)
		} else if c.dialled == m.CallID {
			c.unanswered(m.Cause)
		}
		if c.answer == m.CallID {
			c.notAnswering()
		}
	case protocol.Verdict:
		c.log.Info("headset judged", "verdict", m.State, "text", m.Text)
		c.cfg.OnEvent(Judged{m})
	case protocol.Limits:
		c.voice.meter.setLimits(m.Limits)
	}
}

func (c *Client) stateChanged(s protocol.State) {
	if s.State != c.state.State || s.Reason != c.state.Reason {
		c.log.Info("agent state", "state", s.State, "reason", s.Reason)
	}
	c.state = s
	if s.State == "on-call" {
		c.wish.misses = 0
	}
	c.cfg.OnEvent(StateChanged{s})
}

// wishBackoff spaces attempts to become ready again after the service put the agent on
// break: a fault that stays must not ring callers through it over and over.
func wishBackoff() Backoff { return Backoff{Min: 500 * time.Millisecond, Max: 30 * time.Second} }

// wishAgain compares the break the service put us on with what the agent wants. A person
// who missed a call has left the desk; a program that answers by itself has not.
func (c *Client) wishAgain() {
	if !c.wish.ready || c.leaving || c.media.current == nil || c.outbox.holds(protocol.SetState{}) {
		return
	}
	if c.state.Reason == "no answer" && !c.cfg.AutoAnswer {
		c.wish.ready = false
		return
	}
	c.wish.stop()
	c.wish.timer = c.after(wishBackoff().delay(c.wish.misses), func() {
		if c.wish.ready && !c.leaving && c.link != nil && c.state.State == "break" {
			c.ask()
		}
	})
	c.wish.misses++
}

func (c *Client) rings(o protocol.Offer) {
	c.log.Info("call offered", "call_id", o.Call.ID, "queue", o.Call.Queue)
	c.cfg.OnEvent(Ringing{o})
	if c.cfg.AutoAnswer && c.answer != o.Call.ID {
		c.accept(o.Call.ID)
	}
}

func (c *Client) notAnswering() {
	c.answer = ""
	c.voice.onAir.Store(c.call != "")
}

func (c *Client) startCall(call protocol.Call) {
	if c.call != "" {
		c.endCall(c.call, "lost")
	}
	c.log.Info("call connected", "call_id", call.ID, "queue", call.Queue)
	c.call, c.answer, c.dialled = call.ID, "", ""
	c.voice.held.Store(call.Held)
	c.voice.meter.restart()
	c.voice.onAir.Store(true)
	c.cfg.OnEvent(CallStarted{call})
}

// endCall closes the microphone and sends what it measured.
func (c *Client) endCall(id, cause string) {
	c.log.Info("call ended", "call_id", id, "cause", cause)
	c.call = ""
	c.voice.held.Store(false)
	c.voice.onAir.Store(c.answer != "")
	report := c.voice.meter.restart()
	c.sendReport(id, report)
	c.cfg.OnEvent(CallEnded{CallID: id, Cause: cause, Report: report})
}

// sendReport sends what the headset that is worn measured in a call.
func (c *Client) sendReport(call string, report headset.Report) {
	if report.Duration > 0 {
		c.request(protocol.MicReport{CallID: call, Headset: c.hello.Load().Headset, Report: report})
	}
}

// reportAgainAfter is how long a report waits that the service could not store.
const reportAgainAfter = 30 * time.Second

// refused takes in that something was not done.
func (c *Client) refused(id string, e protocol.Error) {
	if id != "" && id == c.media.offerID {
		c.mediaFailed(c.media.round, refusal(e, false))
		return
	}
	m, known := c.outbox.answered(id)
	if id != "" && !known {
		return // an answer to what was replaced since
	}
	if id == "" && e.Code == protocol.CodeMedia {
		c.mediaGone(e)
		return
	}
	asked := ""
	if known {
		asked = protocol.TypeOf(m)
	}
	c.log.Warn("refused", "asked", asked, "code", e.Code, "message", e.Message)
	switch m := m.(type) {
	case protocol.Accept:
		if c.answer == m.CallID {
			c.notAnswering()
		}
	case protocol.SetState:
		if c.state.State == "break" {
			c.wishAgain()
		}
	case protocol.Hold:
		if m.CallID == c.call {
			c.voice.held.Store(!m.On)
		}
	case protocol.MicReport:
		if !c.leaving && (e.Code == protocol.CodeInternal || e.Code == protocol.CodeBusy) {
			c.after(reportAgainAfter, func() { c.request(m) })
		}
	}
	c.cfg.OnEvent(Refused{Asked: asked, Code: e.Code, Message: e.Message})
}
