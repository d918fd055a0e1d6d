package phone

import (
	"context"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/mask"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// What is heard after a feature code: one long tone for done, short low ones for refused.
const (
	doneHz, refusedHz = 880.0, 330.0
	toneDBov          = -20.0
	doneFor           = 700 * time.Millisecond
	refusedFor        = 1500 * time.Millisecond
	answerTimeout     = 10 * time.Second
)

// Incoming takes a call of a user's phone: to a feature code, or to a number. It returns at
// once.
func (l *Lines) Incoming(c *sip.Call) {
	line := l.line(c.Phone())
	if line == nil || !line.box.post(func() { line.called(c) }) {
		_ = c.Reject(403, 0)
	}
}

// Transfer takes a REFER within a call that a phone placed.
func (l *Lines) Transfer(t *sip.Transfer) {
	line := l.line(t.Call().Phone())
	if line == nil || !line.box.post(func() { line.transfer(t) }) {
		_ = t.Refuse(503)
	}
}

// called is a number dialled on the phone.
func (l *line) called(c *sip.Call) {
	if l.lines.deps.Emergency(c.To()) {
		l.log.Warn("emergency number dialled on the phone")
		l.urgent(c)
		return
	}
	codes := l.lines.featureCodes()
	confirm := func(err error) { l.confirm(c, err) }
	l.log.Info("dialled on the phone", "number", mask.Number(c.To()))
	switch c.To() {
	case codes.Ready:
		l.wish(model.Ready, "", confirm)
	case codes.Break:
		l.wish(model.Break, "", confirm)
	case codes.SignOut:
		l.wish(model.Offline, "", confirm)
	case codes.WrapUp:
		confirm(l.say(protocol.EndWrapUp{}))
	default:
		l.dial(c)
	}
}

func (l *Lines) featureCodes() model.FeatureCodes {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.codes
}

// confirm answers a feature code and lets its outcome be heard.
func (l *line) confirm(c *sip.Call, err error) {
	src, long := prompt.Tone(doneHz, toneDBov), doneFor
	if err != nil {
		l.log.Info("refused by feature code", "why", err)
		src, long = beeps{prompt.Tone(refusedHz, toneDBov)}, refusedFor
	}
	l.lines.beside(answerTimeout, func(ctx context.Context) {
		defer l.hangUp(c)
		leg, err := c.Answer(ctx)
		if err != nil {
			return
		}
		l.sound(ctx, c, src, long, leg)
	})
}

// dial places a call to a number for the phone: it is answered, hears how the call gets on,
// and is its audio.
func (l *line) dial(c *sip.Call) {
	switch {
	case l.session == nil:
		l.besides(func() { _ = c.Reject(403, 0) })
	case l.talk != nil || l.ring != nil:
		l.besides(func() { _ = c.Reject(486, 0) })
	default:
		l.answer(c)
	}
}

// urgent is dial for an emergency. Nobody has to be signed in for it, nor any phone to be
// registered, and it comes before what rings, which the session withdraws.
func (l *line) urgent(c *sip.Call) {
	switch {
	case l.talk != nil, l.first != nil && l.first.Ended() == "":
		l.besides(func() { _ = c.Reject(486, 0) })
	default:
		l.first = c
		if l.session == nil {
			l.signIn()
		}
		l.urgentNow()
	}
}

// urgentNow answers the emergency call that waits, once the session can dial.
func (l *line) urgentNow() {
	if c := l.first; c != nil && l.session != nil && l.state.State != "" && model.AgentState(l.state.State) != model.Offline {
		l.first = nil
		l.answer(c)
	}
}

// refuseUrgent gives up the emergency call that waits: there is no session for it.
func (l *line) refuseUrgent() {
	if c := l.first; c != nil {
		l.first = nil
		l.log.Error("emergency call refused: its user could not be signed in")
		l.besides(func() { _ = c.Reject(503, 0) })
	}
}

// answer answers a call that the phone dialled. Whoever dials is there, registered or not.
func (l *line) answer(c *sip.Call) {
	if l.link == nil {
		l.relink(registrar.Binding{})
	}
	l.coming++
	l.lines.beside(answerTimeout, func(ctx context.Context) {
		_, err := c.Answer(ctx)
		if !l.box.post(func() { l.dialled(c, err) }) && err == nil {
			l.hangUp(c)
		}
	})
}

// dialled is the phone's call once it is answered.
func (l *line) dialled(c *sip.Call, err error) {
	l.coming--
	defer l.registered() // it was kept from letting go of the session
	switch {
	case err != nil:
		return
	case l.session == nil || l.talk != nil: // meanwhile
		l.besides(func() { l.hangUp(c) })
		return
	}
	l.hold(c, "")
	l.talk.dialled, l.talk.at = true, c.At()
	if err := l.bring(); err != nil {
		l.dropTalk()
		return
	}
	talk := l.talk
	l.ask(protocol.Dial{To: c.To()}, func(ack protocol.Ack, err error) {
		switch {
		case l.talk != talk: // hung up meanwhile
			if err == nil {
				l.ask(protocol.Hangup(ack), func(protocol.Ack, error) {})
			}
		case err == nil:
			talk.id, talk.connected = ack.CallID, true
		default:
			l.notDialled(err)
		}
	})
}

// notDialled lets the phone hear that its call was refused, and ends it.
func (l *line) notDialled(err error) {
	l.log.Info("not dialled", "number", mask.Number(l.talk.call.To()), "why", err)
	talk := l.talk
	l.talk = nil
	talk.peer.lose()
	l.lines.beside(answerTimeout, func(ctx context.Context) {
		defer l.hangUp(talk.call)
		l.sound(ctx, talk.call, beeps{prompt.Tone(refusedHz, toneDBov)}, refusedFor, talk.call.Leg())
	})
}
