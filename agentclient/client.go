package agentclient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/headroom-voice/headroom/agentclient/audio"
	"github.com/headroom-voice/headroom/agentclient/protocol"
	"github.com/headroom-voice/headroom/dsp/headset"
)

// Client is an agent's desk. New makes one, Run works it; the other methods are what a
// person does and may be called from any goroutine while Run runs.
type Client struct {
	cfg    Config
	log    *slog.Logger
	door   *door
	voice  *voice
	outbox *outbox
	inbox  chan func()
	done   chan struct{}                  // closed when Run returns
	hello  atomic.Pointer[protocol.Hello] // what the next WebSocket says first

	// The client's goroutine only, from here on.
	errands int   // goroutines that run beside
	leaving bool  // nothing new is begun
	link    *link // nil while there is none
	state   protocol.State
	call    string // the call in progress
	answer  string // the call being answered
	dialled string // the call being dialled
	wish    wish
	media   mediaState
}

// wish is the state that the agent wants to be in.
type wish struct {
	ready  bool
	reason string // of a break
	misses int    // in a row, see wishAgain
	timer  *time.Timer
}

// New checks the configuration and prepares the audio path. It starts nothing.
func New(cfg Config) (*Client, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("agent client: %w", err)
	}
	v, err := newVoice(cfg.Mic, cfg.Ear)
	if err != nil {
		return nil, fmt.Errorf("agent client: %w", err)
	}
	c := &Client{cfg: cfg, log: cfg.Log, door: newDoor(cfg), voice: v, outbox: newOutbox(), inbox: make(chan func(), 64), done: make(chan struct{})}
	c.wish.ready = cfg.Ready
	c.hello.Store(&protocol.Hello{Version: protocol.Version, Client: cfg.Program, Headset: cfg.Headset})
	return c, nil
}

// Run signs in and works until ctx ends, then signs out and gives nil. It gives up only
// when the service refuses the agent for good (ErrCredentials, ErrRefused, ErrReplaced) or a
// sound device fails (audio.ErrDevice). A client runs once.
func (c *Client) Run(ctx context.Context) error {
	defer close(c.done)
	working, stop := context.WithCancel(context.WithoutCancel(ctx)) // it outlives ctx by the goodbye
	defer stop()
	failed := make(chan error, 3) // one from each of the three
	var own sync.WaitGroup
	own.Go(func() { failed <- deviceEnd(working, "microphone", c.cfg.Mic.Run(working, c.voice.take)) })
	own.Go(func() { failed <- deviceEnd(working, "earphone", c.cfg.Ear.Run(working, c.voice.fill)) })
	own.Go(func() { failed <- c.dial(working) })

	err := c.work(ctx, failed)
	c.leave(ctx, err)
	c.dropMedia()
	stop()
	c.drain(&own)
	c.signOut(ctx, err)
	return err
}

// work is the client's goroutine until there is a reason to leave.
func (c *Client) work(ctx context.Context, failed <-chan error) error {
	for {
		select {
		case fn := <-c.inbox:
			fn()
		case r := <-c.voice.readings:
			c.measured(r)
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
}

// deviceEnd says why a sound device ended; one that simply stopped has failed too.
func deviceEnd(ctx context.Context, what string, err error) error {
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case ctx.Err() == nil:
		return fmt.Errorf("%s: %w: it ended", what, audio.ErrDevice)
	}
	return nil
}

// drain waits for the goroutines that Run began and then for the errands, taking in what
// they still bring. That may begin further errands, which free what came too late.
func (c *Client) drain(own *sync.WaitGroup) {
	ended := make(chan struct{})
	go func() { own.Wait(); close(ended) }()
	for running := true; running; {
		select {
		case fn := <-c.inbox:
			fn()
		case <-ended:
			running = false
		}
	}
	for c.errands > 0 {
		(<-c.inbox)()
	}
}

// signOut ends the cookie's session, once nobody uses it any more.
func (c *Client) signOut(ctx context.Context, cause error) {
	defer c.door.close()
	if errors.As(cause, new(errFatal)) {
		return // there is none, or it is somebody else's by now
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.SignOut)
	defer cancel()
	if err := c.door.signOut(ctx); err != nil {
		c.log.Warn("session not ended", "err", err)
	}
}

// do hands fn to the client's goroutine.
func (c *Client) do(fn func()) {
	select {
	case c.inbox <- fn:
	case <-c.done:
	}
}

// run does an errand beside the client's goroutine, which comes back by do.
func (c *Client) run(errand func()) {
	c.errands++
	go func() {
		errand()
		c.do(func() { c.errands-- })
	}()
}

// after hands fn in later.
func (c *Client) after(d time.Duration, fn func()) *time.Timer {
	return time.AfterFunc(d, func() { c.do(fn) })
}

// request keeps a message until it is answered, and sends it if there is a link.
func (c *Client) request(m protocol.Message) {
	id := c.outbox.add(m)
	c.write(id, m)
}

// write sends a frame if there is a link; it never waits.
func (c *Client) write(id string, m protocol.Message) {
	if c.link == nil {
		return
	}
	frame, err := protocol.Encode(id, m)
	if err != nil {
		c.log.Error("message not sent", "type", protocol.TypeOf(m), "err", err)
		c.outbox.answered(id)
		return
	}
	c.link.send(frame)
}

// measured passes a second at the microphone on. One that meets no link is lost: the
// report at the end of the call counts it all the same.
func (c *Client) measured(r headset.Reading) {
	c.write("", protocol.MicReading{CallID: c.call, Reading: r})
	c.cfg.OnEvent(Measured{r})
}

// leave says goodbye in order, within Config.SignOut: the report of a call that is cut
// short, then SignOut.
func (c *Client) leave(ctx context.Context, cause error) {
	c.leaving = true
	c.wish.stop()
	c.voice.onAir.Store(false)
	if c.call != "" {
		c.endCall(c.call, "signed_out")
	}
	if c.link == nil || errors.As(cause, new(errFatal)) {
		return
	}
	c.request(protocol.SignOut{})
	late, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.cfg.SignOut)
	defer cancel()
	for c.link != nil && len(c.outbox.kept) > 0 {
		select {
		case fn := <-c.inbox:
			fn()
		case <-late.Done():
			c.log.Warn("signed out without the service's word", "unanswered", len(c.outbox.kept))
			return
		}
	}
}
