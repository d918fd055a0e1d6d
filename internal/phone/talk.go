package phone

import (
	"context"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// talking is the call with the phone that the user took, or placed.
type talking struct {
	id        string // of the switchboard's call
	call      *sip.Call
	peer      *peer
	connected bool
	dialled   bool              // by the phone
	at        registrar.Binding // where the phone is; of one that dialled, it may be registered nowhere
	since     time.Time
	transfer  *moving // the last one, until its outcome is known
	told      *moving // the last one; the phone is not hung up before it was told of
}

// How long the phone's BYE is waited for once a transfer is over, before ours.
const (
	tellTimeout = 3 * time.Second // until the phone is told
	partTimeout = time.Second     // from then on: it hangs up by itself, mostly
)

// peer is a phone's call as the session's audio (call.Peer).
type peer struct {
	media.Leg
	call  *sip.Call
	ready chan struct{} // closed
	gone  chan struct{}
	once  sync.Once
}

func newPeer(c *sip.Call) *peer {
	p := &peer{Leg: c.Leg(), call: c, ready: make(chan struct{}), gone: make(chan struct{})}
	close(p.ready)
	return p
}

// Connected is part of call.Peer: audio flows from the answer on.
func (p *peer) Connected() <-chan struct{} { return p.ready }

// Done is part of call.Peer. It is not closed by a BYE, which the line tells as a hang-up.
func (p *peer) Done() <-chan struct{} { return p.gone }

// Dialog is part of call.Signalled.
func (p *peer) Dialog() call.Party { return p.call }

// Digits is part of call.Keyed.
func (p *peer) Digits() <-chan rune { return p.call.Digits() }

// SendDigits is part of call.Dialpad.
func (p *peer) SendDigits(digits string) error { return p.call.SendDigits(digits) }

// TonesOnly is part of call.Dialpad.
func (p *peer) TonesOnly() bool { return p.call.TonesOnly() }

// Close is part of call.Peer. It leaves the hang-up to the line, which hears of the call's end,
// too, and may have something to say to the phone before it; only for a line that does not, it
// hangs up itself.
func (p *peer) Close() error {
	patience := time.NewTimer(lineTimeout)
	defer patience.Stop()
	select {
	case <-p.gone:
		return nil
	case <-p.call.Done():
		return nil
	case <-patience.C:
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangupTimeout)
	defer cancel()
	return p.call.Hangup(ctx)
}

// lose tells the session that this audio is no more.
func (p *peer) lose() { p.once.Do(func() { close(p.gone) }) }

// silent says that nothing has come from the phone for a while: it may be on hold, muted by
// not sending, or gone.
func (t *talking) silent(limit time.Duration) bool {
	last := t.since
	if heard := t.peer.Stats().LastIn; heard.After(last) {
		last = heard
	}
	return time.Since(last) >= limit
}

// with says that the call is with a registered phone: at the same address, or, when it has
// another connection by now, by the same name.
func (t *talking) with(b registrar.Binding) bool {
	return t.at.Source == b.Source || t.at.Contact == b.Contact
}

// hangUp ends a call with a phone; it waits for the phone's answer.
func (l *line) hangUp(c *sip.Call) {
	ctx, cancel := context.WithTimeout(context.Background(), hangupTimeout)
	defer cancel()
	if err := c.Hangup(ctx); err != nil {
		l.log.Info("phone did not answer a hang-up", "sip_call_id", c.ID(), "err", err)
	}
}

// accept takes the offered call on the phone that answered first.
func (l *line) accept(offered protocol.Call, b registrar.Binding, c *sip.Call) {
	l.hold(c, offered.ID)
	l.talk.at = b
	if err := l.say(protocol.HeadsetChanged{Headset: protocol.Headset(l.info(b))}); err != nil {
		l.log.Warn("the phone's headset is not known", "err", err)
	}
	if err := l.bring(); err != nil {
		l.dropTalk()
		return
	}
	if err := l.say(protocol.Accept{CallID: offered.ID}); err != nil {
		l.log.Info("answered too late", "call_id", offered.ID, "err", err)
		l.dropTalk()
	}
}

// hold makes a call with a phone the line's, and watches it.
func (l *line) hold(c *sip.Call, id string) {
	l.talk = &talking{id: id, call: c, peer: newPeer(c), since: time.Now()}
	l.lines.busy.Go(func() {
		for {
			select {
			case on := <-c.Holds():
				l.box.post(func() { l.held(c, on) })
			case <-c.Done():
				l.box.post(func() { l.parted(c) })
				return
			}
		}
	})
}

// bring gives the session the audio.
func (l *line) bring() error {
	if l.session == nil {
		return errSignedOut
	}
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	err := l.session.Bring(ctx, l.talk.peer)
	if err != nil {
		l.log.Error("the phone's audio was not taken", "err", err)
	}
	return err
}

// dropTalk ends the call with the phone.
func (l *line) dropTalk() {
	if l.talk == nil {
		return
	}
	t := l.talk
	l.talk = nil
	if t.transfer != nil {
		t.transfer.tell(503)
	}
	t.peer.lose()
	l.lines.busy.Go(func() {
		if t.told != nil {
			wait(l.lines.work, tellTimeout, t.told.done, t.call.Done())
			wait(l.lines.work, partTimeout, nil, t.call.Done())
		}
		l.hangUp(t.call)
	})
}

// wait waits for either, for a while at most.
func wait(ctx context.Context, long time.Duration, one, other <-chan struct{}) {
	enough := time.NewTimer(long)
	defer enough.Stop()
	select {
	case <-one:
	case <-other:
	case <-enough.C:
	case <-ctx.Done():
	}
}

// held passes on that the phone put the call on hold, or took it back.
func (l *line) held(c *sip.Call, on bool) {
	if l.talk == nil || l.talk.call != c {
		return
	}
	l.ask(protocol.Hold{CallID: l.talk.id, On: on}, func(_ protocol.Ack, err error) {
		if err != nil {
			l.log.Info("hold not carried out", "on", on, "why", err)
		}
	})
}

// parted is the end of the SIP call. A BYE is a hang-up; anything else means that the phone
// was lost, and its caller goes to somebody else.
func (l *line) parted(c *sip.Call) {
	if l.talk == nil || l.talk.call != c {
		return
	}
	switch cause := c.Ended(); cause {
	case sip.CauseRemoteBye, sip.CauseTransferred, sip.CauseReplaced:
		if err := l.say(protocol.Hangup{CallID: l.talk.id}); err != nil {
			l.log.Debug("hung up before the call was connected", "err", err)
			l.dropTalk()
		}
	default:
		if cause != sip.CauseLocal {
			l.log.Warn("call with the phone ended", "cause", cause, "call_id", l.talk.id)
		}
		l.dropTalk()
	}
	l.registered()
}

// transfer takes a REFER of the phone's.
func (l *line) transfer(t *sip.Transfer) {
	switch {
	case l.talk == nil || l.talk.call != t.Call() || !l.talk.connected:
		l.besides(func() { _ = t.Refuse(480) })
	case t.Replaces() != nil:
		l.besides(func() { _ = t.Refuse(501) }) // attended: not by phone
	case l.talk.transfer != nil:
		l.besides(func() { _ = t.Refuse(491) })
	default:
		talk, m := l.talk, newMoving()
		talk.transfer, talk.told = m, m // what is told before the answer is told after it
		l.ask(protocol.Transfer{CallID: talk.id, To: numberOf(t.Target())}, func(_ protocol.Ack, err error) {
			if err != nil {
				l.log.Info("transfer refused", "call_id", talk.id, "why", err)
				talk.transfer = nil
				l.besides(func() {
					defer close(m.done)
					_ = t.Refuse(403)
				})
				return
			}
			l.follow(t, m)
		})
	}
}

// moving is a transfer that is under way: what is told of it goes out one after the other.
type moving struct {
	news chan int
	done chan struct{} // closed when the phone was told all
}

func newMoving() *moving { return &moving{news: make(chan int, 16), done: make(chan struct{})} }

// follow tells the phone how its transfer gets on, until news is closed.
func (l *line) follow(t *sip.Transfer, m *moving) {
	l.besides(func() {
		defer close(m.done)
		_ = t.Accept() // one that is over by now takes no news either
		for status := range m.news {
			_ = t.Progress(status)
		}
	})
}

// tell passes a status on; of very many those before the last are left out.
func (m *moving) tell(status int) {
	if status >= 200 || len(m.news) < cap(m.news)-1 {
		m.news <- status // has room: only the line puts any in
	}
	if status >= 200 {
		close(m.news)
	}
}

// progress passes on how a transfer gets on. A dialled call's is heard.
func (l *line) progress(m protocol.Progress) {
	if !m.Transfer || l.talk == nil || l.talk.id != m.CallID || l.talk.transfer == nil {
		return
	}
	move, status := l.talk.transfer, m.Status
	switch m.State {
	case protocol.Trying:
		status = 100
	case protocol.Ringing:
		status = 180
	case protocol.EarlyMedia:
		status = 183
	case protocol.Answered:
		status = 200
	default:
		if status < 300 {
			status = 503
		}
	}
	if status >= 200 {
		l.talk.transfer = nil
	}
	move.tell(status)
}

// besides runs what waits for the owner of a SIP call, who answers at once.
func (l *line) besides(work func()) { l.lines.busy.Go(work) }

// numberOf is the number, or name, that a SIP or tel URI leads to.
func numberOf(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	user, _, _ := strings.Cut(rest, "@")
	user, _, _ = strings.Cut(user, ";")
	if plain, err := url.PathUnescape(user); err == nil {
		user = plain
	}
	return user
}

// hostOf is a contact's address without the user and parameters.
func hostOf(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	if _, host, ok := strings.Cut(rest, "@"); ok {
		rest = host
	}
	host, _, _ := strings.Cut(rest, ";")
	return host
}
