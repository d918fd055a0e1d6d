package phone

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/registrar"
)

// Reasons of breaks that a line gives.
const (
	ReasonUnreachable = "phone not reachable"
	ReasonLost        = "phone lost in a call"
)

// How long a line waits for what answers at once, and for a sign-in.
const (
	sessionTimeout = 5 * time.Second
	signInTimeout  = 10 * time.Second
	signInAgain    = time.Second
	askTimeout     = 4 * time.Second // for the answer to OPTIONS
	lineTimeout    = 5 * time.Second // that a session gives its line to hang up
	hangupTimeout  = 5 * time.Second
	saveTimeout    = 5 * time.Second
)

// stamp names a registration as it was when it was found dead: one that is renewed is another.
type stamp struct {
	contact, callID string
	cseq            uint32
}

func stampOf(b registrar.Binding) stamp { return stamp{b.Contact, b.CallID, b.CSeq} }

// line is one user's phones. Its goroutine owns every field below box.
type line struct {
	lines *Lines
	log   *slog.Logger
	dead  atomic.Pointer[[]stamp] // registrations that did not answer; written by the line alone
	box   *steps

	user     model.User
	gone     bool // the user has no phone any more
	bindings []registrar.Binding
	session  *call.Agent
	link     *link // of the session; nil while it has none
	entering bool  // a sign-in is under way
	looking  bool  // a failed sign-in is about to be tried again
	want     model.PhoneState
	saver    saver  // of want
	waiting  []wish // for the session
	asked    map[string]func(protocol.Ack, error)
	asks     int
	state    protocol.State
	why      string // the session ends: the code of its last word
	ring     *ringing
	talk     *talking
	first    *sip.Call // an emergency call that waits for the session
	coming   int       // calls that the phone dialled and that are being answered
}

// wish is a state asked for while there is no session yet.
type wish struct {
	state model.PhoneState
	done  func(error)
}

func newLine(l *Lines, user model.User, want model.PhoneState) *line {
	line := &line{lines: l, log: l.deps.Log.With("agent", user.ID), box: newSteps(), user: user, want: want, asked: map[string]func(protocol.Ack, error){}}
	line.dead.Store(&[]stamp{})
	return line
}

func (l *line) run(ctx context.Context) {
	tick, listen := time.NewTicker(l.lines.cfg.Qualify), time.NewTicker(l.lines.cfg.Silence)
	defer tick.Stop()
	defer listen.Stop()
	for {
		select {
		case <-ctx.Done():
			l.stopRinging()
			l.dropTalk()
			l.box.close()
			return
		case <-l.box.wake:
			l.box.run()
		case <-tick.C:
			l.qualify()
		case <-listen.C:
			if l.talk != nil && l.talk.silent(l.lines.cfg.Silence) {
				l.qualify()
			}
		}
	}
}

// known is what the site now says of the user.
func (l *line) known(user model.User, there bool) {
	l.gone = !there
	if there {
		l.user = user
	}
	l.registered()
}

// able are the registrations that were not found dead.
func (l *line) able() []registrar.Binding {
	dead := *l.dead.Load()
	return slices.DeleteFunc(slices.Clone(l.bindings), func(b registrar.Binding) bool { return slices.Contains(dead, stampOf(b)) })
}

// registered looks at what is registered now and begins, takes up or lets go of the session.
func (l *line) registered() {
	l.bindings = l.lines.deps.Registrar.Bindings(string(l.user.ID))
	if l.gone {
		l.bindings = nil
	}
	able := l.able()
	switch {
	case len(able) > 0 && l.session == nil:
		if l.want.State != model.Offline && l.lines.deps.Board.Session(l.user.ID) == nil { // a client's session is left alone
			l.signIn()
		}
	case len(able) > 0 && l.link == nil:
		l.relink(able[0])
	case len(able) == 0 && l.link != nil && l.talk == nil && l.first == nil && l.coming == 0: // one that talks is there, whatever its registration says
		link := l.link
		l.link = nil
		l.session.LinkLost(link)
	}
}

// info is the headset as far as it is known: a phone knows none, and is taken for it.
func (l *line) info(b registrar.Binding) model.HeadsetInfo {
	h := l.user.Phone.Headset
	return model.HeadsetInfo{
		Model:  cmp.Or(h.Model, strings.ReplaceAll(b.UserAgent, "/", "-"), "SIP phone"),
		Serial: cmp.Or(h.Serial, string(l.user.ID)),
	}
}

// signIn begins a session, beside the line.
func (l *line) signIn() {
	able := l.able()
	if len(able) == 0 && l.first != nil {
		able = []registrar.Binding{{}} // the phone that dials need not be registered
	}
	if l.entering || len(able) == 0 {
		return
	}
	l.entering, l.state = true, protocol.State{}
	user, info, link := l.user, l.info(able[0]), &link{line: l}
	l.lines.beside(signInTimeout, func(ctx context.Context) {
		session, welcome, err := l.lines.deps.Board.SignInPhone(ctx, user, info, link)
		if !l.box.post(func() { l.signedIn(session, link, welcome.State, err) }) && err == nil {
			session.LinkLost(link)
		}
	})
}

// signedIn is what came of a sign-in; state is what the session began with.
func (l *line) signedIn(session *call.Agent, link *link, state protocol.State, err error) {
	l.entering = false
	waiting := l.waiting
	l.waiting = nil
	if err != nil {
		if !errors.Is(err, call.ErrStopped) {
			l.log.Error("a phone's user could not be signed in", "err", err)
		}
		l.refuseUrgent()
		refusal := call.Refusal(err)
		for _, w := range waiting {
			w.done(&Refusal{Code: refusal.Code, Text: refusal.Message})
		}
		l.lookAgain()
		return
	}
	l.session, l.link, l.why = session, link, ""
	if l.state.State == "" { // nothing newer was said
		l.state = state
	}
	l.lines.busy.Go(func() {
		<-session.Done()
		l.box.post(func() { l.ended(session) })
	})
	l.log.Info("signed in by phone", "registrations", len(l.bindings))
	if len(waiting) == 0 && (l.want.State == model.Ready || l.want.State == model.Break && l.want.Reason != "") {
		waiting = []wish{{l.want, func(error) {}}}
	}
	for _, w := range waiting {
		w.done(l.say(protocol.SetState{State: string(w.state.State), Reason: w.state.Reason}))
	}
	l.urgentNow()
	l.registered() // it may have gone meanwhile
}

// lookAgain tries again after a sign-in that failed: a service that has just started may not
// have been ready for it.
func (l *line) lookAgain() {
	if l.looking {
		return
	}
	l.looking = true
	l.lines.busy.Go(func() {
		select {
		case <-time.After(signInAgain):
			l.box.post(func() {
				l.looking = false
				l.registered()
			})
		case <-l.lines.work.Done():
		}
	})
}

func (l *line) relink(b registrar.Binding) {
	link := &link{line: l}
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	if err := l.session.Relink(ctx, l.info(b), link); err == nil {
		l.link = link
	}
}

// ended is the end of a session, whoever wanted it.
func (l *line) ended(session *call.Agent) {
	if l.session != session {
		return
	}
	unlinked, why := l.link == nil, l.why
	l.session, l.link, l.why = nil, nil, ""
	for id := range l.asked {
		l.answered(id, protocol.Error{Code: protocol.CodeNotNow, Message: "The session is over."})
	}
	l.state = protocol.State{}
	l.stopRinging()
	l.dropTalk()
	switch {
	case why == protocol.CodeBusy || l.lines.work.Err() != nil: // the service stops: all is as it was when it starts again
	case why == protocol.CodeMedia:
		l.keep(model.PhoneState{State: model.Break, Reason: ReasonLost})
		l.registered()
	case unlinked: // nobody is ready by a phone that comes back the next morning
		l.keep(model.PhoneState{State: model.Break})
		l.registered()
	default: // signed out, or signed in elsewhere: the phone is silent until it is used
		l.keep(model.PhoneState{State: model.Offline})
	}
	if l.first != nil { // dialled while the session was on its way out
		l.signIn()
	}
}

// keep remembers the user's last word, over a restart too.
func (l *line) keep(p model.PhoneState) {
	p.User = l.user.ID
	if p == l.want {
		return
	}
	l.want = p
	if l.saver.put(p) {
		l.lines.busy.Go(func() { l.saver.run(l.lines.deps.States, l.log) })
	}
}

// say hands a message to the session and gives what stands in its way.
func (l *line) say(m protocol.Message) error {
	if l.session == nil {
		return errSignedOut
	}
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	reply, err := l.session.Handle(ctx, "", m)
	if refused, is := reply.(protocol.Error); is {
		return &Refusal{Code: refused.Code, Text: refused.Message}
	}
	return err
}

// ask hands a message to the session whose answer may take its time; then is called once, on
// the line's goroutine: at the latest when the session ends.
func (l *line) ask(m protocol.Message, then func(protocol.Ack, error)) {
	if l.session == nil {
		then(protocol.Ack{}, errSignedOut)
		return
	}
	l.asks++
	id := "phone-" + strconv.Itoa(l.asks)
	l.asked[id] = then
	ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
	defer cancel()
	reply, err := l.session.Handle(ctx, id, m)
	switch {
	case err != nil:
		l.answered(id, protocol.Error{Code: protocol.CodeNotNow, Message: err.Error()})
	case reply != nil:
		l.answered(id, reply)
	}
}

// answered takes the session's answer to a message.
func (l *line) answered(id string, m protocol.Message) {
	then := l.asked[id]
	if then == nil {
		return
	}
	delete(l.asked, id)
	switch m := m.(type) {
	case protocol.Ack:
		then(m, nil)
	case protocol.Error:
		then(protocol.Ack{}, &Refusal{Code: m.Code, Text: m.Message})
	default:
		then(protocol.Ack{}, &Refusal{Code: protocol.CodeInternal, Text: "The service gave no answer."})
	}
}

var errSignedOut = &Refusal{Code: protocol.CodeNotNow, Text: "You are not signed in."}

// wish carries out a state asked for by code or API.
func (l *line) wish(state model.AgentState, reason string, done func(error)) {
	p := model.PhoneState{State: state, Reason: reason}
	switch {
	case state == model.Offline:
		l.keep(p)
		if l.session == nil {
			done(nil)
			return
		}
		done(l.say(protocol.SignOut{}))
	case l.session != nil:
		done(l.say(protocol.SetState{State: string(state), Reason: reason}))
	case len(l.able()) == 0:
		done(ErrNoPhone)
	default: // from here on the user is at the phone: a client's session is replaced
		l.waiting = append(l.waiting, wish{p, done})
		l.signIn()
	}
}

// link is the way from the session to the line.
type link struct{ line *line }

// Send implements call.Link; it never blocks.
func (k *link) Send(id string, m protocol.Message) {
	if id != "" {
		k.line.box.post(func() {
			if k.line.session == nil || k.line.link == k {
				k.line.answered(id, m)
			}
		})
		return
	}
	switch m.(type) {
	case protocol.Offer, protocol.OfferWithdrawn, protocol.Connected, protocol.Ended, protocol.State, protocol.Progress, protocol.Error:
		k.line.box.post(func() {
			if k.line.session == nil || k.line.link == k { // before it is known, it is the new one's
				k.line.take(m)
			}
		})
	}
}

// take is what the session has to say.
func (l *line) take(m protocol.Message) {
	switch m := m.(type) {
	case protocol.Offer:
		l.startRinging(m.Call)
	case protocol.OfferWithdrawn:
		if l.ring != nil && l.ring.call.ID == m.CallID {
			l.stopRinging()
		}
		if l.talk != nil && l.talk.id == m.CallID && !l.talk.connected {
			l.dropTalk()
		}
	case protocol.Connected:
		if l.talk != nil && (l.talk.id == m.Call.ID || l.talk.id == "") {
			l.talk.id, l.talk.connected = m.Call.ID, true
		}
	case protocol.Ended:
		if l.talk != nil && l.talk.id == m.CallID {
			l.dropTalk()
			l.registered()
		}
	case protocol.State:
		l.changed(m)
	case protocol.Progress:
		l.progress(m)
	case protocol.Error:
		l.why = m.Code
	}
}

// changed takes over what the user is doing now.
func (l *line) changed(s protocol.State) {
	l.state = s
	l.urgentNow()
	switch model.AgentState(s.State) {
	case model.Ready:
		l.keep(model.PhoneState{State: model.Ready})
	case model.Break:
		if s.Reason != call.ReasonReconnecting && s.Reason != acd.ReasonSignedIn { // neither is the user's word
			l.keep(model.PhoneState{State: model.Break, Reason: s.Reason})
		}
	case model.Offered, model.OnCall:
		return
	}
	l.stopRinging()
	if l.talk != nil && !l.talk.connected && !l.talk.dialled {
		l.dropTalk() // accepted too late
	}
}

// phones are those that are registered, and one that talks without.
func (l *line) phones() []registrar.Binding {
	if l.talk != nil && !slices.ContainsFunc(l.bindings, l.talk.with) {
		return append(slices.Clone(l.bindings), l.talk.at)
	}
	return l.bindings
}

// qualify asks each phone whether it is there.
func (l *line) qualify() {
	for _, b := range l.phones() {
		l.lines.beside(askTimeout, func(ctx context.Context) {
			_, err := l.lines.deps.Client.Ask(ctx, sip.Request{Method: "OPTIONS", URI: b.Contact, Via: l.lines.deps.Client.Reach(b)})
			if l.lines.work.Err() == nil {
				l.box.post(func() { l.found(b, err) })
			}
		})
	}
}

// found notes whether a phone answered; any answer is one.
func (l *line) found(b registrar.Binding, err error) {
	if err != nil && !errors.Is(err, sip.ErrRequest) && l.talk != nil && l.talk.with(b) && l.talk.silent(l.lines.cfg.Silence) {
		l.log.Warn("phone is gone in a call", "call_id", l.talk.id, "source", b.Source.String(), "err", err)
		l.dropTalk()
		defer l.registered()
	}
	if !slices.ContainsFunc(l.bindings, func(have registrar.Binding) bool { return stampOf(have) == stampOf(b) }) {
		return // one that only talks, or has registered anew since
	}
	dead, was := *l.dead.Load(), slices.Contains(*l.dead.Load(), stampOf(b))
	if was == (err != nil) {
		return
	}
	next := slices.DeleteFunc(slices.Clone(dead), func(s stamp) bool { // those that are gone are forgotten
		return s == stampOf(b) || !slices.ContainsFunc(l.bindings, func(b registrar.Binding) bool { return stampOf(b) == s })
	})
	if err != nil {
		next = append(next, stampOf(b))
		l.log.Warn("phone does not answer", "source", b.Source.String(), "transport", b.Transport, "user_agent", b.UserAgent, "err", err)
	} else {
		l.log.Info("phone answers again", "source", b.Source.String(), "transport", b.Transport)
	}
	l.dead.Store(&next)
	l.registered()
}
