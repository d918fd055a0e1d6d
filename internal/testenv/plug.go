package testenv

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
)

// Plug is a TCP relay that can be pulled: the network between a client and the service.
type Plug struct {
	target string
	l      net.Listener
	wg     sync.WaitGroup

	mu     sync.Mutex
	pulled bool
	conns  map[net.Conn]struct{}
}

// NewPlug relays to target (host:port) until the test ends.
func NewPlug(t testing.TB, target string) *Plug {
	t.Helper()
	return NewPlugAt(t, "127.0.0.1:0", target)
}

// NewPlugAt is NewPlug that listens at an address of the caller's choosing.
func NewPlugAt(t testing.TB, listen, target string) *Plug {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	p := &Plug{target: target, l: l, conns: map[net.Conn]struct{}{}}
	p.wg.Go(p.serve)
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		p.Pull()
		p.wg.Wait()
	})
	return p
}

// URL is where clients connect.
func (p *Plug) URL() string { return "http://" + p.l.Addr().String() }

// Pull breaks every connection and every attempt from now on.
func (p *Plug) Pull() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulled = true
	for c := range p.conns {
		c.Close()
	}
}

// PutBack lets connections through again.
func (p *Plug) PutBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pulled = false
}

func (p *Plug) serve() {
	for {
		c, err := p.l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			p.wg.Go(func() { p.relay(c) })
		}
	}
}

func (p *Plug) relay(near net.Conn) {
	defer near.Close()
	if !p.keep(near) {
		return
	}
	defer p.drop(near)
	var d net.Dialer
	far, err := d.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		return
	}
	defer far.Close()
	if !p.keep(far) {
		return
	}
	defer p.drop(far)
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{near, far}, {far, near}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1]) // a broken connection is what this is for
			way[0].Close()
			way[1].Close()
		})
	}
	both.Wait()
}

// keep remembers a connection so that it can be broken; false when the plug is pulled.
func (p *Plug) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pulled {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *Plug) drop(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
