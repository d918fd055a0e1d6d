package socket

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func loopback() *net.UDPAddr { return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func listen(t *testing.T, p *Poller, addr *net.UDPAddr) *Conn {
	t.Helper()
	c, err := p.Listen(addr, Option{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Close()
		c.Wait()
	})
	return c
}

func dial(t *testing.T, to netip.AddrPort) *net.UDPConn {
	t.Helper()
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func await(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("no ", what)
	}
}

func TestWhatIsSentToManySocketsArrivesInOrderAndIsAnswered(t *testing.T) {
	p := NewPoller(2)
	const sockets, each = 40, 100
	var wg sync.WaitGroup
	for range sockets {
		c := listen(t, p, loopback())
		next := uint32(0)
		serve(t, c, func(data []byte, from netip.AddrPort, _ time.Time) {
			if got := binary.BigEndian.Uint32(data); got != next {
				t.Errorf("datagram %d, want %d", got, next)
			}
			next++
			if err := c.WriteTo(data, from); err != nil {
				t.Error(err)
			}
		})
		peer := dial(t, c.LocalAddr())
		wg.Go(func() {
			var buf [2048]byte
			for i := range uint32(each) {
				binary.BigEndian.PutUint32(buf[:], i)
				if _, err := peer.Write(buf[:4]); err != nil {
					t.Error(err)
				}
				_ = peer.SetReadDeadline(time.Now().Add(10 * time.Second))
				if n, err := peer.Read(buf[:]); err != nil || n != 4 || binary.BigEndian.Uint32(buf[:]) != i {
					t.Errorf("answer to %d: %d bytes, %v", i, n, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func serve(t *testing.T, c *Conn, h Handler) {
	t.Helper()
	if err := c.Serve(h); err != nil {
		t.Fatal(err)
	}
}

func TestBurstOfMoreThanABatchIsReadToItsEnd(t *testing.T) {
	c := listen(t, NewPoller(1), loopback())
	peer := dial(t, c.LocalAddr())
	const burst = 3*batch + 1
	for range burst { // before anybody reads
		if _, err := peer.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	done, n := make(chan struct{}), 0
	serve(t, c, func([]byte, netip.AddrPort, time.Time) {
		if n++; n == burst {
			close(done)
		}
	})
	await(t, "end of the burst", done)
}

func TestTheLastHandlerEndsBeforeWaitReturns(t *testing.T) {
	c := listen(t, NewPoller(1), loopback())
	peer := dial(t, c.LocalAddr())
	began, goOn := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	serve(t, c, func([]byte, netip.AddrPort, time.Time) {
		close(began)
		<-goOn
		ended.Store(true)
	})
	for range 2 { // the second must not be heard: the channel would be closed twice
		if _, err := peer.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "handler", began)
	if err := c.Close(); err != nil { // does not wait
		t.Fatal(err)
	}
	close(goOn)
	c.Wait()
	if !ended.Load() {
		t.Error("Wait returned while a handler ran")
	}
	if err := c.WriteTo([]byte{1}, c.LocalAddr()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("sent after the end: %v", err)
	}
	if err := c.Serve(nil); !errors.Is(err, net.ErrClosed) {
		t.Errorf("served after the end: %v", err)
	}
}

func TestHandlerMayCloseItsOwnSocket(t *testing.T) {
	p := NewPoller(1)
	for range 20 { // the shard's goroutine ends and begins again
		c := listen(t, p, loopback())
		serve(t, c, func([]byte, netip.AddrPort, time.Time) { _ = c.Close() })
		if _, err := dial(t, c.LocalAddr()).Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
		c.Wait()
	}
}

func TestSenderAlwaysComesToTheSameSharedSocket(t *testing.T) {
	p := NewPoller(4)
	conns, err := p.ListenShared(loopback(), Option{ReadBuffer: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	where := map[netip.AddrPort]int{}
	heard := make(chan struct{}, 1000)
	for i, c := range conns {
		if c.LocalAddr() != conns[0].LocalAddr() {
			t.Errorf("socket %d is at %v, the first at %v", i, c.LocalAddr(), conns[0].LocalAddr())
		}
		serve(t, c, func(_ []byte, from netip.AddrPort, _ time.Time) {
			mu.Lock()
			defer mu.Unlock()
			if at, ok := where[from]; ok && at != i {
				t.Errorf("%v came to sockets %d and %d", from, at, i)
			}
			where[from] = i
			heard <- struct{}{}
		})
		t.Cleanup(func() {
			_ = c.Close()
			c.Wait()
		})
	}
	const senders, each = 30, 5
	for range senders {
		s := dial(t, conns[0].LocalAddr())
		for range each {
			if _, err := s.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range senders * each {
		select {
		case <-heard:
		case <-time.After(10 * time.Second):
			t.Fatal("a datagram is missing")
		}
	}
}

func TestAddressOfAnotherIsNotShared(t *testing.T) {
	other := listen(t, NewPoller(1), loopback())
	if _, err := NewPoller(4).ListenShared(net.UDPAddrFromAddrPort(other.LocalAddr()), Option{}); err == nil {
		t.Error("took an address that is in use")
	}
	p := NewPoller(4)
	conns, err := p.ListenShared(loopback(), Option{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		for _, c := range conns {
			_ = c.Close()
		}
	}()
	if _, err := p.ListenShared(net.UDPAddrFromAddrPort(conns[0].LocalAddr()), Option{}); err == nil {
		t.Error("took the address of sockets that share it among themselves")
	}
}

func TestSocketOfBothFamiliesNamesIPv4ByItsOwnForm(t *testing.T) {
	c := listen(t, NewPoller(1), &net.UDPAddr{IP: net.IPv6unspecified})
	for _, host := range []string{"127.0.0.1", "::1"} {
		t.Run(host, func(t *testing.T) {
			addr := netip.AddrPortFrom(netip.MustParseAddr(host), c.LocalAddr().Port())
			peer, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(addr))
			if err != nil {
				t.Skip("no such network here: ", err)
			}
			defer func() { _ = peer.Close() }()
			want := peer.LocalAddr().(*net.UDPAddr).AddrPort()
			if err := c.WriteTo([]byte{7}, want); err != nil {
				t.Fatal(err)
			}
			_ = peer.SetReadDeadline(time.Now().Add(10 * time.Second))
			if n, err := peer.Read(make([]byte, 10)); err != nil || n != 1 {
				t.Errorf("%d bytes, %v", n, err)
			}
		})
	}
	got := make(chan netip.AddrPort, 1)
	serve(t, c, func(_ []byte, from netip.AddrPort, _ time.Time) { got <- from })
	peer := dial(t, netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), c.LocalAddr().Port()))
	if _, err := peer.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	if from := <-got; from != peer.LocalAddr().(*net.UDPAddr).AddrPort() {
		t.Errorf("from %v, want %v", from, peer.LocalAddr())
	}
}

func TestDatagramAllocatesNothing(t *testing.T) {
	c := listen(t, NewPoller(1), loopback())
	got := make(chan struct{}, 1)
	serve(t, c, func(data []byte, from netip.AddrPort, _ time.Time) {
		if err := c.WriteTo(data, from); err != nil {
			t.Error(err)
		}
		got <- struct{}{}
	})
	peer := dial(t, c.LocalAddr())
	buf := make([]byte, 200)
	if n := testing.AllocsPerRun(200, func() {
		if _, err := peer.Write(buf); err != nil {
			t.Error(err)
		}
		<-got
		if _, err := peer.Read(buf); err != nil {
			t.Error(err)
		}
	}); n >= 1 {
		t.Errorf("%v allocations a datagram", n)
	}
}
