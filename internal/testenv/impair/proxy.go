package impair

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

const (
	maxClients = 64
	maxFlying  = 1 << 14 // datagrams on their way
	maxSize    = 1 << 16
)

// Config sets up a Proxy.
type Config struct {
	To       netip.AddrPort // the far side
	Up, Down Link           // towards the far side, and back
	Seed     uint64
}

// Proxy is a bad network between whoever sends to Addr and Config.To. All its methods are
// safe for concurrent use.
type Proxy struct {
	to    netip.AddrPort
	front *net.UDPConn
	epoch time.Time
	wake  chan struct{} // something is due earlier than before
	life  context.Context
	end   context.CancelFunc
	wg    sync.WaitGroup

	mu       sync.Mutex
	up, down *Line
	flying   flights
	sent     uint64
	clients  map[netip.AddrPort]*client
}

// client is one socket of the near side.
type client struct {
	at   netip.AddrPort
	back *net.UDPConn // as the far side sees it
}

// flight is a datagram on its way.
type flight struct {
	due  time.Duration // since the epoch
	n    uint64
	from *net.UDPConn
	to   netip.AddrPort
	data []byte
}

// Open binds a port on the loopback interface. Run it, and Close it if it is not run.
func Open(cfg Config) (*Proxy, error) {
	if !cfg.To.IsValid() {
		return nil, errors.New("impair: no far side: Config.To is not set")
	}
	up, err := NewLine(cfg.Up, cfg.Seed)
	if err != nil {
		return nil, fmt.Errorf("%w (up)", err)
	}
	down, err := NewLine(cfg.Down, cfg.Seed+1)
	if err != nil {
		return nil, fmt.Errorf("%w (down)", err)
	}
	p := &Proxy{
		to: cfg.To, epoch: time.Now(), wake: make(chan struct{}, 1),
		up: up, down: down, clients: make(map[netip.AddrPort]*client),
	}
	if p.front, err = p.bind(); err != nil {
		return nil, err
	}
	p.life, p.end = context.WithCancel(context.Background())
	return p, nil
}

// Start opens and runs a proxy until the test has ended.
func Start(tb testing.TB, cfg Config) *Proxy {
	tb.Helper()
	p, err := Open(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- p.Run(context.Background()) }()
	tb.Cleanup(func() {
		p.Close()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
	return p
}

func (p *Proxy) bind() (*net.UDPConn, error) {
	host := net.IPv4(127, 0, 0, 1)
	if p.to.Addr().Unmap().Is6() {
		host = net.IPv6loopback
	}
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: host})
	if err != nil {
		return nil, fmt.Errorf("impair: %w", err)
	}
	_ = conn.SetReadBuffer(1 << 20)
	return conn, nil
}

// Addr is where the near side sends to.
func (p *Proxy) Addr() netip.AddrPort {
	return p.front.LocalAddr().(*net.UDPAddr).AddrPort()
}

// Run carries datagrams until ctx or the proxy has ended. What is under way then is lost.
func (p *Proxy) Run(ctx context.Context) error {
	defer p.wg.Wait()
	defer p.Close()
	defer context.AfterFunc(ctx, p.Close)()
	p.wg.Go(p.deliver)
	return p.read(p.front, func(data []byte, from netip.AddrPort) {
		if c := p.client(from); c != nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.fly(p.up, data, c.back, p.to)
		}
	})
}

// Close ends the proxy. Closing again does nothing.
func (p *Proxy) Close() {
	p.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.front.Close()
	for _, c := range p.clients {
		_ = c.back.Close()
	}
}

// Change makes both directions other links from the next packet on.
func (p *Proxy) Change(up, down Link) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := errors.Join(up.check(), down.check()); err != nil {
		return err
	}
	p.up.link, p.down.link = up, down
	return nil
}

// Dark lets nothing pass in either direction, or everything that passed before.
func (p *Proxy) Dark(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.up.Dark(on)
	p.down.Dark(on)
}

// Rebind gives every near socket another port towards the far side, as a NAT does that
// has forgotten them. What the far side sends to the old ports is lost.
func (p *Proxy) Rebind() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at, c := range p.clients {
		next, err := p.connect(at)
		if err != nil {
			return err
		}
		p.clients[at] = next
		_ = c.back.Close()
	}
	return nil
}

// Counts says what became of the packets in each direction.
func (p *Proxy) Counts() (up, down Counts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.up.Counts(), p.down.Counts()
}

// client finds or makes the near socket at an address; nil once there are too many.
func (p *Proxy) client(at netip.AddrPort) *client {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.clients[at]
	if c != nil || len(p.clients) >= maxClients || p.life.Err() != nil {
		return c
	}
	c, err := p.connect(at)
	if err != nil {
		return nil
	}
	p.clients[at] = c
	return c
}

// connect makes a socket towards the far side and reads it. The proxy must be locked.
func (p *Proxy) connect(at netip.AddrPort) (*client, error) {
	if p.life.Err() != nil {
		return nil, net.ErrClosed
	}
	conn, err := p.bind()
	if err != nil {
		return nil, err
	}
	c := &client{at: at, back: conn}
	p.wg.Go(func() {
		_ = p.read(conn, func(data []byte, from netip.AddrPort) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if from == p.to && p.clients[at] == c {
				p.fly(p.down, data, p.front, at)
			}
		})
	})
	return c, nil
}

// read takes datagrams until conn is closed.
func (p *Proxy) read(conn *net.UDPConn, take func([]byte, netip.AddrPort)) error {
	buf := make([]byte, maxSize)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(buf)
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil
		case err == nil:
			take(buf[:n], netip.AddrPortFrom(from.Addr().Unmap(), from.Port()))
		}
	}
}

// fly sends a datagram on its way. The proxy must be locked.
func (p *Proxy) fly(line *Line, data []byte, from *net.UDPConn, to netip.AddrPort) {
	arrives, n := line.Pass(time.Since(p.epoch), len(data))
	for _, due := range arrives[:n] {
		if len(p.flying) >= maxFlying {
			return
		}
		p.sent++
		heap.Push(&p.flying, flight{due, p.sent, from, to, append([]byte(nil), data...)})
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// deliver hands over what is due, until the proxy is closed.
func (p *Proxy) deliver() {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(p.due())
		select {
		case <-p.life.Done():
			return
		case <-p.wake:
		case <-timer.C:
		}
	}
}

// due hands over what is due and says how long nothing more will be.
func (p *Proxy) due() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.flying) > 0 {
		wait := p.flying[0].due - time.Since(p.epoch)
		if wait > 0 {
			return wait
		}
		f := heap.Pop(&p.flying).(flight)
		_, _ = f.from.WriteToUDPAddrPort(f.data, f.to)
	}
	return time.Hour
}

// flights are in order of their arrival (heap.Interface).
type flights []flight

func (f flights) Len() int      { return len(f) }
func (f flights) Swap(i, j int) { f[i], f[j] = f[j], f[i] }
func (f flights) Less(i, j int) bool {
	return f[i].due < f[j].due || f[i].due == f[j].due && f[i].n < f[j].n
}
func (f *flights) Push(x any) { *f = append(*f, x.(flight)) }

// Pop is part of heap.Interface.
func (f *flights) Pop() any {
	last := (*f)[len(*f)-1]
	(*f)[len(*f)-1] = flight{}
	*f = (*f)[:len(*f)-1]
	return last
}
