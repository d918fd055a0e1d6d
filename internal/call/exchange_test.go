package call_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
)

// Numbers that can be called in these tests.
const (
	friend    = "+4930555"
	brief     = "+4930666" // may be called for a minute
	emergency = "112"
	closed    = "+88212345"
	unclear   = "500" // nobody can say
)

// callee is a party that was called: a working call.Party which does what the test says.
type callee struct {
	*caller
	out    call.Outgoing
	result chan error // nil answers
}

// exchange is a working call.Dialer and call.Dialling: a carrier with patient callees, and
// rules on who may call them.
type exchange struct {
	mu       sync.Mutex
	callees  []*callee
	requests []model.DialRequest
	slow     time.Duration // how long the rules take
	notBegun bool          // calls fail before anything is sent
	permits  int           // that were given
	dialled  int
	unused   int // permits that came back
}

// Permit is part of call.Dialling.
func (x *exchange) Permit(ctx context.Context, r model.DialRequest) (model.DialPermit, error) {
	x.mu.Lock()
	x.requests = append(x.requests, r)
	slow := x.slow
	x.mu.Unlock()
	select {
	case <-time.After(slow):
	case <-ctx.Done():
		return model.DialPermit{}, ctx.Err()
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if r.Number != closed && r.Number != unclear {
		x.permits++
	}
	switch r.Number {
	case closed:
		return model.DialPermit{}, &model.DialRefusal{Code: "class_not_allowed", Text: "Satellites may not be called."}
	case unclear:
		return model.DialPermit{}, errors.New("the store is down")
	case brief:
		return model.DialPermit{Number: r.Number, Class: "mobile", LongestFor: time.Minute}, nil
	case emergency:
		return model.DialPermit{Number: r.Number, Class: "emergency", Emergency: true, From: "+49301"}, nil
	}
	return model.DialPermit{Number: r.Number, Class: "national"}, nil
}

// Unused is part of call.Dialling.
func (x *exchange) Unused(context.Context, model.CallID, model.DialPermit) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.unused++
	return nil
}

// settled says that of every permit came a call, or it was given back.
func (x *exchange) settled() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.permits == x.dialled+x.unused
}

// Dial is part of call.Dialer.
func (x *exchange) Dial(ctx context.Context, o call.Outgoing) (call.Party, media.Leg, error) {
	x.mu.Lock()
	x.dialled++
	x.mu.Unlock()
	x.mu.Lock()
	if x.notBegun {
		x.mu.Unlock()
		return nil, nil, &call.DialError{Fault: call.FaultNoTrunk, Err: errors.New("none")}
	}
	c := &callee{caller: newCaller(o.Permit.Number), out: o, result: make(chan error, 1)}
	x.callees = append(x.callees, c)
	x.mu.Unlock()
	o.Begun(c)
	select {
	case err := <-c.result:
		if err != nil {
			c.over("rejected")
			return nil, nil, err
		}
		c.mu.Lock()
		c.answered = true
		c.mu.Unlock()
		return c, c.leg, nil
	case <-ctx.Done():
		c.over("cancelled")
		return nil, nil, ctx.Err()
	}
}

// all gives who was called.
func (x *exchange) all() []*callee {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.callees)
}

func (c *callee) picksUp() {
	c.result <- nil
	synctest.Wait()
}

func (c *callee) refuses(status int, reason string) {
	c.result <- &call.DialError{Fault: call.FaultRefused, Status: status, Reason: reason, Err: errors.New(reason)}
	synctest.Wait()
}

func (c *callee) rings() {
	c.out.Progress(180)
	synctest.Wait()
}

func (c *callee) speaksEarly() {
	c.out.EarlyMedia(c.leg)
	synctest.Wait()
}

// dials has the desk call a number and gives who was called.
func (d *desk) dials(number string, queue string) *callee {
	d.t.Helper()
	before := len(d.w.out.all())
	d.say("dial-"+number, protocol.Dial{To: number, Queue: queue})
	synctest.Wait()
	all := d.w.out.all()
	if len(all) != before+1 {
		d.t.Fatalf("%d calls were placed; the answer is %+v", len(all)-before, d.answersTo("dial-"+number))
	}
	return all[before]
}

// passesOn has the desk pass the caller on to a number and gives who was called.
func (d *desk) passesOn(number string) *callee {
	d.t.Helper()
	before := len(d.w.out.all())
	d.say("pass-"+number, protocol.Transfer{CallID: d.callID(), To: number})
	synctest.Wait()
	all := d.w.out.all()
	if len(all) != before+1 {
		d.t.Fatalf("%d calls were placed; the answer is %+v", len(all)-before, d.answersTo("pass-"+number))
	}
	return all[before]
}

// callID is the call that the desk is, or was last, on.
func (d *desk) callID() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range slices.Backward(d.heard) {
		switch m := m.(type) {
		case protocol.Connected:
			return m.Call.ID
		case protocol.Progress:
			return m.CallID
		case protocol.Ack:
			if m.CallID != "" {
				return m.CallID
			}
		}
	}
	return ""
}

// progress is what the desk was told, in order.
func (d *desk) progress() (states []string, lastText string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, m := range d.heard {
		if p, ok := m.(protocol.Progress); ok {
			states = append(states, p.State)
			lastText = p.Text
		}
	}
	return states, lastText
}
