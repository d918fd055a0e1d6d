package call

import (
	"context"
	"strings"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

// Readings a client may send: one a second, and after an outage those it kept.
const (
	micRate  = 2.0 // a second
	micBurst = 60.0
)

// Handle takes one message of the client and gives the answer to send back under the same
// id. A nil reply without an error means that nothing is to be sent now: the message had
// no id and was carried out, or it takes longer (SDPOffer, MicReport) and the answer goes
// over the link when it is there. A message is carried out once, however often it comes
// under one id. The error is ErrEnded, or that of ctx; then the connection is to be closed.
func (a *Agent) Handle(ctx context.Context, id string, m protocol.Message) (protocol.Message, error) {
	reply := make(chan protocol.Message, 1)
	if !a.box.post(func() {
		if a.ending == nil {
			reply <- a.handle(id, m)
		}
	}) {
		return nil, ErrEnded
	}
	select {
	case r := <-reply:
		return r, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-a.done:
	}
	select {
	case r := <-reply: // the session's last word
		return r, nil
	default:
		return nil, ErrEnded
	}
}

func (a *Agent) handle(id string, m protocol.Message) protocol.Message {
	if id != "" {
		if r, known := a.answers.get(id); known {
			return r
		}
		a.answers.put(id, nil)
	}
	r := a.act(id, m)
	if r == nil {
		return nil // the answer comes later
	}
	if id == "" {
		if _, ok := r.(protocol.Ack); ok {
			return nil
		}
		return r
	}
	a.answers.put(id, r)
	return r
}

// reply answers a message that took its time.
func (a *Agent) reply(id string, m protocol.Message) {
	if id != "" {
		a.answers.put(id, m)
		if e, ok := m.(protocol.Error); ok && e.Code == protocol.CodeInternal {
			a.answers.forget(id) // sent again, it is tried again
		}
	} else if _, ok := m.(protocol.Ack); ok {
		return
	}
	a.send(id, m)
}

func refuse(code, text string) protocol.Message { return protocol.Error{Code: code, Message: text} }

// act carries a message out; nil means that the answer comes later.
func (a *Agent) act(id string, m protocol.Message) protocol.Message {
	switch m := m.(type) {
	case protocol.SDPOffer:
		a.setUp(id, m.SDP)
		return nil
	case protocol.SetState:
		return a.setState(m)
	case protocol.Accept:
		return a.accept(model.CallID(m.CallID))
	case protocol.Decline:
		if a.offer == nil || a.offer.Call.ID != m.CallID {
			return refuse(protocol.CodeStale, "This call is not being offered to you any more.")
		}
		a.sb.floor.answer(a.id, model.CallID(m.CallID), false)
		return protocol.Ack{}
	case protocol.Hangup:
		if a.leg == nil || string(a.leg.call) != m.CallID {
			return refuse(protocol.CodeStale, "You are not in this call any more.")
		}
		a.leg.on.hangup(a)
		return protocol.Ack{}
	case protocol.Dial:
		a.dial(m.To, model.QueueID(m.Queue), a.dialLater(id))
		return nil
	case protocol.Transfer:
		a.transfer(m, a.later(id))
		return nil
	case protocol.CancelTransfer:
		return a.onCall(id, m.CallID, func(c *call, answer func(error)) bool { return c.cancelTransfer(a, answer) })
	case protocol.Hold:
		return a.onCall(id, m.CallID, func(c *call, answer func(error)) bool { return c.hold(a, m.On, answer) })
	case protocol.Record:
		return a.onCall(id, m.CallID, func(c *call, answer func(error)) bool { return c.recordFor(a, RecordAction(m.Action), answer) })
	case protocol.DTMF:
		return a.onCall(id, m.CallID, func(c *call, answer func(error)) bool { return c.keys(a, a.id, m.Digits, answer) })
	case protocol.Secret:
		return a.onCall(id, m.CallID, func(c *call, answer func(error)) bool {
			return c.keepSecret(a, a.id, m.On, time.Duration(m.Seconds)*time.Second, answer)
		})
	case protocol.EndWrapUp:
		if a.state.State != string(model.WrapUp) {
			return refuse(protocol.CodeNotNow, "There is no wrap-up to end.")
		}
		a.sb.floor.tell(acd.WrapUpDone{Agent: a.id})
		return protocol.Ack{}
	case protocol.Mute:
		a.muted.Store(m.On)
		return protocol.Ack{}
	case protocol.MicReading:
		return a.micReading(id, m)
	case protocol.MicReport:
		return a.micReport(id, m)
	case protocol.HeadsetChanged:
		a.wear(model.HeadsetInfo(m.Headset))
		return protocol.Ack{}
	case protocol.SignOut:
		a.signedOut = true
		a.leaveWatch(whyLeft, nil)
		a.sb.floor.tell(acd.AgentSignedOut{Agent: a.id})
		return protocol.Ack{}
	default:
		return refuse(protocol.CodeBadMessage, "This message is not for a client to send, or not now: "+protocol.TypeOf(m)+".")
	}
}

func (a *Agent) setState(m protocol.SetState) protocol.Message {
	switch {
	case a.dismissed: // ready would take the sign-out back
		return refuse(protocol.CodeNotNow, "You may not take calls any more; you are signed out when this one ends.")
	case m.State == string(model.Break):
		a.wantReady, a.onBreak = false, true
		reason := strings.TrimSpace(m.Reason)
		if reason == "" || reason == ReasonReconnecting { // that one is ours to give and to lift
			reason = "break"
		}
		a.sb.floor.tell(acd.AgentBreak{Agent: a.id, Reason: reason})
	case m.State != string(model.Ready):
		return refuse(protocol.CodeBadMessage, "The state can be ready or break.")
	case a.peer != nil || a.phone:
		a.onBreak = false
		a.sb.floor.tell(acd.AgentReady{Agent: a.id})
	case a.next != nil || a.settingUp:
		a.wantReady, a.onBreak = true, false // takes effect as soon as the audio is connected
	default:
		return refuse(protocol.CodeNotNow, "Your audio is not connected, so callers could not hear you. Connect it first, then you can be ready.")
	}
	return protocol.Ack{}
}

func (a *Agent) accept(id model.CallID) protocol.Message {
	switch {
	case a.leg != nil && a.leg.call == id:
		return protocol.Ack{} // said twice
	case a.offer == nil || a.offer.Call.ID != string(id):
		return refuse(protocol.CodeStale, "This call is not being offered to you any more.")
	case a.peer == nil:
		return refuse(protocol.CodeNotNow, "Your audio is not connected, so you cannot take the call yet.")
	}
	a.sb.floor.answer(a.id, id, true)
	return protocol.Ack{}
}

// micReading takes one second at the microphone.
func (a *Agent) micReading(id string, m protocol.MicReading) protocol.Message {
	if !a.micLimit.allow(time.Now()) {
		a.sb.count.readingsShed.Add(1)
		if id == "" {
			return protocol.Ack{} // counted; a flood is not answered with another
		}
		return refuse(protocol.CodeBadMessage, "Readings come faster than one a second.")
	}
	a.sb.count.readingsMic.Add(1)
	r := m.Reading
	a.mic.Store(&r)
	a.sb.publish(EventReading, ReadingTaken{
		Agent: a.id, Headset: a.headset.ID(), Call: model.CallID(m.CallID), Tap: headset.TapMic, Reading: r,
	})
	ref, ok := a.book.find(model.CallID(m.CallID))
	if !ok {
		return protocol.Ack{} // between calls: live only
	}
	if a.micChunk.Leg != ref.leg {
		a.flushMic()
		a.micChunk = model.ReadingChunk{Call: ref.call, Leg: ref.leg, Tap: headset.TapMic}
		a.micJournal = ref.journal
	}
	a.micChunk.Readings = append(a.micChunk.Readings, r)
	if len(a.micChunk.Readings) >= chunkLength || a.leg == nil {
		a.flushMic()
	}
	return protocol.Ack{}
}

func (a *Agent) flushMic() {
	if len(a.micChunk.Readings) > 0 {
		a.micJournal.addReadings(a.micChunk)
	}
	a.micChunk, a.micJournal = model.ReadingChunk{}, nil
}

// wear takes note of another headset. What is known of it is looked up beside; until then
// it counts as unknown. A call in progress goes on as a new leg, so that no report mixes
// two devices.
func (a *Agent) wear(info model.HeadsetInfo) {
	if info == a.headset {
		return
	}
	a.headset = info
	a.verdict = model.Verdict{Headset: info.ID(), State: model.VerdictUnknown}
	a.device.Store(&device{info: info, verdict: model.VerdictUnknown})
	a.mic.Store(nil)
	a.sb.floor.headsetChanged(a, a.verdict)
	if a.leg != nil {
		a.continueOn(model.CauseNewHeadset)
	}
	a.log.Info("headset changed", "headset", info.ID())
	a.sb.beside(2*lookupTimeout, func(ctx context.Context) {
		v := a.sb.seen(ctx, a.id, info)
		a.box.post(func() {
			if a.headset != info {
				return
			}
			a.know(v)
			a.sb.floor.headsetChanged(a, v)
		})
	})
}
