package call

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/model"
)

// ReasonReconnecting is the reason of the break that the switchboard gives an agent who
// was ready when the client's link or media was lost, so that no caller rings for a
// client that is not there. It is lifted as soon as both are back.
const ReasonReconnecting = "reconnecting"

// Agent is the session of one signed-in person, from sign-in until sign-out, replacement
// or the end of an outage's grace. Its goroutine owns every field below box.
type Agent struct {
	sb    *Switchboard
	id    model.AgentID
	name  string
	token string
	log   *slog.Logger
	phone bool // audio comes with each call; see agent_phone.go
	book  *legBook
	box   *mailbox
	done  chan struct{} // closed when the session is over

	// Published for screens and, muted, for the meter.
	device atomic.Pointer[device]
	mic    atomic.Pointer[headset.Reading]
	onLeg  atomic.Pointer[agentLeg]
	linked atomic.Bool
	wired  atomic.Bool
	muted  atomic.Bool

	headset    model.HeadsetInfo
	verdict    model.Verdict // on it
	link       Link          // nil during an outage
	outage     alarm
	silence    alarm // without a link: when to listen for the agent's voice again
	state      protocol.State
	settling   bool // a break or ready of our own making is on its way to acd
	onBreak    bool // the person's last word was break
	dismissed  bool // may take no more calls: the session ends with the call in progress
	signedOut  bool // by the client; in a call the session goes on until that ends or the link does
	wantReady  bool // asked for while the audio is still being connected
	offer      *protocol.Offer
	talking    *protocol.Call // the call in progress, once joined
	leg        *agentLeg      // from connect until the call lets go
	rejoins    int
	peer       Peer // connected; nil while there is none
	mediaLost  alarm
	relays     alarm // those handed out end; see agent_relays.go
	next       Peer  // answered, not yet connected
	nextBy     alarm
	dialling   bool                           // it is being asked whether a number may be called
	watch      *call                          // that is supervised, or is about to be
	watchTold  bool                           // the client knows
	watchedBy  map[string]protocol.Supervised // supervisors in the call in progress, as the client was told
	underWay   *protocol.Progress             // of what is dialled and not settled
	offers     int                            // SDP offers so far; only the newest counts
	settingUp  bool
	answers    answers
	micLimit   rateLimit
	micChunk   model.ReadingChunk
	micJournal *journal
	ending     *ending
}

// device is the headset as it is published.
type device struct {
	info    model.HeadsetInfo
	verdict model.VerdictState
}

// ending is why a session ends, for the log and in the words its client gets; without a
// code it is told nothing.
type ending struct {
	why        string
	code, text string
	lost       bool // acd must still learn that the agent is gone
}

// How sessions end.
func endReplaced() ending {
	return ending{why: "signed in elsewhere", code: protocol.CodeReplaced, text: "You signed in somewhere else, so this session was closed."}
}

func endStopping() ending {
	return ending{why: "service stops", code: protocol.CodeBusy, text: "The service is stopping. You can sign in again in a moment."}
}

func endMedia() ending {
	return ending{why: "media lost", code: protocol.CodeMedia, lost: true,
		text: "Your audio connection was lost and did not come back. The caller is being put through to somebody else."}
}

func endOutage() ending  { return ending{why: "client gone", lost: true} }
func endSignOut() ending { return ending{why: "signed out"} }

// Errors of SignIn and Handle.
var (
	ErrVersion  = errors.New("call: protocol version not spoken here")
	ErrNotAgent = errors.New("call: user is not an agent")
	ErrStopped  = errors.New("call: switchboard is not running")
	ErrEnded    = errors.New("call: the session is over")
)

// Refusal is what a client is told when SignIn failed.
func Refusal(err error) protocol.Error {
	switch {
	case errors.Is(err, ErrVersion):
		return protocol.Error{Code: protocol.CodeVersion, Message: "This program is too old or too new for the service. Please update it."}
	case errors.Is(err, ErrNotAgent):
		return protocol.Error{Code: protocol.CodeNotNow, Message: "You may not take calls. Ask your supervisor for the agent role."}
	case errors.Is(err, ErrStopped):
		return protocol.Error{Code: protocol.CodeBusy, Message: endStopping().text}
	default:
		return protocol.Error{Code: protocol.CodeInternal, Message: "Signing in did not work. Please try again."}
	}
}

// lookupTimeout bounds how long a sign-in waits for what is known of the headset; without
// it the headset counts as unknown.
const lookupTimeout = 2 * time.Second

// SignIn begins a session, or takes one up again when hello carries the token of one that
// still stands. It waits for the store and the floor, at most a few seconds, so it is called
// on the connection's own goroutine. The Welcome is the first message the client must
// get: a link whose writer starts only after the Welcome was written keeps that order,
// since what follows it (an Offer that is still ringing, say) may be sent at once.
//
// Without a token that fits, an earlier session of the same user is replaced.
func (s *Switchboard) SignIn(ctx context.Context, user model.User, hello protocol.Hello, link Link) (*Agent, protocol.Welcome, error) {
	if hello.Version != protocol.Version {
		return nil, protocol.Welcome{}, ErrVersion
	}
	if !user.MayWork() {
		return nil, protocol.Welcome{}, ErrNotAgent
	}
	info := model.HeadsetInfo(hello.Headset)
	if hello.Resume != "" {
		if a := s.floor.find(ctx, user.ID, hello.Resume); a != nil {
			if w, err := a.attach(ctx, link, info, true); err == nil {
				return a, w, nil
			}
		}
	}
	return s.begin(ctx, user, info, link, false)
}

// begin begins a session, of a phone or of a client.
func (s *Switchboard) begin(ctx context.Context, user model.User, info model.HeadsetInfo, link Link, phone bool) (*Agent, protocol.Welcome, error) {
	if !s.Running() {
		return nil, protocol.Welcome{}, ErrStopped
	}
	verdict := s.seen(ctx, user.ID, info)
	a := newAgent(s, user, info, verdict)
	a.phone = phone
	a.wired.Store(phone)
	if !s.floor.signIn(a, user, verdict) {
		return nil, protocol.Welcome{}, ErrStopped
	}
	w, err := a.attach(ctx, link, info, false)
	if errors.Is(err, ErrEnded) && !s.Running() {
		err = ErrStopped
	}
	if err != nil {
		a.end(endOutage())
		return nil, protocol.Welcome{}, err
	}
	return a, w, nil
}

// seen records a headset and gives what is known of it. It waits for the store, briefly.
func (s *Switchboard) seen(ctx context.Context, agent model.AgentID, info model.HeadsetInfo) model.Verdict {
	id := info.ID()
	unknown := model.Verdict{Headset: id, State: model.VerdictUnknown, Findings: []model.VerdictFinding{}}
	if id == "" {
		return unknown
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	now := time.Now()
	h := model.Headset{ID: id, Model: info.Model, Serial: info.Serial, FirstSeen: now, LastSeen: now, LastAgent: agent}
	if err := s.deps.Headsets.SeenHeadset(ctx, h); err != nil {
		s.log.Warn("headset not recorded", "headset", id, "agent", agent, "err", err)
	}
	v, err := s.deps.Evidence.Verdict(ctx, id)
	if err != nil {
		s.log.Warn("verdict not known, headset counts as unknown", "headset", id, "err", err)
		return unknown
	}
	if v.State == "" {
		return unknown
	}
	return v
}

func newAgent(s *Switchboard, user model.User, info model.HeadsetInfo, verdict model.Verdict) *Agent {
	a := &Agent{
		sb: s, id: user.ID, name: user.Title, token: newToken(), log: s.log.With("agent", user.ID),
		box: newMailbox(), done: make(chan struct{}), headset: info, verdict: verdict,
		state: protocol.State{State: string(model.Offline), Since: time.Now()}, answers: newAnswers(),
	}
	a.device.Store(&device{info: info, verdict: verdict.State})
	return a
}

// headsetID is for the floor, before the session's goroutine starts.
func (a *Agent) headsetID() model.HeadsetID { return a.device.Load().info.ID() }

// abandon is for a session that never started.
func (a *Agent) abandon() {
	why := endStopping()
	a.ending = &why
	close(a.done)
	a.box.close()
}

func (a *Agent) run() {
	a.outage.set(a.sb.cfg.OutageGrace) // until the first link is attached
	for a.ending == nil {
		select {
		case <-a.box.wake:
			a.box.run()
		case <-a.outage.C:
			a.log.Info("client did not come back", "grace", a.sb.cfg.OutageGrace)
			a.finish(endOutage())
		case <-a.silence.C:
			a.listenFor()
		case <-a.mediaLost.C:
			a.log.Info("media did not come back", "grace", a.sb.cfg.MediaGrace)
			a.finish(endMedia())
		case <-a.relays.C:
			a.renewRelays()
		case <-a.nextBy.C:
			a.mediaFailed("no connection in time")
		case <-connected(a.next):
			a.mediaUp()
		case <-done(a.next):
			a.mediaFailed(failureOf(a.next))
		case <-done(a.peer):
			a.mediaDown()
		}
		if a.ending == nil {
			a.settle()
		}
	}
	a.goodbye()
}

// finish ends the session once the step is over; the first reason counts.
func (a *Agent) finish(why ending) {
	if a.ending == nil {
		a.ending = &why
	}
}

// end asks the session to end.
func (a *Agent) end(why ending) { a.box.post(func() { a.finish(why) }) }

func (a *Agent) goodbye() {
	if a.ending.lost {
		a.sb.floor.agentGone(a) // acd frees the call or the offer
	}
	if a.ending.code != "" {
		a.send("", protocol.Error{Code: a.ending.code, Message: a.ending.text})
	}
	a.log.Info("session over", "why", a.ending.why)
	for _, al := range []*alarm{&a.outage, &a.silence, &a.mediaLost, &a.nextBy, &a.relays} {
		al.clear()
	}
	a.flushMic()
	a.leaveWatch(whyGone, nil)
	a.onLeg.Store(nil)
	a.closePeer(a.peer)
	a.closePeer(a.next)
	a.peer, a.next = nil, nil
	close(a.done)
	a.box.close()
	a.link = nil
	a.linked.Store(false)
}

// send speaks to the client if it is there; what it misses it learns from the Welcome.
func (a *Agent) send(id string, m protocol.Message) {
	if a.link != nil {
		a.link.Send(id, m)
	}
}

// attach gives the session a link and builds the Welcome.
func (a *Agent) attach(ctx context.Context, link Link, info model.HeadsetInfo, resumed bool) (protocol.Welcome, error) {
	ready := make(chan protocol.Welcome, 1)
	if !a.box.post(func() {
		if a.ending != nil {
			return
		}
		a.link = link
		a.linked.Store(true)
		a.outage.clear()
		a.heard()
		w := protocol.Welcome{Version: protocol.Version, Resume: a.token, Resumed: resumed, Agent: string(a.id), Name: a.name, State: a.state, ICEServers: a.handOutRelays()}
		if a.talking != nil {
			c := *a.talking
			w.Call = &c
		}
		ready <- w
		a.sb.floor.touch(a.id)
		if a.headset.ID() != "" {
			a.send("", protocol.Verdict{State: string(a.verdict.State), Text: a.verdict.Text})
		}
		a.send("", protocol.Limits{Limits: a.sb.limits()})
		if a.offer != nil {
			a.send("", *a.offer)
		}
		if a.underWay != nil {
			a.send("", *a.underWay)
		}
		a.tellSupervised()
		if resumed && info != a.headset {
			a.wear(info)
		}
		a.log.Info("client linked", "resumed", resumed)
	}) {
		return protocol.Welcome{}, ErrEnded
	}
	select {
	case w := <-ready:
		return w, nil
	case <-a.done:
		return protocol.Welcome{}, ErrEnded
	case <-ctx.Done():
		return protocol.Welcome{}, ctx.Err()
	}
}

// LinkLost says that a link has ended. The session goes on for Config.OutageGrace, in
// which the client may resume it; a link that was superseded changes nothing. One who
// signed out before is not waited for: the caller goes to somebody else at once.
func (a *Agent) LinkLost(link Link) {
	a.box.post(func() {
		if a.link != link {
			return
		}
		a.link = nil
		a.linked.Store(false)
		a.mic.Store(nil)
		if a.signedOut {
			a.finish(endOutage())
			return
		}
		a.outage.set(a.sb.cfg.OutageGrace)
		a.silence.set(quietAfter)
		a.sb.floor.touch(a.id)
		a.log.Info("client link lost", "grace", a.sb.cfg.OutageGrace)
	})
}

// SignOut ends the session from the service's side, for somebody who may not take calls any
// more: at once, or when the call in progress ends, so that its caller is not left alone.
func (a *Agent) SignOut() { a.sb.floor.signOut(a) }

// dismiss says whether the session is to end with the call in progress.
func (a *Agent) dismiss(is bool) { a.box.post(func() { a.dismissed = is }) }

// Done is closed when the session is over.
func (a *Agent) Done() <-chan struct{} { return a.done }

// live is the session as screens see it.
func (a *Agent) live() AgentLive {
	d := a.device.Load()
	out := AgentLive{
		Agent: a.id, Headset: d.info.ID(), Device: d.info, Verdict: d.verdict,
		Mic: a.mic.Load(), Connected: a.linked.Load(), Media: a.wired.Load(), Phone: a.phone,
	}
	if l := a.onLeg.Load(); l != nil {
		out.Call, out.Wire = l.call, l.wire.Load()
	}
	return out
}

// settle keeps callers away from a client that cannot ring or be heard, and lets them
// come again when it can. A wrap-up, a call and a break that the person chose are left alone.
func (a *Agent) settle() {
	if a.settling || a.onBreak {
		return // on a break, or on the way to one
	}
	able := a.link != nil && (a.peer != nil || a.phone)
	state := model.AgentState(a.state.State)
	switch {
	case !able && (state == model.Ready || state == model.Offered):
		a.settling = true
		a.sb.floor.tell(acd.AgentBreak{Agent: a.id, Reason: ReasonReconnecting})
	case able && (a.wantReady && state != model.Ready || state == model.Break && a.state.Reason == ReasonReconnecting):
		a.settling, a.wantReady = true, false
		a.sb.floor.tell(acd.AgentReady{Agent: a.id})
	}
}

// What the floor and the call say.

func (a *Agent) changed(c acd.AgentChanged) {
	since := time.Now()
	a.box.post(func() {
		a.settling = false
		a.state = protocol.State{State: string(c.State), Reason: c.Reason, Since: since}
		if !c.Until.IsZero() {
			until := c.Until
			a.state.Until = &until
		}
		if c.State != model.Offered {
			a.offer = nil
		}
		a.send("", a.state)
		if c.State == model.Offline {
			a.finish(endSignOut())
		}
	})
}

func (a *Agent) offered(o acd.Offer, c model.Call) {
	a.box.post(func() {
		a.offer = &protocol.Offer{Call: told(c), Expires: o.Until}
		a.send("", *a.offer)
	})
}

func (a *Agent) withdrawn(w acd.OfferWithdrawn) {
	a.box.post(func() {
		if a.offer != nil && a.offer.Call.ID == string(w.Call) {
			a.offer = nil
		}
		a.send("", protocol.OfferWithdrawn{CallID: string(w.Call), Why: w.Why})
	})
}

// connect asks for a leg to be joined with the caller.
func (a *Agent) connect(c *call, attempt uint64) bool {
	return a.box.post(func() {
		if a.watch != nil && a.ending == nil { // then the audio is free
			a.leaveWatch(whyOwnCall, func() { a.connect(c, attempt) })
			return
		}
		if a.peer == nil || a.ending != nil {
			a.sb.floor.tell(acd.ConnectFailed{Agent: a.id, Call: c.id})
			return
		}
		a.flushMic()
		a.rejoins = 0
		l := newAgentLeg(a, c, legID(c.id, attempt, 0))
		a.take(l, c, attempt)
		if !c.join(l, attempt) {
			a.letGo(c.id, model.CauseAbandoned)
		}
	})
}

// take makes a leg the one that is spoken on.
func (a *Agent) take(l *agentLeg, c *call, attempt uint64) {
	a.leg = l
	l.on, l.attempt = c, attempt
	a.onLeg.Store(l)
	a.book.add(legRef{call: l.call, leg: l.id, headset: l.headset.ID(), journal: l.journal})
}

// joined says that caller and agent hear each other.
func (a *Agent) joined(c model.Call) {
	a.box.post(func() {
		t := told(c)
		a.talking = &t
		a.send("", protocol.Connected{Call: t})
	})
}

// released says that the agent's part of a call is over.
func (a *Agent) released(id model.CallID, cause model.Cause) {
	a.box.post(func() { a.letGo(id, cause) })
}

func (a *Agent) letGo(id model.CallID, cause model.Cause) {
	if a.leg == nil || a.leg.call != id {
		return
	}
	a.flushMic()
	a.leg, a.talking, a.underWay, a.watchedBy = nil, nil, nil, nil
	a.mediaLost.clear()
	a.onLeg.Store(nil)
	a.send("", protocol.Ended{CallID: string(id), Cause: string(cause)})
	a.hangUpPhone()
}

// judged says what is now thought of the headset that is worn.
func (a *Agent) judged(v model.Verdict) {
	a.box.post(func() {
		if a.headset.ID() != v.Headset {
			return
		}
		a.know(v)
	})
}

// limitsChanged tells the client what counts as a fault from now on.
func (a *Agent) limitsChanged() {
	a.box.post(func() { a.send("", protocol.Limits{Limits: a.sb.limits()}) })
}

// know takes over what is thought of the headset and tells the client.
func (a *Agent) know(v model.Verdict) {
	a.verdict = v
	a.device.Store(&device{info: a.headset, verdict: v.State})
	a.send("", protocol.Verdict{State: string(v.State), Text: v.Text})
}

// told is a call as an agent is told of it.
func told(c model.Call) protocol.Call {
	return protocol.Call{ID: string(c.ID), Direction: string(c.Direction), Queue: string(c.Queue), From: c.From, FromName: c.FromName, To: c.To, Arrived: c.StartedAt}
}
