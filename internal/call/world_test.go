package call_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/acd"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/events"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
)

// caller is a working call.Inbound: a party on a trunk that rings, talks and hangs up.
type caller struct {
	id, to    string
	leg       *mediatest.Leg
	slow      time.Duration // how long the answer takes
	answerErr error

	mu         sync.Mutex
	rang       bool
	answered   bool
	ended      string
	status     int
	retryAfter time.Duration
	done       chan struct{}
	digits     chan rune
}

func newCaller(to string) *caller {
	return &caller{
		id: "sip-" + to, to: to, leg: mediatest.NewLeg(20*time.Millisecond, media.PCMU),
		done: make(chan struct{}), digits: make(chan rune, 8),
	}
}

func (c *caller) ID() string             { return c.id }
func (c *caller) Trunk() string          { return "carrier" }
func (c *caller) From() (string, string) { return "+4930111", "Ada" }
func (c *caller) To() string             { return c.to }
func (c *caller) Done() <-chan struct{}  { return c.done }
func (c *caller) Digits() <-chan rune    { return c.digits }

func (c *caller) Ring() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rang = true
	return nil
}

func (c *caller) Answer(ctx context.Context) (media.Leg, error) {
	if c.slow > 0 {
		select {
		case <-time.After(c.slow):
		case <-c.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answerErr != nil {
		return nil, c.answerErr
	}
	if c.ended != "" {
		return nil, errors.New("the call has ended")
	}
	c.answered = true
	return c.leg, nil
}

func (c *caller) Reject(status int, retryAfter time.Duration) error {
	c.mu.Lock()
	c.status, c.retryAfter = status, retryAfter
	c.mu.Unlock()
	c.over("rejected")
	return nil
}

func (c *caller) Hangup(context.Context) error {
	c.over("local")
	return nil
}

func (c *caller) over(how string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended == "" {
		c.ended = how
		close(c.done)
	}
}

// leaves is the caller hanging up.
func (c *caller) leaves() { c.over("remote_bye") }

func (c *caller) Ended() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended
}

// peer is a working call.Peer.
type peer struct {
	*mediatest.Leg
	connected, done chan struct{}
	once            sync.Once
}

func newPeer() *peer {
	return &peer{Leg: mediatest.NewLeg(20*time.Millisecond, media.Opus, media.PCMU), connected: make(chan struct{}), done: make(chan struct{})}
}

func (p *peer) Connected() <-chan struct{} { return p.connected }
func (p *peer) Done() <-chan struct{}      { return p.done }
func (p *peer) Close() error {
	p.once.Do(func() { close(p.done) })
	return nil
}

// dies is the network taking the connection away.
func (p *peer) dies() { _ = p.Close() }

// desk is an agent at work: user, client and headset. It is the Link and the far end of
// the media connection, and it keeps what the service said.
type desk struct {
	t    *testing.T
	w    *world
	user model.User
	set  protocol.Headset

	mu      sync.Mutex
	heard   []protocol.Message
	answers map[string][]protocol.Message
	agent   *call.Agent
	welcome protocol.Welcome
	peers   []*peer
	link    *link
	refuse  bool // the gateway takes no offer
	dead    bool // offered connections never come to stand
}

// link is one WebSocket.
type link struct{ d *desk }

func (l *link) Send(id string, m protocol.Message) {
	l.d.mu.Lock()
	defer l.d.mu.Unlock()
	l.d.heard = append(l.d.heard, m)
	if id != "" {
		l.d.answers[id] = append(l.d.answers[id], m)
	}
}

func (d *desk) signIn(resume string) error {
	l := &link{d: d}
	a, w, err := d.w.sb.SignIn(d.w.ctx, d.user, protocol.Hello{Version: protocol.Version, Headset: d.set, Resume: resume}, l)
	if err != nil {
		return err
	}
	d.agent, d.welcome, d.link = a, w, l
	synctest.Wait()
	return nil
}

// say sends a message without waiting for more than the reply.
func (d *desk) say(id string, m protocol.Message) protocol.Message {
	d.t.Helper()
	r, err := d.agent.Handle(d.w.ctx, id, m)
	if err != nil {
		d.t.Fatalf("%s: %T: %v", d.user.ID, m, err)
	}
	synctest.Wait()
	return r
}

// connect makes the media connection.
func (d *desk) connect() *peer {
	d.t.Helper()
	d.say("", protocol.SDPOffer{SDP: string(d.user.ID)})
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.peers[len(d.peers)-1]
}

// starts is a shift's beginning: signed in, connected, ready.
func (d *desk) starts() {
	d.t.Helper()
	if err := d.signIn(""); err != nil {
		d.t.Fatal(err)
	}
	d.connect()
	if e, bad := d.say("", protocol.SetState{State: "ready"}).(protocol.Error); bad {
		d.t.Fatalf("not ready: %v", e)
	}
}

// last gives the newest message of a type.
func last[T protocol.Message](d *desk) (T, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := len(d.heard) - 1; i >= 0; i-- {
		if m, ok := d.heard[i].(T); ok {
			return m, true
		}
	}
	var none T
	return none, false
}

func count[T protocol.Message](d *desk) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, m := range d.heard {
		if _, ok := m.(T); ok {
			n++
		}
	}
	return n
}

// ringing is the call that rings, "" when none does.
func (d *desk) ringing() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := ""
	for _, m := range d.heard {
		switch m := m.(type) {
		case protocol.Offer:
			id = m.Call.ID
		case protocol.OfferWithdrawn:
			if m.CallID == id {
				id = ""
			}
		case protocol.State:
			if m.State != string(model.Offered) {
				id = ""
			}
		}
	}
	return id
}

func (d *desk) accepts() {
	d.t.Helper()
	id := d.ringing()
	if id == "" {
		d.t.Fatalf("%s is not offered a call", d.user.ID)
	}
	if e, bad := d.say("", protocol.Accept{CallID: id}).(protocol.Error); bad {
		d.t.Fatalf("accept: %v", e)
	}
}

func (d *desk) answersTo(id string) []protocol.Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.answers[id])
}

func (d *desk) peer(i int) *peer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.peers[i]
}

// record is a working call.Journal, Evidence and Headsets in memory, which can fail.
type record struct {
	mu       sync.Mutex
	down     error                   // every write fails
	refuse   func(what string) error // some writes fail
	verdict  map[model.HeadsetID]model.VerdictState
	calls    map[model.CallID]model.Call
	legs     map[model.LegID]model.Leg
	causes   map[string]int // how often an end was written, by call or leg
	events   []model.CallEvent
	chunks   []model.ReadingChunk
	reports  []model.ReportRecord
	headsets []model.Headset
	order    []string
}

func newRecord() *record {
	return &record{
		calls: map[model.CallID]model.Call{}, legs: map[model.LegID]model.Leg{}, causes: map[string]int{},
		verdict: map[model.HeadsetID]model.VerdictState{},
	}
}

func (r *record) write(what string, f func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down != nil {
		return r.down
	}
	if r.refuse != nil {
		if err := r.refuse(what); err != nil {
			return err
		}
	}
	r.order = append(r.order, what)
	f()
	return nil
}

func (r *record) setDown(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = err
}

func (r *record) CallStarted(_ context.Context, c model.Call) error {
	return r.write("call_started", func() { r.calls[c.ID] = c })
}

func (r *record) CallUpdated(_ context.Context, c model.Call) error {
	return r.write("call_updated", func() { r.calls[c.ID] = c })
}

func (r *record) CallEnded(_ context.Context, id model.CallID, at time.Time, cause model.Cause) error {
	return r.write("call_ended", func() {
		c := r.calls[id]
		c.EndedAt, c.Cause = &at, cause
		r.calls[id] = c
		r.causes[string(id)]++
	})
}

func (r *record) AddEvent(_ context.Context, e model.CallEvent) error {
	return r.write(e.Kind, func() { r.events = append(r.events, e) })
}

func (r *record) LegStarted(_ context.Context, l model.Leg) error {
	return r.write("leg_started", func() { r.legs[l.ID] = l })
}

func (r *record) LegEnded(_ context.Context, l model.Leg) error {
	return r.write("leg_ended", func() {
		r.legs[l.ID] = l
		r.causes[string(l.ID)]++
	})
}

func (r *record) AddReadings(_ context.Context, c model.ReadingChunk) error {
	return r.write("readings", func() { r.chunks = append(r.chunks, c) })
}

func (r *record) Reported(_ context.Context, rec model.ReportRecord) (v model.Verdict, err error) {
	err = r.write("report", func() {
		r.reports = append(r.reports, rec)
		v = r.know(rec.Headset)
	})
	return v, err
}

func (r *record) know(id model.HeadsetID) model.Verdict {
	state := r.verdict[id]
	if state == "" {
		state = model.VerdictUnknown
	}
	return model.Verdict{Headset: id, State: state, Findings: []model.VerdictFinding{}, Text: "as the test wants it", At: time.Now()}
}

func (r *record) Verdict(_ context.Context, id model.HeadsetID) (v model.Verdict, err error) {
	err = r.write("verdict", func() { v = r.know(id) })
	return v, err
}

func (r *record) SeenHeadset(_ context.Context, h model.Headset) error {
	return r.write("headset", func() { r.headsets = append(r.headsets, h) })
}

// story is the kinds of a call's events, in order.
func (r *record) story(id model.CallID) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, e := range r.events {
		if e.Call == id {
			out = append(out, e.Kind)
		}
	}
	return out
}

// only gives the one call there is.
func (r *record) only(t *testing.T) model.Call {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.calls) != 1 {
		t.Fatalf("%d calls recorded, wanted one", len(r.calls))
	}
	for _, c := range r.calls {
		return c
	}
	panic("unreachable")
}

func (r *record) event(kind string) (model.CallEvent, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			return e, true
		}
	}
	return model.CallEvent{}, false
}

// music tells who hears it.
type music struct {
	mu      sync.Mutex
	playing map[media.Leg]bool
}

func (m *music) Play(leg media.Leg) func() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.playing[leg] = true
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.playing, leg)
	}
}

func (m *music) plays(leg media.Leg) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.playing[leg]
}

// world is a switchboard with everything around it, inside a synctest bubble.
type world struct {
	t     *testing.T
	ctx   context.Context
	sb    *call.Switchboard
	rec   *record
	music *music
	bus   *events.Bus
	desks map[string]*desk
	stop  func() error
	runs  bool
}

const (
	number       = "+49 30 1000"
	offerTimeout = 15 * time.Second
	wrapUp       = 20 * time.Second
)

func site(users ...model.User) model.Site {
	return model.Site{
		Queues: []model.Queue{
			{ID: "sales", Title: "Sales", Numbers: []string{number}, OfferTimeout: offerTimeout, WrapUp: wrapUp, ServiceLevel: 20 * time.Second},
			{ID: "strict", Numbers: []string{"2000"}, OfferTimeout: offerTimeout, WrapUp: wrapUp, HeadsetPolicy: model.PolicyExclude},
		},
		Users: users,
	}
}

// Accept is the gateway: it finds the desk by the offer and connects at once, unless told otherwise.
func (w *world) Accept(_ context.Context, sdp string) (call.Peer, string, error) {
	d := w.desks[sdp]
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.refuse {
		return nil, "", errors.New("no audio in the offer")
	}
	p := newPeer()
	d.peers = append(d.peers, p)
	if !d.dead {
		close(p.connected)
	}
	return p, "answer", nil
}

// inWorld runs a test in a bubble with fake time. When it returns every goroutine must
// have ended, or synctest fails the test.
func inWorld(t *testing.T, cfg call.Config, test func(w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cfg)
		test(w)
		w.close()
	})
}

func newWorld(t *testing.T, cfg call.Config) *world {
	t.Helper()
	w := &world{
		t: t, rec: newRecord(), music: &music{playing: map[media.Leg]bool{}}, bus: events.NewBus(), desks: map[string]*desk{},
	}
	sb, err := call.New(cfg, call.Deps{
		Journal: w.rec, Evidence: w.rec, Headsets: w.rec, Gateway: w, Bus: w.bus, Music: w.music,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx, w.sb = ctx, sb
	ended := make(chan error, 1)
	go func() { ended <- sb.Run(ctx) }()
	w.runs = true
	w.stop = func() error {
		cancel()
		return <-ended
	}
	sb.SiteChanged(site())
	synctest.Wait()
	return w
}

func (w *world) close() {
	w.t.Helper()
	if w.runs {
		w.runs = false
		if err := w.stop(); err != nil {
			w.t.Errorf("the switchboard ended with: %v", err)
		}
	}
	w.checkRecord()
}

// checkRecord holds every record to what must always be true of one.
func (w *world) checkRecord() {
	w.t.Helper()
	for _, fault := range w.rec.faults() {
		w.t.Error(fault)
	}
}

// faults is what is wrong with the record once everything is over.
func (r *record) faults() (out []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, c := range r.calls {
		if c.EndedAt == nil || c.Cause == "" || r.causes[string(id)] != 1 {
			out = append(out, fmt.Sprintf("call %s: ended %v, cause %q, written %d times", id, c.EndedAt, c.Cause, r.causes[string(id)]))
		}
	}
	for id, l := range r.legs {
		if l.EndedAt == nil || l.Cause == "" || r.causes[string(id)] != 1 {
			out = append(out, fmt.Sprintf("leg %s: ended %v, cause %q, written %d times", id, l.EndedAt, l.Cause, r.causes[string(id)]))
		}
		if _, ok := r.calls[l.Call]; !ok {
			out = append(out, fmt.Sprintf("leg %s of a call that is not recorded", id))
		}
	}
	return out
}

func (w *world) desk(name string) *desk {
	d := &desk{
		t: w.t, w: w, user: model.User{ID: model.AgentID(name), Title: "Agent " + name, Roles: []model.Role{model.RoleAgent}, Queues: []model.QueueID{"sales", "strict"}},
		set: protocol.Headset{Model: "H1", Serial: name}, answers: map[string][]protocol.Message{},
	}
	w.desks[name] = d
	return d
}

// rings lets a caller arrive and waits until nothing moves.
func (w *world) rings(c *caller) *caller {
	w.sb.Incoming(c)
	synctest.Wait()
	return c
}

// pass lets time go by.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (w *world) state(name string) acd.AgentView {
	w.pass(60 * time.Millisecond) // the picture is at most 50 ms old
	for _, a := range w.sb.Snapshot().Agents {
		if a.ID == model.AgentID(name) {
			return a
		}
	}
	return acd.AgentView{ID: model.AgentID(name), State: model.Offline}
}

func (w *world) wantState(name string, want model.AgentState, reason string) {
	w.t.Helper()
	if a := w.state(name); a.State != want || a.Reason != reason {
		w.t.Errorf("%s is %s (%q), wanted %s (%q)", name, a.State, a.Reason, want, reason)
	}
}

// hears reports whether what is said on one leg comes out at the other.
func hears(from, to *mediatest.Leg) bool {
	before := len(to.Heard())
	from.Say(&media.Packet{Source: 7, Codec: media.PCMU, Payload: make([]byte, 160)})
	return len(to.Heard()) > before
}

func (w *world) wantTalking(c *caller, d *desk) {
	w.t.Helper()
	p := d.peers[len(d.peers)-1]
	if w.music.plays(c.leg) {
		w.t.Error("the caller still hears music")
	}
	if !hears(c.leg, p.Leg) {
		w.t.Error("the agent does not hear the caller")
	}
	if !hears(p.Leg, c.leg) {
		w.t.Error("the caller does not hear the agent")
	}
}

func (w *world) wantCause(want model.Cause) model.Call {
	w.t.Helper()
	synctest.Wait()
	c := w.rec.only(w.t)
	if c.Cause != want {
		w.t.Errorf("the call ended with cause %q, wanted %q", c.Cause, want)
	}
	return c
}

func (w *world) wantStory(want ...string) {
	w.t.Helper()
	synctest.Wait()
	if got := w.rec.story(w.rec.only(w.t).ID); !slices.Equal(got, want) {
		w.t.Errorf("the story is\n  %v, wanted\n  %v", got, want)
	}
}

func (w *world) wantLegCauses(want ...model.Cause) {
	w.t.Helper()
	synctest.Wait()
	w.rec.mu.Lock()
	defer w.rec.mu.Unlock()
	var got []string
	for _, l := range w.rec.legs {
		got = append(got, fmt.Sprint(l.Kind, ":", l.Cause))
	}
	slices.Sort(got)
	var wanted []string
	for i, c := range want {
		kind := model.AgentLeg
		if i == len(want)-1 {
			kind = model.TrunkLeg
		}
		wanted = append(wanted, fmt.Sprint(kind, ":", c))
	}
	slices.Sort(wanted)
	if !slices.Equal(got, wanted) {
		w.t.Errorf("legs ended %v, wanted %v", got, wanted)
	}
}
