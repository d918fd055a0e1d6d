package call

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/model"
)

// Denial is why an agent may not do what was asked, for now or at all. Code is one of
// protocol's, and Text is for the person.
type Denial struct {
	Code, Text string
	Err        error // what was behind it, for the log
}

func (d *Denial) Error() string { return "call: " + d.Code + ": " + d.Text }

// Unwrap gives what was behind it: a *model.DialRefusal, where the number may not be called.
func (d *Denial) Unwrap() error { return d.Err }

// ErrNotSignedIn says that somebody has no session.
var ErrNotSignedIn = errors.New("call: the agent is not signed in")

// dialResult is what came of a wish to dial: the call, or a *Denial.
type dialResult struct {
	call model.CallID
	err  error
}

// Dial has an agent who is signed in call a number, on behalf of a queue if one is named. It
// returns when the call has begun. The error is a *Denial, ErrNotSignedIn, ErrEnded or ctx's.
func (s *Switchboard) Dial(ctx context.Context, agent model.AgentID, to string, queue model.QueueID) (model.CallID, error) {
	var a *Agent
	for _, have := range *s.agents.Load() {
		if have.id == agent {
			a = have
		}
	}
	if a == nil {
		return "", ErrNotSignedIn
	}
	done := make(chan dialResult, 1)
	if !a.box.post(func() { a.dial(to, queue, func(r dialResult) { done <- r }) }) {
		return "", ErrEnded
	}
	select {
	case r := <-done:
		return r.call, r.err
	case <-a.done:
		return "", ErrEnded
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// dial asks beside the session whether the number may be called, and then places the call.
// The answer is given once, on any goroutine.
func (a *Agent) dial(to string, queue model.QueueID, answer func(dialResult)) {
	if d := a.mayDial(queue, true); d != nil { // it may be an emergency
		answer(dialResult{err: d})
		return
	}
	req := model.DialRequest{Call: newCallID(time.Now()), User: a.id, Queue: queue, Number: to, At: time.Now()}
	a.dialling = true
	a.permit(req, func(p model.DialPermit, err error) {
		a.dialling = false
		if err != nil {
			answer(dialResult{err: err})
			return
		}
		orNot := func(r dialResult) {
			if r.err != nil {
				a.sb.unused(req.Call, p)
			}
			answer(r)
		}
		if d := a.mayDial(queue, p.Emergency); d != nil { // something rings
			orNot(dialResult{err: d})
			return
		}
		if !a.sb.floor.dial(order{id: req.Call, agent: a, queue: queue, to: to, permit: p, answer: orNot}) {
			orNot(dialResult{err: errStopping})
		}
	})
}

// unused gives back a permit of which no call comes.
func (s *Switchboard) unused(call model.CallID, p model.DialPermit) {
	s.enter(func() {
		ctx, cancel := context.WithTimeout(s.work, s.cfg.PermitTimeout)
		defer cancel()
		if err := s.deps.Dialling.Unused(ctx, call, p); err != nil {
			s.log.Warn("a permit to dial that was not used could not be given back", "call_id", call, "err", err)
		}
	})
}

var (
	errStopping = &Denial{Code: protocol.CodeBusy, Text: "No call can be placed now: the service is stopping, or behind. Try again in a moment."}
	errClosed   = &Denial{Code: protocol.CodeNotAllowed, Text: "Calls out are not set up at this site. Ask whoever runs it."}
	errBusy     = &Denial{Code: protocol.CodeNotNow, Text: "You cannot dial while a call rings or goes on."}
)

// mayDial says what about the agent is in the way of a call of their own, or nil. An offer
// that rings is not, for an emergency.
func (a *Agent) mayDial(queue model.QueueID, urgent bool) *Denial {
	deny := func(text string) *Denial { return &Denial{Code: protocol.CodeNotNow, Text: text} }
	switch model.AgentState(a.state.State) {
	case model.Ready, model.Break, model.WrapUp:
	case model.Offered:
		if !urgent {
			return errBusy
		}
	default:
		if a.watch == nil { // somebody else's call is left for one's own
			return errBusy
		}
	}
	switch {
	case a.ending != nil:
		return errStopping
	case a.sb.deps.Dialling == nil:
		return errClosed
	case a.leg != nil || a.dialling:
		return errBusy
	case a.dismissed || a.signedOut:
		return deny("You are being signed out, so you cannot dial.")
	case a.peer == nil && a.phone:
		return deny("You take calls on a phone: dial the number there.")
	case a.peer == nil:
		return deny("Your audio is not connected, so you could not be heard. Connect it first.")
	}
	if _, known := (*a.sb.queues.Load())[queue]; queue != "" && !known {
		return &Denial{Code: protocol.CodeNotAllowed, Text: "There is no queue " + string(queue) + " to call for."}
	}
	return nil
}

// permit asks whether a number may be called; then comes back on the agent's goroutine.
func (a *Agent) permit(req model.DialRequest, then func(model.DialPermit, error)) {
	a.sb.beside(a.sb.cfg.PermitTimeout, func(ctx context.Context) {
		p, err := a.sb.deps.Dialling.Permit(ctx, req)
		var refused *model.DialRefusal
		switch {
		case err == nil:
		case errors.As(err, &refused):
			a.log.Info("number may not be called", "call_id", req.Call, "code", refused.Code, "transfer", req.Transfer)
			err = &Denial{Code: protocol.CodeNotAllowed, Text: refused.Text, Err: err}
		default:
			a.log.Error("whether a number may be called is not known", "call_id", req.Call, "err", err)
			err = &Denial{Code: protocol.CodeInternal, Err: err, Text: "It could not be found out whether this number may be called. Please try again."}
		}
		if !a.box.post(func() { then(p, err) }) && err == nil { // the session has ended
			a.sb.unused(req.Call, p)
		}
	})
}

// transfer passes the caller on to a queue, by name or number, or to a number.
func (a *Agent) transfer(m protocol.Transfer, answer func(error)) {
	if a.leg == nil || string(a.leg.call) != m.CallID {
		answer(errNotYours)
		return
	}
	c := a.leg.on
	if q, ok := a.sb.queueOf(m.To); ok {
		if !c.toQueue(a, q, answer) {
			answer(errNotYours)
		}
		return
	}
	if strings.IndexFunc(m.To, unicode.IsLetter) >= 0 && !strings.Contains(m.To, ":") {
		answer(&Denial{Code: protocol.CodeNotAllowed, Text: "There is no queue " + m.To + ". Write the name or number of a queue, or a telephone number."})
		return
	}
	if a.sb.deps.Dialling == nil {
		answer(errClosed)
		return
	}
	if a.dialling {
		answer(errPassing)
		return
	}
	a.dialling = true
	req := model.DialRequest{
		Call: c.id, User: a.id, Queue: c.published.Load().Queue, Number: m.To, Transfer: true, At: time.Now(),
	}
	a.permit(req, func(p model.DialPermit, err error) {
		a.dialling = false
		orNot := func(denied error) {
			if denied != nil {
				a.sb.unused(req.Call, p)
			}
			answer(denied)
		}
		switch {
		case err != nil:
			answer(err)
		case a.sb.draining.Load() && !p.Emergency:
			orNot(errStopping)
		case !c.toNumber(a, p, orNot):
			orNot(errNotYours)
		}
	})
}

// queueOf finds the queue that a name, or a number, leads to.
func (s *Switchboard) queueOf(to string) (model.Queue, bool) {
	queues := *s.queues.Load()
	if q, ok := queues[model.QueueID(to)]; ok {
		return q, true
	}
	q, ok := queues[(*s.numbers.Load())[model.Dialable(to)]]
	return q, ok
}

// onCall does something with the call in progress; the answer goes over the link.
func (a *Agent) onCall(id, of string, do func(c *call, answer func(error)) bool) protocol.Message {
	if a.leg == nil || string(a.leg.call) != of {
		return refuse(protocol.CodeStale, errNotYours.Text)
	}
	answer := a.later(id)
	if !do(a.leg.on, answer) {
		answer(errNotYours)
	}
	return nil
}

// later answers a message, from any goroutine, once what it asked for was done or denied.
func (a *Agent) later(id string) func(error) {
	return func(err error) {
		a.box.post(func() {
			var d *Denial
			if errors.As(err, &d) {
				a.reply(id, protocol.Error{Code: d.Code, Message: d.Text})
				return
			}
			a.reply(id, protocol.Ack{})
		})
	}
}

// holds notes whether the caller is on hold, for a client that comes back.
func (a *Agent) holds(on bool) {
	a.box.post(func() {
		if a.talking != nil {
			a.talking.Held = on
		}
	})
}

// dialLater answers a dial, which says what call it began.
func (a *Agent) dialLater(id string) func(dialResult) {
	return func(r dialResult) {
		if r.err != nil {
			a.later(id)(r.err)
			return
		}
		a.box.post(func() { a.reply(id, protocol.Ack{CallID: string(r.call)}) })
	}
}

// progress tells the client how a dialled call, or a transfer, gets on; what is not settled
// is said again after a reconnect.
func (a *Agent) progress(p protocol.Progress) {
	a.box.post(func() {
		a.underWay = &p
		if p.State == protocol.Answered || p.State == protocol.Failed {
			a.underWay = nil
		}
		a.send("", p)
	})
}
