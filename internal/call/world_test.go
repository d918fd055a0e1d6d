package call_test

import (
	"bytes"
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
	"github.com/headroom-voice/headroom/media/prompt"
)

// music tells who hears it.
type music struct {
	mu      sync.Mutex
	playing map[media.Leg]bool
}

func (m *music) Play(leg media.Leg) func() {
	if guarded, ok := leg.(interface{ Unwrap() media.Leg }); ok {
		leg = guarded.Unwrap()
	}
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
	tones *music
	clock *prompt.Pacer
	out   *exchange
	tapes *tapes
	beeps *music
	bus   *events.Bus
	desks map[string]*desk

	secrets secrets

	stop func() error
	runs bool
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
func inWorld(t *testing.T, cfg call.Config, test func(w *world), other ...func(w *world, d *call.Deps)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, cfg, other...)
		test(w)
		w.close()
	})
}

func newWorld(t *testing.T, cfg call.Config, other ...func(w *world, d *call.Deps)) *world {
	t.Helper()
	w := &world{
		t: t, rec: newRecord(), music: &music{playing: map[media.Leg]bool{}}, tones: &music{playing: map[media.Leg]bool{}}, beeps: &music{playing: map[media.Leg]bool{}},
		out: &exchange{}, tapes: &tapes{}, bus: events.NewBus(), desks: map[string]*desk{}, clock: prompt.NewPacer(),
	}
	deps := call.Deps{
		Journal: w.rec, Evidence: w.rec, Headsets: w.rec, Gateway: w, Bus: w.bus, Music: w.music,
		Dialling: w.out, Dialer: w.out, Ringback: w.tones, Clock: w.clock, Recorder: w.tapes, Beep: w.beeps, Discretion: &w.secrets,
		Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, change := range other {
		change(w, &deps)
	}
	sb, err := call.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.ctx, w.sb = ctx, sb
	ended := make(chan error, 1)
	go func() { ended <- sb.Run(ctx) }()
	go func() { _ = w.clock.Run(ctx) }()
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

// passTalking lets time go by in which the agent's client keeps sending audio.
func (w *world) passTalking(d time.Duration, from *desk) {
	for range d / (100 * time.Millisecond) {
		w.pass(100 * time.Millisecond)
		from.peers[len(from.peers)-1].Say(&media.Packet{Source: 9, Codec: media.PCMU, Payload: quiet()})
	}
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

// quiet is 20 ms of nothing in PCMU; zeros would be as loud as can be.
func quiet() []byte { return bytes.Repeat([]byte{0xff}, 160) }

// hears reports whether what is said on one leg comes out at the other. When two are parted, one
// more packet passes in which the voice fades.
func hears(from, to *mediatest.Leg) bool {
	from.Say(&media.Packet{Source: 7, Codec: media.PCMU, Payload: quiet()})
	before := len(to.Heard())
	from.Say(&media.Packet{Source: 7, Codec: media.PCMU, Payload: quiet()})
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
