package call

import (
	"context"
	"strconv"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
)

// connected and done are a peer's channels; nil, which never is ready, without a peer.
func connected(p Peer) <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.Connected()
}

func done(p Peer) <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.Done()
}

// legID names an agent's leg: the call, the attempt to connect, and which leg of it when
// media or headset changed on the way. Attempts count for the whole switchboard.
func legID(id model.CallID, attempt uint64, rejoin int) model.LegID {
	s := string(id) + ".a" + strconv.FormatUint(attempt, 10)
	if rejoin > 0 {
		s += "." + strconv.Itoa(rejoin)
	}
	return model.LegID(s)
}

// setUp answers an SDP offer, beside the session. The connection that stands is kept
// until the new one can carry audio.
func (a *Agent) setUp(id, sdp string) {
	a.offers++
	n := a.offers
	a.settingUp = true
	a.sb.beside(a.sb.cfg.MediaSetup, func(ctx context.Context) {
		p, answer, err := a.sb.deps.Gateway.Accept(ctx, sdp)
		if !a.box.post(func() { a.answered(n, id, p, answer, err) }) && err == nil {
			a.closePeer(p)
		}
	})
}

func (a *Agent) answered(n int, id string, p Peer, answer string, err error) {
	switch {
	case err != nil:
		a.log.Warn("media offer not taken", "err", err)
		a.reply(id, protocol.Error{Code: protocol.CodeMedia, Message: "The audio connection could not be set up: the offer was not understood."})
	case n != a.offers || a.ending != nil:
		a.closePeer(p)
		a.reply(id, protocol.Error{Code: protocol.CodeStale, Message: "A newer offer has taken the place of this one."})
	default:
		a.closePeer(a.next)
		a.next = a.sb.guarded(p)
		a.nextBy.set(a.sb.cfg.MediaSetup)
		a.reply(id, protocol.SDPAnswer{SDP: answer})
	}
	if n == a.offers {
		a.settingUp = false
		if err != nil && a.next == nil {
			a.wantReady = false
		}
	}
}

// mediaUp makes the new connection the one that counts; a call in progress moves to it.
func (a *Agent) mediaUp() {
	old := a.peer
	a.peer, a.next = a.next, nil
	a.nextBy.clear()
	a.mediaLost.clear()
	a.wired.Store(true)
	a.sb.floor.touch(a.id)
	a.log.Info("media connected", "replaced", old != nil)
	switch {
	case a.leg != nil:
		a.continueOn(model.CauseMediaReplaced)
	case a.watch != nil:
		a.watch.watchOn(a, a.peer)
	}
	a.closePeer(old)
}

// failureOf says why a peer ended, if it knows.
func failureOf(p Peer) string {
	if p, ok := p.(interface{ Err() error }); ok {
		if err := p.Err(); err != nil {
			return err.Error()
		}
	}
	return "connection failed"
}

// mediaFailed gives up on a connection that never came to stand.
func (a *Agent) mediaFailed(why string) {
	a.log.Warn("media not connected", "why", why)
	a.closePeer(a.next)
	a.next = nil
	a.nextBy.clear()
	a.wantReady = false
	a.send("", protocol.Error{Code: protocol.CodeMedia, Message: "The audio connection could not be set up (" + why + "). Trying again may help; otherwise ask IT whether UDP to the service is blocked."})
}

// mediaDown is the loss of the connection that stood: the client is asked for a new one,
// and a call in progress waits for it, but not for long.
func (a *Agent) mediaDown() {
	if a.phone {
		a.phoneLost()
		return
	}
	a.log.Warn("media lost", "in_call", a.leg != nil)
	a.closePeer(a.peer)
	a.peer = nil
	a.wired.Store(false)
	a.sb.floor.touch(a.id)
	a.leaveWatch(whyNoMedia, nil)
	if a.leg != nil {
		a.mediaLost.set(a.sb.cfg.MediaGrace)
	}
	if a.next == nil && !a.settingUp {
		a.send("", protocol.Error{Code: protocol.CodeMedia, Message: "The audio connection was lost. It is being set up again."})
	}
}

// continueOn goes on with the call on a new leg, over the present peer and headset.
// Without a peer the leg waits for one: mediaUp comes here again.
func (a *Agent) continueOn(cause model.Cause) {
	if a.peer == nil {
		return
	}
	old := a.leg
	a.flushMic()
	a.rejoins++
	l := newAgentLeg(a, old.on, legID(old.call, old.attempt, a.rejoins))
	a.take(l, old.on, old.attempt)
	if !old.on.rejoin(l, cause) {
		a.letGo(old.call, model.CauseCallerHungUp)
	}
}

// closePeer closes beside the session, since that may take the network's time.
func (a *Agent) closePeer(p Peer) {
	if p == nil {
		return
	}
	a.sb.goodbye(a.sb.cfg.HangupTimeout, func(context.Context) {
		if err := p.Close(); err != nil {
			a.log.Debug("media connection closed with an error", "err", err)
		}
	})
}

// quietAfter is how long nothing may come from a client whose link is gone before its
// caller is given music: a program that died sends nothing, one that only lost its
// WebSocket still sends audio, of a muted microphone too.
const quietAfter = time.Second

// listenFor looks whether anything comes from the client while its link is gone.
func (a *Agent) listenFor() {
	if a.link != nil {
		return
	}
	if a.leg != nil { // it may still be on its way: an offer accepted just before
		gone := a.peer == nil || time.Since(a.peer.Stats().LastIn) >= quietAfter
		a.leg.on.comfort(a, gone)
	}
	a.silence.set(quietAfter)
}

// heard ends the listening, and the music that came of it: the client is back.
func (a *Agent) heard() {
	a.silence.clear()
	if a.leg != nil {
		a.leg.on.comfort(a, false)
	}
}
