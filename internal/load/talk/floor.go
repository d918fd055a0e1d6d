//go:build linux

package talk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/load/caller"
	"github.com/headroom-voice/headroom/internal/load/desk"
	"github.com/headroom-voice/headroom/internal/load/mark"
	"github.com/headroom-voice/headroom/internal/load/stream"
	"github.com/headroom-voice/headroom/media"
)

// What the two sides say.
const (
	callerVoice = "caller-1"
	agentVoice  = "agent-1"
	firstAgent  = 10000 // number of the first agent's stream; the callers' begin at 0
)

// Config is a load.
type Config struct {
	URL      string // of the service
	Target   string // sip:NUMBER@HOST:PORT
	Users    []string
	Password string
	Local    netip.Addr    // of the agents' media; default 127.0.0.1
	Codecs   []media.Codec // that agents offer, and say the first of: PCMU and Opus
	Readings bool          // agents send their microphones' readings
	AtOnce   int           // sign-ins at the same time, each of which costs the service a password's hash; default 4
	OnEvent  func(Event)   // on the goroutine of whom it is about; may be nil
}

// Event is something that somebody at the load might want to know.
type Event struct {
	Who  string // a user, or a caller's number
	What string // "ready", "connected", "ended", "trouble", "refused"
	Call string // the service's name of it
	Err  error
}

// Floor is the people of a load: New makes it, Run works it.
type Floor struct {
	cfg    Config
	loop   *stream.Loop
	client *caller.Client
	desks  []*desk.Desk
	said   *stream.Script // by callers

	mu      sync.Mutex
	ready   int
	lines   map[string]*line // by the caller's number
	pairs   map[string]*Pair // by the agent's name
	changed chan struct{}    // closed whenever ready or pairs change
}

// line is a caller's telephone.
type line struct {
	number string
	stream uint16
	end    *stream.End
	call   *caller.Call
}

// Pair is a caller and an agent who hear each other.
type Pair struct {
	Call          string
	Caller, Agent *stream.End
	Since         time.Time
}

// New opens sockets; nothing moves before Run.
func New(ctx context.Context, cfg Config) (*Floor, error) {
	if !cfg.Local.IsValid() {
		cfg.Local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	if cfg.AtOnce <= 0 {
		cfg.AtOnce = 4
	}
	if len(cfg.Codecs) == 0 {
		return nil, errors.New("talk: no codec for the agents")
	}
	packets, err := mark.Speech(callerVoice, media.PCMU)
	if err != nil {
		return nil, err
	}
	f := &Floor{cfg: cfg, lines: make(map[string]*line), pairs: make(map[string]*Pair), changed: make(chan struct{}),
		said: &stream.Script{Codec: media.PCMU, Packets: packets}}
	if packets, err = mark.Speech(agentVoice, cfg.Codecs[0]); err != nil {
		return nil, err
	}
	if f.client, err = caller.Open(ctx, cfg.Target); err != nil {
		return nil, err
	}
	if f.loop, err = stream.New(); err != nil {
		return nil, err
	}
	for i, user := range cfg.Users {
		f.desks = append(f.desks, desk.New(desk.Config{
			URL: cfg.URL, User: user, Password: cfg.Password, Local: cfg.Local, Codecs: cfg.Codecs, Readings: cfg.Readings,
			OnReady: f.deskReady, OnCall: f.connected, OnEnded: f.ended, OnTrouble: f.trouble,
		}, f.loop, stream.Script{Codec: cfg.Codecs[0], Packets: packets}, uint16(firstAgent+i)))
	}
	return f, nil
}

// Run works until ctx ends: agents sign in, in turn, and answer whoever calls. Its error is that
// an agent is refused for good.
func (f *Floor) Run(ctx context.Context) error {
	below, stop := context.WithCancel(context.WithoutCancel(ctx)) // what agents and callers say goodbye over
	defer stop()
	var under errgroup.Group
	under.Go(func() error { return f.loop.Run(below) })
	under.Go(func() error { return f.client.Run(below) })
	group, ctx := errgroup.WithContext(ctx)
	for i, d := range f.desks {
		group.Go(func() error {
			if !f.until(ctx, func() bool { return f.ready > i-f.cfg.AtOnce }) {
				return nil
			}
			return d.Run(ctx)
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		return nil
	})
	err := group.Wait()
	stop()
	return errors.Join(err, under.Wait())
}

// until waits for something that f.mu guards; false when ctx ended before.
func (f *Floor) until(ctx context.Context, ok func() bool) bool {
	for {
		f.mu.Lock()
		done, changed := ok(), f.changed
		f.mu.Unlock()
		if done {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}

// note needs f.mu.
func (f *Floor) note() {
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *Floor) event(e Event) {
	if f.cfg.OnEvent != nil {
		f.cfg.OnEvent(e)
	}
}

func (f *Floor) deskReady(d *desk.Desk) {
	f.mu.Lock()
	f.ready++
	f.note()
	f.mu.Unlock()
	f.event(Event{Who: d.User(), What: "ready"})
}

func (f *Floor) connected(d *desk.Desk, c protocol.Call) {
	f.mu.Lock()
	l := f.lines[c.From]
	if l != nil {
		l.end.Expect(int(d.Number()))
		d.End().Expect(int(l.stream))
		f.pairs[d.User()] = &Pair{Call: c.ID, Caller: l.end, Agent: d.End(), Since: time.Now()}
	}
	f.note()
	f.mu.Unlock()
	f.event(Event{Who: d.User(), What: "connected", Call: c.ID})
}

func (f *Floor) ended(d *desk.Desk, e protocol.Ended) {
	f.mu.Lock()
	delete(f.pairs, d.User())
	f.note()
	f.mu.Unlock()
	f.event(Event{Who: d.User(), What: "ended", Call: e.CallID})
}

func (f *Floor) trouble(d *desk.Desk, err error) {
	f.mu.Lock()
	delete(f.pairs, d.User())
	f.note()
	f.mu.Unlock()
	f.event(Event{Who: d.User(), What: "trouble", Err: err})
}

// AgentsReady waits until so many have signed in and have media.
func (f *Floor) AgentsReady(ctx context.Context, n int) error {
	if !f.until(ctx, func() bool { return f.ready >= n }) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return fmt.Errorf("talk: %d of %d agents signed in: %w", f.ready, n, context.Cause(ctx))
	}
	return nil
}

// Talking waits until so many calls are connected.
func (f *Floor) Talking(ctx context.Context, n int) error {
	if !f.until(ctx, func() bool { return len(f.pairs) >= n }) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return fmt.Errorf("talk: %d of %d calls are connected: %w", len(f.pairs), n, context.Cause(ctx))
	}
	return nil
}

// Pairs are those who hear each other now.
func (f *Floor) Pairs() []*Pair {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := make([]*Pair, 0, len(f.pairs))
	for _, p := range f.pairs {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *Pair) int { return a.Since.Compare(b.Since) })
	return out
}

// Loop is what the audio goes by.
func (f *Floor) Loop() *stream.Loop { return f.loop }

// Call places a call from caller number i and says speech into it. The call ends by Hangup.
func (f *Floor) Call(ctx context.Context, i int) (*Talk, error) {
	end, err := f.loop.Open(f.client.Local(), nil)
	if err != nil {
		return nil, err
	}
	l := &line{number: fmt.Sprintf("+4930555%05d", i), stream: uint16(i), end: end}
	f.mu.Lock()
	f.lines[l.number] = l
	f.mu.Unlock()
	call, err := f.client.Dial(ctx, l.number, end)
	if err != nil {
		end.Close()
		return nil, fmt.Errorf("talk: %s: %w", l.number, err)
	}
	l.call = call
	end.Talk(f.said, l.stream)
	return &Talk{f, l}, nil
}

// pairOf is a caller's and who talks with them; nil if nobody does. It needs f.mu.
func (f *Floor) pairOf(caller *stream.End) *Pair {
	for _, p := range f.pairs {
		if p.Caller == caller {
			return p
		}
	}
	return nil
}

// Talk is one caller's call.
type Talk struct {
	floor *Floor
	line  *line
}

// Connected waits until an agent has the call.
func (t *Talk) Connected(ctx context.Context) (*Pair, error) {
	var pair *Pair
	if t.floor.until(ctx, func() bool {
		pair = t.floor.pairOf(t.line.end)
		return pair != nil
	}) {
		return pair, nil
	}
	return nil, fmt.Errorf("talk: %s has no agent: %w", t.line.number, context.Cause(ctx))
}

// Done is closed when the service hung up.
func (t *Talk) Done() <-chan struct{} { return t.line.call.Done() }

// Count is what the caller said and heard.
func (t *Talk) Count() stream.Count { return t.line.end.Count() }

// Number is the caller's.
func (t *Talk) Number() string { return t.line.number }

// Hangup ends the call and gives its socket back.
func (t *Talk) Hangup(ctx context.Context) error {
	t.line.end.Hush()
	err := t.line.call.Hangup(ctx)
	t.line.end.Close()
	t.floor.mu.Lock()
	defer t.floor.mu.Unlock()
	if t.floor.lines[t.line.number] == t.line {
		delete(t.floor.lines, t.line.number)
	}
	return err
}
