package call_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/internal/call"
	"github.com/headroom-voice/headroom/internal/model"
	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/mediatest"
	"github.com/headroom-voice/headroom/media/sip/ladder"
)

// caller is a working call.Inbound: a party on a trunk that rings, talks and hangs up.
type caller struct {
	id, to    string
	leg       *mediatest.Leg
	slow      time.Duration // how long the answer takes
	answerErr error
	gone      chan struct{} // closed when its last SIP message has gone; nil goes with done

	mu         sync.Mutex
	said       []ladder.Message // what is in its SIP ladder but the INVITE
	rang       bool
	answered   bool
	ended      string
	status     int
	retryAfter time.Duration
	done       chan struct{}
	digits     chan rune
	pad
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

func (c *caller) Gone() <-chan struct{} {
	if c.gone != nil {
		return c.gone
	}
	return c.done
}

func (c *caller) Ladder() ladder.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return ladder.Record{Messages: append([]ladder.Message{{First: "INVITE"}}, c.said...)}
}

// says adds a message to the caller's SIP ladder.
func (c *caller) says(first string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.said = append(c.said, ladder.Message{First: first})
}

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
	keys            chan rune
}

func newPeer() *peer {
	return &peer{Leg: mediatest.NewLeg(20*time.Millisecond, media.Opus, media.PCMU), connected: make(chan struct{}), done: make(chan struct{}), keys: make(chan rune, 8)}
}

func (p *peer) Digits() <-chan rune { return p.keys }

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
