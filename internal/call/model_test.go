package call_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
)

// deed is one thing that people, clients or the network do.
type deed struct {
	Do   string
	Desk int
	Call int
	Wait time.Duration // after it; zero: the next deed comes at once, in the same moment
}

func deeds() *rapid.Generator[[]deed] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) deed {
		return deed{
			Do: rapid.SampledFrom([]string{
				"arrive", "arrive", "arrive", "caller leaves", "slow caller",
				"shift", "shift", "sign in", "resume", "connect", "dead connect", "ready", "ready", "ready", "break",
				"accept", "accept", "accept", "accept", "decline", "hang up", "end wrap-up", "sign out",
				"link lost", "peer dies", "headset", "flag", "unflag", "reading", "report", "store down", "store up", "site", "stray",
				"dial", "dial", "dial", "callee rings", "callee speaks", "callee answers", "callee answers", "callee answers", "callee refuses", "callee leaves",
				"supervise", "supervise", "take over", "unsupervise",
				"pass on", "pass on", "pass on", "to queue", "take back", "hold", "hold", "unhold", "hang up whatever",
			}).Draw(t, "do"),
			Desk: rapid.IntRange(0, 2).Draw(t, "desk"),
			Call: rapid.IntRange(0, 5).Draw(t, "call"),
			Wait: rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, time.Second, 3 * time.Second, 9 * time.Second, 16 * time.Second}).Draw(t, "wait"),
		}
	}), 20, 80)
}

// Whatever is done, in whatever order: two agents never speak with one caller, a caller
// always hears music or an agent, nobody is stuck once the deadlines have passed, and
// every call and leg has one cause.
func TestNothingIsEverStuck(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		plan := deeds().Draw(rt, "plan")
		var faults []string
		synctest.Test(t, func(t *testing.T) { faults = play(t, plan) })
		for _, f := range faults {
			rt.Error(f)
		}
	})
}

// player does the deeds.
type player struct {
	w       *world
	desks   []*desk
	up      []bool // the desk's link
	callers []*caller
	mixed   time.Time // when a call was last supervised: then nothing is heard at once
	faults  []string
}

func play(t *testing.T, plan []deed) []string {
	w := newWorld(t, call.Config{DialTimeout: 25 * time.Second})
	p := &player{w: w, up: make([]bool, 3)}
	for _, name := range []string{"kim", "lee", "max"} {
		p.desks = append(p.desks, w.desk(name))
	}
	p.do(deed{Do: "shift", Desk: 0})
	p.do(deed{Do: "shift", Desk: 1})
	for i, d := range plan {
		p.do(d)
		if d.Wait > 0 {
			time.Sleep(d.Wait)
			synctest.Wait()
			p.look(fmt.Sprintf("after deed %d, %s", i, d.Do))
		}
	}
	p.finish()
	return p.faults
}

func (p *player) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

func (p *player) tell(d *desk, id string, m protocol.Message) {
	if d.agent != nil {
		_, _ = d.agent.Handle(p.w.ctx, id, m) // an ended session may refuse
	}
}

func (p *player) do(e deed) {
	w, d := p.w, p.desks[e.Desk]
	switch e.Do {
	case "arrive", "slow caller":
		if len(p.callers) >= 6 {
			return
		}
		c := newCaller(number)
		if e.Do == "slow caller" {
			c.slow = 5 * time.Second
		}
		p.callers = append(p.callers, c)
		w.sb.Incoming(c)
	case "caller leaves":
		if e.Call < len(p.callers) {
			p.callers[e.Call].leaves()
		}
	case "shift":
		p.signIn(e.Desk, "")
		p.connect(d, false)
		p.tell(d, "", protocol.SetState{State: "ready"})
	case "sign in":
		p.signIn(e.Desk, "")
	case "resume":
		p.signIn(e.Desk, d.welcome.Resume)
	case "connect":
		p.connect(d, false)
	case "dead connect":
		p.connect(d, true)
	case "supervise", "take over", "unsupervise":
		p.supervise(e, d)
	case "link lost":
		if d.agent != nil {
			d.agent.LinkLost(d.link)
			p.up[e.Desk] = false
		}
	case "peer dies":
		d.mu.Lock()
		peers := d.peers
		d.mu.Unlock()
		if len(peers) > 0 {
			_ = peers[len(peers)-1].Close()
		}
	case "flag":
		w.sb.HeadsetJudged(model.Verdict{Headset: model.HeadsetID("H1/" + string(d.user.ID)), State: model.VerdictReplace, At: time.Now()})
	case "unflag":
		w.sb.HeadsetJudged(model.Verdict{Headset: model.HeadsetID("H1/" + string(d.user.ID)), State: model.VerdictGood, At: time.Now()})
	case "store down":
		w.rec.setDown(errors.New("disk full"))
	case "store up":
		w.rec.setDown(nil)
	case "site":
		w.sb.SiteChanged(site(p.desks[0].user, p.desks[1].user, p.desks[2].user))
	case "callee rings", "callee speaks", "callee answers", "callee refuses", "callee leaves":
		p.called(e)
	default:
		p.say(d, e)
	}
}

// called is what somebody who was called does.
func (p *player) called(e deed) {
	all := p.w.out.all()
	if len(all) == 0 {
		return
	}
	c := all[max(0, len(all)-1-e.Call%2)] // mostly the last
	if e.Do == "callee leaves" {
		if c.wasAnswered() {
			c.leaves()
		}
		return
	}
	if c.wasAnswered() || c.Ended() != "" || len(c.result) > 0 {
		return
	}
	switch e.Do {
	case "callee rings":
		c.out.Progress(180)
	case "callee speaks":
		c.out.EarlyMedia(c.leg)
	case "callee answers":
		c.result <- nil
	case "callee refuses":
		c.result <- &call.DialError{Fault: call.FaultRefused, Status: 486, Reason: "Busy Here"}
	}
}

// say is what the desk's client says.
func (p *player) say(d *desk, e deed) {
	for _, other := range p.desks { // mostly whoever it rings for
		if (e.Do == "accept" || e.Do == "decline") && e.Call > 1 && other.ringing() != "" {
			d = other
		}
	}
	id := d.ringing()
	if o, ok := last[protocol.Offer](d); ok && id == "" {
		id = o.Call.ID // an old one
	}
	switch e.Do {
	case "ready":
		p.tell(d, "", protocol.SetState{State: "ready"})
	case "break":
		p.tell(d, "", protocol.SetState{State: "break", Reason: "tea"})
	case "accept":
		p.tell(d, "", protocol.Accept{CallID: id})
	case "decline":
		p.tell(d, "", protocol.Decline{CallID: id})
	case "hang up":
		p.tell(d, "", protocol.Hangup{CallID: id})
	case "end wrap-up":
		p.tell(d, "", protocol.EndWrapUp{})
	case "sign out":
		p.tell(d, "", protocol.SignOut{})
	case "headset":
		p.tell(d, "", protocol.HeadsetChanged{Headset: protocol.Headset{Model: "H2", Serial: fmt.Sprint(e.Call)}})
	case "reading":
		p.tell(d, "", protocol.MicReading{CallID: id, Reading: headset.Reading{At: 1}})
	case "report":
		p.tell(d, "rep-"+id, micReport(id))
	case "dial":
		to, queue := []string{friend, friend, brief, closed, emergency, friend}[e.Call], []string{"sales", "", "strict"}[e.Call%3]
		p.tell(d, "", protocol.Dial{To: to, Queue: queue})
	case "pass on", "to queue", "take back", "hold", "unhold", "hang up whatever":
		p.onCallSays(d, e)
	case "stray":
		if calls := p.w.sb.Calls(); e.Call < len(calls) { // somebody else's call
			p.tell(d, "", protocol.Accept{CallID: string(calls[e.Call].ID)})
			p.tell(d, "", protocol.Hangup{CallID: string(calls[e.Call].ID)})
		}
	}
}

// onCallSays is what an agent on a call says; mostly one who is on one.
func (p *player) onCallSays(d *desk, e deed) {
	live := map[model.AgentID]model.CallID{}
	for _, l := range p.w.sb.Live() {
		live[l.Agent] = l.Call
	}
	for _, other := range p.desks {
		if live[d.user.ID] == "" && e.Call > 0 && live[other.user.ID] != "" {
			d = other
		}
	}
	id := string(live[d.user.ID])
	switch e.Do {
	case "pass on":
		p.tell(d, "", protocol.Transfer{CallID: id, To: []string{friend, friend, brief, closed, emergency, unclear}[e.Call]})
	case "to queue":
		p.tell(d, "", protocol.Transfer{CallID: id, To: []string{"sales", "2000"}[e.Call%2]})
	case "take back":
		p.tell(d, "", protocol.CancelTransfer{CallID: id})
	case "hold":
		p.tell(d, "", protocol.Hold{CallID: id, On: true})
	case "hang up whatever":
		p.tell(d, "", protocol.Hangup{CallID: id})
	case "unhold":
		p.tell(d, "", protocol.Hold{CallID: id})
	}
}

func (p *player) signIn(i int, resume string) {
	d := p.desks[i]
	l := &link{d: d}
	a, w, err := p.w.sb.SignIn(p.w.ctx, d.user, protocol.Hello{Version: protocol.Version, Headset: d.set, Resume: resume}, l)
	if err != nil {
		p.fault("%s cannot sign in: %v", d.user.ID, err)
		return
	}
	d.agent, d.welcome, d.link, p.up[i] = a, w, l, true
}

func (p *player) connect(d *desk, dead bool) {
	d.mu.Lock()
	d.dead = dead
	d.mu.Unlock()
	p.tell(d, "", protocol.SDPOffer{SDP: string(d.user.ID)})
}

// look checks what must hold whenever nothing moves.
func (p *player) look(when string) {
	on, linked := map[model.CallID]model.AgentID{}, map[model.AgentID]bool{}
	for _, l := range p.w.sb.Live() {
		linked[l.Agent] = l.Connected
		if l.Call == "" {
			continue
		}
		if other, taken := on[l.Call]; taken {
			p.fault("%s: %s and %s are both on call %s", when, other, l.Agent, l.Call)
		}
		on[l.Call] = l.Agent
	}
	var peers []*peer
	linkless := map[*peer]bool{} // whose client may be gone, so that music may play beside
	for _, d := range p.desks {
		d.mu.Lock()
		peers = append(peers, d.peers...)
		for _, q := range d.peers {
			linkless[q] = !linked[d.user.ID]
		}
		d.mu.Unlock()
	}
	for _, a := range p.w.sb.Snapshot().Agents {
		if a.Reason == acd.ReasonSupervising {
			p.mixed = time.Now()
		}
	}
	if !p.mixed.IsZero() && time.Since(p.mixed) < time.Second {
		return
	}
	parties := slices.Clone(p.callers)
	for _, c := range p.w.out.all() {
		parties = append(parties, c.caller)
	}
	for i, c := range parties {
		if i >= len(p.callers) && !c.wasAnswered() {
			continue // early media: heard, or not, by whoever called
		}
		c.leg.Say(&media.Packet{Source: 7, Codec: media.PCMU, Payload: make([]byte, 160)}) // the last that fades, where there is one
		before := make([]int, len(peers))
		for j, q := range peers {
			before[j] = len(q.Heard())
		}
		others := 0
		for _, o := range parties {
			others -= len(o.leg.Heard())
		}
		c.leg.Say(&media.Packet{Source: 7, Codec: media.PCMU, Payload: quiet()})
		heard, perhaps := 0, false
		for j, q := range peers {
			if len(q.Heard()) > before[j] {
				heard++
				perhaps = linkless[q]
			}
		}
		for _, o := range parties {
			others += len(o.leg.Heard())
		}
		heard += others
		music := p.w.music.plays(c.leg)
		here := c.Ended() == "" && c.wasAnswered()
		switch {
		case heard > 1:
			p.fault("%s: caller %d is heard by %d others", when, i, heard)
		case here && !music && heard == 0:
			p.fault("%s: caller %d hears nothing", when, i)
		case music && heard > 0 && !perhaps:
			p.fault("%s: caller %d hears music while being heard", when, i)
		case !here && (music || heard > 0):
			p.fault("%s: caller %d has gone and music %v, heard %d", when, i, music, heard)
		}
	}
}

// supervise has a desk join, take over or leave one of the calls that go on.
func (p *player) supervise(e deed, d *desk) {
	calls := p.w.sb.Calls()
	if len(calls) == 0 {
		return
	}
	p.mixed = time.Now()
	id := calls[e.Call%len(calls)].ID
	user := d.user
	user.Roles = []model.Role{model.RoleSupervisor}
	mode := []model.SuperviseMode{model.Listen, model.Whisper, model.Barge}[e.Call%3]
	if e.Do == "take over" {
		mode = model.TakeOver
	}
	ctx, cancel := context.WithTimeout(p.w.ctx, time.Second)
	defer cancel()
	if e.Do == "unsupervise" {
		_ = p.w.sb.Unsupervise(ctx, user.ID, id)
		return
	}
	_ = p.w.sb.Supervise(ctx, user, id, mode) // it may be refused
}

func (c *caller) wasAnswered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answered
}

// finish lets everybody go home and looks for what is left behind.
func (p *player) finish() {
	p.w.rec.setDown(nil)
	// Every offer, grace and wrap-up is over by then. The rest is for the picture of the floor,
	// which is some milliseconds old: a call may have reached its limit this very moment.
	time.Sleep(time.Minute + 137*time.Millisecond)
	synctest.Wait()
	p.look("after a minute")
	for _, a := range p.w.sb.Snapshot().Agents {
		if a.State == model.WrapUp && time.Until(a.Until) < 0 {
			p.fault("%s is stuck in %s", a.ID, a.State)
		}
		if a.State == model.OnCall && !p.onCall(a.Call) {
			p.fault("%s is on call %s, which is over", a.ID, a.Call)
		}
		for i, d := range p.desks {
			if d.user.ID == a.ID && !p.up[i] {
				p.fault("%s is %s a minute after the link was lost", a.ID, a.State)
			}
		}
	}
	for _, c := range p.callers {
		c.leaves()
	}
	for _, c := range p.w.out.all() {
		if c.wasAnswered() {
			c.leaves()
		}
	}
	time.Sleep(time.Minute)
	synctest.Wait()
	if n := len(p.w.sb.Calls()); n != 0 {
		p.fault("%d calls are left though every caller has gone", n)
	}
	for i, c := range p.w.out.all() {
		if c.Ended() == "" {
			p.fault("callee %d is still on the line", i)
		}
	}
	if !p.w.out.settled() {
		p.fault("of %d permits %d led to a call and %d came back", p.w.out.permits, p.w.out.dialled, p.w.out.unused)
	}
	if n := len(p.w.music.playing) + len(p.w.tones.playing); n != 0 {
		p.fault("music or tones play to %d who have gone", n)
	}
	for _, a := range p.w.sb.Snapshot().Agents {
		if a.State != model.Ready && a.State != model.Break {
			p.fault("%s is %s though every caller has gone", a.ID, a.State)
		}
	}
	if s := p.w.sb.Stats(); s.Backlog != 0 || s.JournalLost != 0 {
		p.fault("the record is behind: %+v", s)
	}
	p.w.runs = false
	if err := p.w.stop(); err != nil {
		p.fault("the switchboard ended with: %v", err)
	}
	p.faults = append(p.faults, p.w.rec.faults()...)
	if got, want := len(p.w.rec.ladders), len(p.callers)+len(p.w.out.all()); got != want {
		p.fault("%d ladders are kept of %d who called or were called", got, want)
	}
}

func (p *player) onCall(id model.CallID) bool {
	for _, c := range p.w.sb.Calls() {
		if c.ID == id {
			return true
		}
	}
	return false
}
