package agentclient

import (
	"github.com/headroom-voice/headroom/agentclient/protocol"
)

// SetReady asks for calls.
func (c *Client) SetReady() { c.do(func() { c.want(wish{ready: true}) }) }

// SetBreak asks for no calls, for the reason given; in a call it counts afterwards.
func (c *Client) SetBreak(reason string) { c.do(func() { c.want(wish{reason: reason}) }) }

// Answer accepts the call that rings. The microphone is on from here, so that the first
// word is not lost.
func (c *Client) Answer(callID string) { c.do(func() { c.accept(callID) }) }

// Decline lets somebody else have the call that rings.
func (c *Client) Decline(callID string) {
	c.do(func() { c.request(protocol.Decline{CallID: callID}) })
}

// Hangup ends the caller's call.
func (c *Client) Hangup(callID string) {
	c.do(func() { c.request(protocol.Hangup{CallID: callID}) })
}

// Dial calls a number, on behalf of a queue if one is named. Progressed follows, or Refused.
func (c *Client) Dial(to, queue string) {
	c.do(func() { c.request(protocol.Dial{To: to, Queue: queue}) })
}

// Transfer passes the caller on, to a queue by its name or number, or to a telephone number.
// Progressed follows, or Refused.
func (c *Client) Transfer(callID, to string) {
	c.do(func() { c.request(protocol.Transfer{CallID: callID, To: to}) })
}

// CancelTransfer takes the caller back from a transfer that is not settled.
func (c *Client) CancelTransfer(callID string) {
	c.do(func() { c.request(protocol.CancelTransfer{CallID: callID}) })
}

// Hold parts agent and caller, who hears music, or joins them again. The microphone goes on
// being heard by the service, and counts for nothing.
func (c *Client) Hold(callID string, on bool) {
	c.do(func() {
		if callID == c.call {
			c.voice.held.Store(on)
		}
		c.request(protocol.Hold{CallID: callID, On: on})
	})
}

// Record starts, stops, pauses or resumes the recording of a call, or says that the caller has
// consented to one; see protocol.Record.
func (c *Client) Record(callID, action string) {
	c.do(func() { c.request(protocol.Record{CallID: callID, Action: action}) })
}

// SendDigits presses keys of a telephone towards the other side of the call: 0 to 9, *, #, A to D.
func (c *Client) SendDigits(callID, digits string) {
	c.do(func() { c.request(protocol.DTMF{CallID: callID, Digits: digits}) })
}

// Secret says that the caller is about to key in what nobody may know, or that this is over.
// Meanwhile the keys are written nowhere and not heard here. It ends by itself after a minute.
func (c *Client) Secret(callID string, on bool) {
	c.do(func() { c.request(protocol.Secret{CallID: callID, On: on}) })
}

// progressed takes in how a call that was dialled, or its transfer, gets on.
// supervising takes in what call this side is part of as a supervisor. The microphone is open
// for as long as somebody hears it.
func (c *Client) supervising(m protocol.Supervising) {
	c.log.Info("supervising", "call_id", m.CallID, "mode", m.Mode)
	if c.call == "" {
		c.voice.onAir.Store(m.Mode == protocol.Whispering || m.Mode == protocol.Barging || c.answer != "")
	}
	c.cfg.OnEvent(Supervising{m})
}

func (c *Client) progressed(p protocol.Progress) {
	c.log.Info("call under way", "call_id", p.CallID, "transfer", p.Transfer, "state", p.State, "status", p.Status, "text", p.Text)
	switch {
	case !p.Transfer:
		c.dialled = p.CallID
	case p.CallID == c.call: // the caller hears music until the transfer is settled
		c.voice.held.Store(p.State != protocol.Failed)
	}
	c.cfg.OnEvent(Progressed{p})
}

// unanswered takes in the end of a call that was dialled and never answered.
func (c *Client) unanswered(cause string) {
	id := c.dialled
	c.dialled = ""
	c.cfg.OnEvent(CallEnded{CallID: id, Cause: cause})
}

// EndWrapUp is ready for the next call.
func (c *Client) EndWrapUp() { c.do(func() { c.request(protocol.EndWrapUp{}) }) }

// Mute silences the microphone towards the caller at once; the service is told, so that
// no meter counts the silence.
func (c *Client) Mute(on bool) {
	c.voice.muted.Store(on)
	c.do(func() { c.request(protocol.Mute{On: on}) })
}

// ChangeHeadset says that another device is worn. Its measurements begin anew; in a call,
// what the one before measured is reported first, since it may be why it was changed.
func (c *Client) ChangeHeadset(h protocol.Headset) {
	c.do(func() {
		report := c.voice.meter.restart()
		if c.call != "" {
			c.sendReport(c.call, report)
		}
		hello := *c.hello.Load()
		hello.Headset = h
		c.hello.Store(&hello)
		c.request(protocol.HeadsetChanged{Headset: h})
	})
}

func (c *Client) want(w wish) {
	c.wish.stop()
	c.wish = w
	c.outbox.drop(protocol.SetState{})
	c.ask()
}

// ask tells the service the wish. Ready needs a media connection: a call that finds
// none would be lost time for the caller.
func (c *Client) ask() {
	if c.wish.ready && c.media.current == nil {
		return // mediaUp asks
	}
	if c.link == nil && c.state.State == "" {
		return // welcomed asks
	}
	if c.wish.ready {
		c.request(protocol.SetState{State: "ready"})
		return
	}
	c.request(protocol.SetState{State: "break", Reason: c.wish.reason})
}

func (c *Client) accept(callID string) {
	c.answer = callID
	c.voice.onAir.Store(true)
	c.request(protocol.Accept{CallID: callID})
}

func (w *wish) stop() {
	if w.timer != nil {
		w.timer.Stop()
		w.timer = nil
	}
}
