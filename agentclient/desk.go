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
