package carrier

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/headroom-voice/headroom/media/sip"
	"github.com/headroom-voice/headroom/media/sip/locate"
)

// Phone places calls and asks questions (sip.Client).
type Phone interface {
	Dial(ctx context.Context, to sip.Outgoing) (*sip.Call, error)
	Ask(ctx context.Context, r sip.Request) (*sip.Reply, error)
	Connected(to locate.Target) bool
}

// Locator finds where a URI leads (locate.Resolver).
type Locator interface {
	LocateURI(ctx context.Context, uri string) ([]locate.Target, error)
}

// Config is what a Carrier works with. Zero durations take the defaults named.
type Config struct {
	Phone   Phone
	Locator Locator
	// Met is told the addresses at which registered trunks are, by their IDs, whenever that
	// changes: calls from there are theirs (sip.Server.SetMet). It may be nil.
	Met func(map[string][]netip.Addr)
	Log *slog.Logger // nil discards

	BackoffBase time.Duration // after the first failed registration, doubled by each; 30 s (RFC 5626 section 4.5)
	BackoffMax  time.Duration // 30 min
	Hold        time.Duration // a server that failed a call is passed over for; 30 s
	HoldMax     time.Duration // however long its Retry-After says; 5 min
	DownEvery   time.Duration // a server that is down is asked at least so often; 10 s
	WatchEvery  time.Duration // the connection that a registration came by is looked at; 30 s
}

// Carrier knows the trunks and how they are.
type Carrier struct {
	cfg  Config
	log  *slog.Logger
	draw func(n int) int

	mu      sync.Mutex
	running context.Context // of Run; nil before and after
	wg      sync.WaitGroup
	trunks  []Trunk // with their defaults
	loops   map[string]*loop
	health  map[hop]*health
	states  map[string]*Registered
	met     map[string][]netip.Addr
}

// loop is the goroutine of one trunk.
type loop struct {
	trunk Trunk
	stop  context.CancelFunc
	kick  chan struct{} // to register again at once
	done  chan struct{}
}

// New makes a Carrier without trunks; it starts nothing.
func New(cfg Config) *Carrier {
	for _, d := range []struct {
		value *time.Duration
		def   time.Duration
	}{
		{&cfg.BackoffBase, 30 * time.Second}, {&cfg.BackoffMax, 30 * time.Minute}, {&cfg.Hold, 30 * time.Second},
		{&cfg.HoldMax, 5 * time.Minute}, {&cfg.DownEvery, 10 * time.Second}, {&cfg.WatchEvery, 30 * time.Second},
	} {
		if *d.value <= 0 {
			*d.value = d.def
		}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Carrier{cfg: cfg, log: cfg.Log, draw: rand.IntN, loops: make(map[string]*loop),
		health: make(map[hop]*health), states: make(map[string]*Registered), met: make(map[string][]netip.Addr)}
}

// SetTrunks replaces all trunks at once. One that has not changed stays registered; one that
// has gone is unregistered.
func (c *Carrier) SetTrunks(trunks []Trunk) error {
	checked := make([]Trunk, 0, len(trunks))
	for _, t := range trunks {
		t, err := t.withDefaults()
		if err != nil {
			return err
		}
		checked = append(checked, t)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trunks = checked
	keep := make(map[string]bool, len(checked))
	for _, t := range checked {
		keep[t.ID] = true
	}
	for h := range c.health {
		if !keep[h.trunk] {
			delete(c.health, h)
		}
	}
	if c.running != nil {
		c.restart()
	}
	return nil
}

// Run keeps the trunks registered and alive until ctx ends; then it unregisters and returns,
// a few seconds later at most. The phone must outlive it. It runs once.
func (c *Carrier) Run(ctx context.Context) error {
	c.mu.Lock()
	c.running = ctx
	c.restart()
	c.mu.Unlock()
	<-ctx.Done()
	c.mu.Lock()
	c.running = nil
	for _, l := range c.loops {
		l.stop()
	}
	c.mu.Unlock()
	c.wg.Wait()
	return nil
}

// restart starts and ends loops so that they are those of the trunks; c.mu is held.
func (c *Carrier) restart() {
	wanted := make(map[string]Trunk)
	for _, t := range c.trunks {
		if t.Register.On || t.KeepAlive > 0 {
			wanted[t.ID] = t
		}
	}
	for id, l := range c.loops {
		if t, ok := wanted[id]; ok && reflect.DeepEqual(t, l.trunk) {
			delete(wanted, id)
		} else {
			l.stop()
			if !ok {
				delete(c.loops, id)
				delete(c.states, id)
			}
		}
	}
	for id, t := range wanted {
		before := c.loops[id]
		ctx, stop := context.WithCancel(c.running)
		l := &loop{trunk: t, stop: stop, kick: make(chan struct{}, 1), done: make(chan struct{})}
		c.loops[id] = l
		c.wg.Go(func() {
			defer close(l.done)
			defer stop()
			if before != nil { // whose goodbye must not undo this one's greeting
				<-before.done
			}
			c.tend(ctx, l)
		})
	}
}

// tend keeps one trunk registered and alive until ctx ends.
func (c *Carrier) tend(ctx context.Context, l *loop) {
	var wg sync.WaitGroup
	if l.trunk.KeepAlive > 0 {
		wg.Go(func() { c.keepAlive(ctx, l) })
	}
	if l.trunk.Register.On {
		wg.Go(func() { newRegistrar(c, l).run(ctx) })
	}
	wg.Wait()
}

// meet notes where a registered trunk is; nil forgets it.
func (c *Carrier) meet(trunk string, at []netip.Addr) {
	c.mu.Lock()
	slices.SortFunc(at, netip.Addr.Compare)
	at = slices.Compact(at)
	if slices.Equal(c.met[trunk], at) {
		c.mu.Unlock()
		return
	}
	if len(at) == 0 {
		delete(c.met, trunk)
	} else {
		c.met[trunk] = at
	}
	met := make(map[string][]netip.Addr, len(c.met))
	for id, addrs := range c.met {
		met[id] = slices.Clone(addrs)
	}
	if c.cfg.Met != nil {
		c.cfg.Met(met) // under the lock, so that the newest is told last
	}
	c.mu.Unlock()
}
