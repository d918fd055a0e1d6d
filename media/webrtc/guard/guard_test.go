package guard

import (
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T, limits Limits) *Listener {
	t.Helper()
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(inner, limits)
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func dial(t *testing.T, from string, to net.Addr) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	c, err := d.DialContext(t.Context(), "tcp", to.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// closedSoon says whether the far side hangs up.
func closedSoon(t *testing.T, c net.Conn) bool {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	_, err := c.Read(make([]byte, 1))
	return errors.Is(err, io.EOF) || err != nil && !errors.Is(err, net.ErrClosed) && !err.(net.Error).Timeout() //nolint:errorlint,forcetypeassert // a socket's
}

func TestOneSourceCannotTakeEveryPlace(t *testing.T) {
	l := listen(t, Limits{Total: 3, PerSource: 2})
	accepted := make(chan net.Conn, 8)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial(t, "127.0.0.1", l.Addr())
	dial(t, "127.0.0.1", l.Addr())
	if !closedSoon(t, dial(t, "127.0.0.1", l.Addr())) {
		t.Error("a third connection of one source stands")
	}
	dial(t, "127.0.0.2", l.Addr())
	first, second, other := <-accepted, <-accepted, <-accepted
	if !closedSoon(t, dial(t, "127.0.0.3", l.Addr())) {
		t.Error("a fourth connection of three stands")
	}
	if l.Refused() != 2 || l.Open() != 3 {
		t.Errorf("%d refused, %d open", l.Refused(), l.Open())
	}
	_, _ = first.Close(), first.Close() // twice, and counted once
	dial(t, "127.0.0.1", l.Addr())
	again := <-accepted
	for _, c := range []net.Conn{second, other, again} {
		_ = c.Close()
	}
	if l.Open() != 0 || len(l.taken) != 0 {
		t.Errorf("%d open, %d sources remembered", l.Open(), len(l.taken))
	}
	_ = l.Close()
	<-done
}

// failing is a listener that is out of file descriptors for a while.
type failing struct {
	net.Listener
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left > 0 {
		f.left--
		return nil, errors.New("too many open files")
	}
	return f.Listener.Accept()
}

func TestAFailureOfTheMomentDoesNotEndTheListening(t *testing.T) {
	inner, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := New(&failing{inner, 3}, Limits{Total: 1, PerSource: 1})
	defer func() { _ = l.Close() }()
	dial(t, "127.0.0.1", l.Addr())
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	_ = l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
