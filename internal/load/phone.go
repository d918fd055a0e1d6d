package load

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/headroom-voice/headroom/media"
	"github.com/headroom-voice/headroom/media/prompt"
	"github.com/headroom-voice/headroom/media/rtp"
	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/digest"
)

// The RTP ports of phones: below the range that the kernel gives to others, and apart from
// the service's own.
const (
	lowPort  = 12000
	highPort = 19999
	portRest = time.Second
)

// Phone is a SIP user agent with many lines. Between NewPhone and the end of Run it can Dial.
type Phone struct {
	client *sip.Client
	pacer  *prompt.Pacer
	tcp    bool
}

// PhoneConfig says where a phone stands.
type PhoneConfig struct {
	Local     netip.Addr // default 127.0.0.1
	Transport string     // "udp" (default) or "tcp"
	Log       *slog.Logger
}

// Config is one call to place.
type Config struct {
	Target   string        // "sip:NUMBER@HOST:PORT"
	From     string        // the caller's number; default "headroom"
	FromName string        // the caller's name
	Codec    media.Codec   // PCMU or PCMA; the zero value offers both, PCMU first
	PTime    time.Duration // asked for, 10 to 60 ms; default 20 ms
	Source   prompt.Source // played from the answer on; nil is silence
	Patience time.Duration // for the first reply of any kind; default 32 s
	Login    digest.Login  // to answer a challenge with
	Keep     time.Duration // how much of what is heard is kept, the latest; default 30 s

	Local     netip.Addr // of Dial's own phone; default 127.0.0.1
	Transport string     // of Dial's own phone: "udp" (default) or "tcp"
}

// NewPhone opens a phone's sockets; nothing moves before Run.
func NewPhone(ctx context.Context, cfg PhoneConfig) (*Phone, error) {
	if !cfg.Local.IsValid() {
		cfg.Local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	ports, err := rtp.NewPorts(cfg.Local, lowPort, highPort, portRest)
	if err != nil {
		return nil, err
	}
	sc := sip.Config{Ports: ports, UserAgent: "headroom-load"}
	listen := netip.AddrPortFrom(cfg.Local, 0).String()
	switch cfg.Transport {
	case "", "udp":
		sc.UDP = listen
	case "tcp":
		sc.TCP = listen
	default:
		return nil, fmt.Errorf("load: transport %q: udp and tcp are known", cfg.Transport)
	}
	client, err := sip.NewClient(sc, cfg.Log)
	if err != nil {
		return nil, err
	}
	if err := client.Listen(ctx); err != nil {
		return nil, err
	}
	return &Phone{client: client, pacer: prompt.NewPacer(), tcp: cfg.Transport == "tcp"}, nil
}

// Run serves the phone until ctx ends; then it hangs up every call and returns when that
// is done. It runs once, and must be run to give the sockets back.
func (p *Phone) Run(ctx context.Context) error {
	pace, stop := context.WithCancel(context.WithoutCancel(ctx))
	var g errgroup.Group
	g.Go(func() error { return p.pacer.Run(pace) })
	g.Go(func() error {
		defer stop()
		return p.client.Run(ctx)
	})
	return g.Wait()
}

// Dial places a call and returns when it is answered. A refusal is a *sip.RejectedError. If
// ctx ends before the answer the call is cancelled.
func (p *Phone) Dial(ctx context.Context, cfg Config) (*Call, error) {
	out := sip.Outgoing{Target: cfg.Target, From: cfg.From, FromName: cfg.FromName, PTime: cfg.PTime, Patience: cfg.Patience, Login: cfg.Login}
	if cfg.Codec != media.NoCodec {
		out.Codecs = []media.Codec{cfg.Codec}
	}
	if p.tcp && !strings.Contains(out.Target, ";transport=") {
		out.Target += ";transport=tcp"
	}
	began := time.Now()
	call, err := p.client.Dial(ctx, out)
	if err != nil {
		return nil, err
	}
	c := &Call{call: call, phone: p, setup: time.Since(began), ear: newEar(cfg.Keep), gone: make(chan struct{})}
	close(c.gone) // nothing beyond the call itself to wait for; Dial replaces it
	call.Leg().SetSink(c.ear)
	c.Play(cfg.Source)
	go func() {
		<-call.Done()
		c.Play(nil)
	}()
	return c, nil
}

// Call is an answered call. Its methods may be called from any goroutine.
type Call struct {
	call  *sip.Call
	phone *Phone
	setup time.Duration
	ear   *ear
	gone  chan struct{}

	mu       sync.Mutex
	stopPlay func()
}

// Dial places a single call with a phone of its own, whose goroutines end with the call.
func Dial(ctx context.Context, cfg Config) (*Call, error) {
	phone, err := NewPhone(ctx, PhoneConfig{Local: cfg.Local, Transport: transport(cfg.Target, cfg.Transport)})
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_ = phone.Run(running)
	}()
	c, err := phone.Dial(ctx, cfg)
	if err != nil {
		stop()
		<-gone
		return nil, err
	}
	c.gone = gone
	go func() {
		<-c.call.Done()
		// The BYE, or the answer to one, goes out before the phone is put away.
		_ = c.call.Hangup(context.WithoutCancel(ctx))
		stop()
	}()
	return c, nil
}

// Play replaces what is said; nil is silence.
func (c *Call) Play(src prompt.Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopPlay != nil {
		c.stopPlay()
		c.stopPlay = nil
	}
	if src != nil && c.call.Ended() == "" {
		c.stopPlay = c.phone.pacer.Play(c.call.Leg(), src)
	}
}

// Heard is a copy of the latest audio heard, 8 kHz mono, ±1: as long as Config.Keep at most.
func (c *Call) Heard() []float32 { return c.ear.heard() }

// Forget empties Heard, so that what follows is heard alone.
func (c *Call) Forget() { c.ear.forget() }

// HeardDBov is the mean level of everything heard, concealment left out.
func (c *Call) HeardDBov() float64 { return c.ear.dbov() }

// Stats are the call's RTP counters.
func (c *Call) Stats() media.Stats { return c.call.Leg().Stats() }

// ID is the SIP Call-ID.
func (c *Call) ID() string { return c.call.ID() }

// Setup is how long the answer took.
func (c *Call) Setup() time.Duration { return c.setup }

// Done is closed when the call is over, whoever ended it.
func (c *Call) Done() <-chan struct{} { return c.call.Done() }

// Ended is how it ended, one of the causes of media/sip; "" before Done.
func (c *Call) Ended() string { return c.call.Ended() }

// Hangup ends the call, stops what is played and returns when the other side has answered
// the BYE, has failed to, or ctx ends. It is not an error to hang up a call that is over.
func (c *Call) Hangup(ctx context.Context) error {
	err := c.call.Hangup(ctx)
	c.Play(nil)
	if err != nil && !errors.Is(err, sip.ErrEnded) {
		return fmt.Errorf("load: hang up: %w", err)
	}
	select {
	case <-c.gone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
